//! Filters over lists and what else can be gone through.

use super::super::comparison::sorted_by_key;
use super::super::dict::View;
use super::super::native::Arguments;
use super::super::operators::{Operator, check_length, check_size};
use super::super::runtime::{USUAL_TEXT, is_soft_undefined};
use super::super::value::{as_text, hashable, invalid, list, members, repr, text, tuple, type_name};
use super::Filter;
use minijinja::value::{Enumerator, Kwargs, Object, ObjectRepr, Value, ValueKind};
use minijinja::{Error, State};
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

pub(super) const FILTERS: [(&str, Filter); 19] = [
    ("list", |_, value, _| members(&value).map(list)),
    ("map", map),
    ("sort", sort),
    ("dictsort", dictsort),
    ("groupby", groupby),
    ("unique", unique),
    ("min", |_, value, arguments| extreme(&value, arguments, Ordering::Less)),
    ("max", |_, value, arguments| extreme(&value, arguments, Ordering::Greater)),
    ("batch", batch),
    ("slice", slice),
    ("reverse", reverse),
    ("items", items),
    ("join", join),
    ("sum", sum),
    ("length", length),
    ("count", length),
    ("random", random),
    ("first", |_, value, arguments| first(&value, arguments)),
    ("last", |_, value, arguments| last(&value, arguments)),
];

/// `a.b.0` of a value, or the item at a number; undefined where it has none.
fn attribute_of(value: &Value, path: &Value) -> Value {
    let Some(path) = path.as_str() else { return value.get_item(path).unwrap_or_default() };
    path.split('.').fold(value.clone(), |value, part| {
        let key = part.parse::<usize>().map_or_else(|_| Value::from(part), Value::from);
        match value.get_item(&key) {
            Ok(item) if !item.is_undefined() => item,
            _ => value.get_attr(part).unwrap_or_default(),
        }
    })
}

/// What values are compared by: texts without regard to case, unless it matters.
fn comparable(value: Value, case_matters: bool) -> Value {
    match value.as_str() {
        Some(text) if !case_matters => Value::from(text.to_lowercase()),
        _ => value,
    }
}

/// `map(attribute=…, default=…)`, or `map('filter', …)` with everything that the filter takes.
fn map(state: &mut State<'_, '_>, value: Value, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let items = members(&value)?;
    if let Some(attribute) = arguments.keyword("attribute") {
        let default = arguments.keyword("default");
        arguments.finish()?;
        let found = |item: Value| match (attribute_of(&item, &attribute), &default) {
            (found, Some(default)) if found.is_undefined() => default.clone(),
            (found, _) => found,
        };
        return Ok(iterable(items.into_iter().map(found).collect()));
    }
    let [filter, rest @ ..] = arguments.rest() else { return Err(invalid("map requires a filter argument")) };
    let filter = text(filter);
    let named = arguments.keywords();
    let mut mapped = Vec::with_capacity(items.len());
    for item in items {
        let mut args = vec![item];
        args.extend(rest.iter().cloned());
        if !named.is_empty() {
            args.push(named.iter().cloned().collect::<Kwargs>().into());
        }
        mapped.push(state.apply_filter(&filter, &args)?);
    }
    Ok(iterable(mapped))
}

/// What a filter gives that Jinja2 makes a generator: it can be gone through, but has no positions and no length.
fn iterable(items: Vec<Value>) -> Value {
    Value::make_iterable(move || items.clone().into_iter())
}

fn sort(_state: &mut State<'_, '_>, value: Value, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let reverse = arguments.flag("reverse", false);
    let case_matters = arguments.flag("case_sensitive", false);
    let attribute = arguments.optional("attribute");
    arguments.finish()?;
    let key = |item: &Value| match &attribute {
        None => comparable(item.clone(), case_matters),
        Some(attribute) => match attribute.as_str().filter(|path| path.contains(',')) {
            Some(paths) => {
                let one = |path: &str| comparable(attribute_of(item, &Value::from(path.trim())), case_matters);
                list(paths.split(',').map(one))
            }
            None => comparable(attribute_of(item, attribute), case_matters),
        },
    };
    let keyed = members(&value)?.into_iter().map(|item| (key(&item), item)).collect();
    sorted_by_key(keyed, reverse).map(list)
}

fn dictsort(_state: &mut State<'_, '_>, value: Value, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let case_matters = arguments.flag("case_sensitive", false);
    let by = arguments.optional_text("by").unwrap_or_else(|| "key".to_owned());
    let reverse = arguments.flag("reverse", false);
    arguments.finish()?;
    if by != "key" && by != "value" {
        return Err(invalid("You can only sort by either \"key\" or \"value\""));
    }
    let pairs = super::super::value::pairs(&value)
        .ok_or_else(|| invalid(format!("'{}' object has no attribute 'items'", type_name(&value))))?;
    let keyed = pairs.into_iter().map(|(key, item)| {
        let by = if by == "key" { key.clone() } else { item.clone() };
        (comparable(by, case_matters), tuple([key, item]))
    });
    sorted_by_key(keyed.collect(), reverse).map(list)
}

fn groupby(_state: &mut State<'_, '_>, value: Value, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let attribute = arguments.required("attribute")?;
    let default = arguments.given("default");
    let case_matters = arguments.flag("case_sensitive", false);
    arguments.finish()?;
    let key = |item: &Value| match (attribute_of(item, &attribute), &default) {
        (found, Some(default)) if found.is_undefined() => default.clone(),
        (found, _) => found,
    };
    let keyed = members(&value)?.into_iter().map(|item| (comparable(key(&item), case_matters), item));
    let mut groups: Vec<(Value, Value, Vec<Value>)> = vec![];
    for item in sorted_by_key(keyed.collect(), false)? {
        let key = key(&item);
        let compared = comparable(key.clone(), case_matters);
        match groups.last_mut().filter(|(known, _, _)| *known == compared) {
            Some((_, _, items)) => items.push(item),
            None => groups.push((compared, key, vec![item])),
        }
    }
    Ok(list(groups.into_iter().map(|(_, key, items)| Value::from_object(Group { key, items: list(items) }))))
}

/// What `groupby` gives for each value: a pair whose parts also have names.
struct Group {
    key: Value,
    items: Value,
}

impl fmt::Debug for Group {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "({}, {})", repr(&self.key), repr(&self.items))
    }
}

impl Object for Group {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match (key.as_str(), key.as_usize()) {
            (Some("grouper"), _) | (None, Some(0)) => Some(self.key.clone()),
            (Some("list"), _) | (None, Some(1)) => Some(self.items.clone()),
            _ => None,
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(2)
    }

    fn render(self: &Arc<Self>, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self:?}")
    }
}

fn unique(_state: &mut State<'_, '_>, value: Value, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let case_matters = arguments.flag("case_sensitive", false);
    let attribute = arguments.optional("attribute");
    arguments.finish()?;
    let mut seen = indexmap::IndexSet::new();
    let mut kept = vec![];
    for item in members(&value)? {
        let key = attribute.as_ref().map_or_else(|| item.clone(), |attribute| attribute_of(&item, attribute));
        hashable(&key)?;
        if seen.insert(comparable(key, case_matters)) {
            kept.push(item);
        }
    }
    Ok(iterable(kept))
}

/// The first of the least or greatest items; undefined where there is none.
fn extreme(value: &Value, mut arguments: Arguments<'_>, wanted: Ordering) -> Result<Value, Error> {
    let case_matters = arguments.flag("case_sensitive", false);
    let attribute = arguments.optional("attribute");
    arguments.finish()?;
    let mut best: Option<(Value, Value)> = None;
    for item in members(value)? {
        let by = attribute.as_ref().map_or_else(|| item.clone(), |attribute| attribute_of(&item, attribute));
        let by = comparable(by, case_matters);
        let symbol = if wanted == Ordering::Less { "<" } else { ">" };
        let better = match &best {
            Some((known, _)) => super::super::comparison::compare(&by, known, symbol)? == Some(wanted),
            None => true,
        };
        if better {
            best = Some((by, item));
        }
    }
    Ok(best.map_or(Value::UNDEFINED, |(_, item)| item))
}

/// Items in groups of `count`; `complete` is whether the last group is filled up.
fn groups(items: Vec<Value>, count: usize, fill: Option<&Value>) -> Value {
    let group = |part: &[Value]| {
        let missing = if fill.is_some() { count - part.len() } else { 0 };
        list(part.iter().cloned().chain(fill.into_iter().cycle().take(missing).cloned()))
    };
    list(items.chunks(count).map(group))
}

fn positive(arguments: &mut Arguments<'_>, name: &str) -> Result<usize, Error> {
    let count = usize::try_from(arguments.integer(name)?).ok().filter(|count| *count > 0);
    let count = count.ok_or_else(|| invalid(format!("'{name}' must be greater than 0")))?;
    // Groups are filled up, columns are made even if they are empty.
    check_length(count)?;
    Ok(count)
}

fn batch(_state: &mut State<'_, '_>, value: Value, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let count = positive(&mut arguments, "linecount")?;
    let fill = arguments.optional("fill_with");
    Ok(groups(members(&value)?, count, fill.as_ref()))
}

/// `count` columns of items, the first ones one longer where it does not come out even.
fn slice(_state: &mut State<'_, '_>, value: Value, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let count = positive(&mut arguments, "slices")?;
    let fill = arguments.optional("fill_with");
    let items: Vec<Value> = members(&value)?;
    let (each, longer) = (items.len() / count, items.len() % count);
    let mut rest = items.as_slice();
    let columns = (0..count).map(|column| {
        let (part, after) = rest.split_at(each + usize::from(column < longer));
        rest = after;
        let filler = fill.iter().filter(|_| longer > 0 && column >= longer).cloned();
        list(part.iter().cloned().chain(filler))
    });
    Ok(list(columns.collect::<Vec<_>>()))
}

fn reverse(_state: &mut State<'_, '_>, value: Value, _arguments: Arguments<'_>) -> Result<Value, Error> {
    if let Some(text) = value.as_str() {
        return Ok(Value::from(text.chars().rev().collect::<String>()));
    }
    let mut items = members(&value)?;
    items.reverse();
    Ok(iterable(items))
}

fn items(_state: &mut State<'_, '_>, value: Value, _arguments: Arguments<'_>) -> Result<Value, Error> {
    if value.is_undefined() {
        return Ok(list([]));
    }
    let pairs = super::super::value::pairs(&value).ok_or_else(|| invalid("Can only get item pairs from a mapping."))?;
    Ok(list(pairs.into_iter().map(|(key, value)| tuple([key, value]))))
}

fn join(_state: &mut State<'_, '_>, value: Value, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let separator = arguments.optional_text("d").unwrap_or_default();
    let attribute = arguments.optional("attribute");
    arguments.finish()?;
    let mut joined = String::with_capacity(USUAL_TEXT);
    for (at, item) in members(&value)?.iter().enumerate() {
        if at > 0 {
            joined.push_str(&separator);
        }
        match &attribute {
            Some(attribute) => joined.push_str(&as_text(&attribute_of(item, attribute))),
            None => joined.push_str(&as_text(item)),
        }
        check_size(joined.len())?;
    }
    Ok(Value::from(joined))
}

fn sum(state: &mut State<'_, '_>, value: Value, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let attribute = arguments.optional("attribute");
    let mut total = arguments.given("start").unwrap_or_else(|| Value::from(0));
    let add = Operator::Add.function();
    for item in members(&value)? {
        let item = attribute.as_ref().map_or_else(|| item.clone(), |attribute| attribute_of(&item, attribute));
        total = add.call(state, &[total, item])?;
    }
    Ok(total)
}

/// Views and sets: what can be gone through, has no positions, but a length.
fn has_length(value: &Value) -> bool {
    value.downcast_object_ref::<View>().is_some() || super::super::context::is_set(value)
}

fn length(_state: &mut State<'_, '_>, value: Value, _arguments: Arguments<'_>) -> Result<Value, Error> {
    if value.is_undefined() || is_soft_undefined(&value) {
        return Ok(Value::from(0));
    }
    // What filters such as `map` give counts its items only when it is gone through.
    let is_counted = value.kind() != ValueKind::Iterable || has_length(&value);
    let count = value.len().filter(|_| is_counted).or_else(|| {
        let countable = matches!(value.kind(), ValueKind::Seq | ValueKind::Map);
        countable.then(|| value.try_iter().map_or(0, Iterator::count))
    });
    count.map(Value::from).ok_or_else(|| invalid(format!("object of type '{}' has no len()", type_name(&value))))
}

/// Any item of a list; nothing here depends on which.
fn random(_state: &mut State<'_, '_>, value: Value, _arguments: Arguments<'_>) -> Result<Value, Error> {
    super::super::memo::depend();
    let items = members(&value)?;
    let number = uuid::Uuid::new_v4().as_u128() % items.len().max(1) as u128;
    Ok(usize::try_from(number).ok().and_then(|at| items.get(at).cloned()).unwrap_or(Value::UNDEFINED))
}

fn first(value: &Value, arguments: Arguments<'_>) -> Result<Value, Error> {
    arguments.finish()?;
    Ok(members(value)?.into_iter().next().unwrap_or_default())
}

fn last(value: &Value, arguments: Arguments<'_>) -> Result<Value, Error> {
    arguments.finish()?;
    Ok(members(value)?.pop().unwrap_or_default())
}
