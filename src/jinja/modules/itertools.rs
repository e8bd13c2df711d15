//! `modules.itertools`. Everything gives lists at once, so the functions without an end are refused.

use super::super::native::{Arguments, native};
use super::super::value::{invalid, list, none, tuple};
use super::members;
use minijinja::Error;
use minijinja::value::Value;

/// The most combinations that are made.
const MOST: usize = 1_000_000;

/// The most items that one combination has: rows of one choice each do not grow in number, only in length.
const WIDEST: usize = 1_000;

/// The module.
pub(super) fn module() -> Value {
    let functions = vec![
        ("accumulate", native("accumulate", accumulate)),
        ("chain", chain()),
        ("combinations", native("combinations", |_, arguments| choose(arguments, Choice::Combinations))),
        (
            "combinations_with_replacement",
            native("combinations_with_replacement", |_, arguments| choose(arguments, Choice::WithReplacement)),
        ),
        ("permutations", native("permutations", |_, arguments| choose(arguments, Choice::Permutations))),
        (
            "compress",
            native("compress", |_, mut arguments| {
                let (items, selectors) =
                    (items(&arguments.required("data")?)?, items(&arguments.required("selectors")?)?);
                let kept = items.into_iter().zip(selectors).filter(|(_, selector)| selector.is_true());
                Ok(list(kept.map(|(item, _)| item).collect::<Vec<_>>()))
            }),
        ),
        ("islice", native("islice", islice)),
        ("product", native("product", product)),
        (
            "repeat",
            native("repeat", |_, mut arguments| {
                let item = arguments.required("object")?;
                let times = arguments.optional("times").ok_or_else(|| endless("repeat"))?;
                let times = times.as_i64().and_then(|times| usize::try_from(times.max(0)).ok()).unwrap_or(0);
                limited(times)?;
                Ok(list(std::iter::repeat_n(item, times)))
            }),
        ),
        (
            "starmap",
            native("starmap", |state, mut arguments| {
                let (function, rows) = (arguments.required("function")?, items(&arguments.required("iterable")?)?);
                let results = rows.iter().map(|row| function.call(state, &items(row)?));
                Ok(list(results.collect::<Result<Vec<_>, _>>()?))
            }),
        ),
        (
            "tee",
            native("tee", |_, mut arguments| {
                let items = items(&arguments.required("iterable")?)?;
                let count = arguments.optional("n").and_then(|count| count.as_usize()).unwrap_or(2);
                limited(count.saturating_mul(items.len().max(1)))?;
                Ok(tuple((0..count).map(|_| list(items.iter().cloned()))))
            }),
        ),
        ("zip_longest", native("zip_longest", zip_longest)),
        ("count", native("count", |_, _| Err(endless("count")))),
        ("cycle", native("cycle", |_, _| Err(endless("cycle")))),
    ];
    members("itertools", None, functions)
}

fn endless(name: &str) -> Error {
    invalid(format!("itertools.{name}() without an end is not supported; use range() or a count"))
}

/// Refuses more rows than memory should hold.
fn limited(count: usize) -> Result<(), Error> {
    if count > MOST { Err(invalid(format!("this would make more than {MOST} items"))) } else { Ok(()) }
}

/// Refuses rows that are longer than any that templates mean.
fn narrow(width: usize) -> Result<(), Error> {
    if width > WIDEST { Err(invalid(format!("this would make rows of more than {WIDEST} items"))) } else { Ok(()) }
}

/// A number of items or of repetitions.
fn count(value: &Value, name: &str) -> Result<usize, Error> {
    match value.as_i64() {
        Some(number) => usize::try_from(number).map_err(|_| invalid(format!("{name} must be non-negative"))),
        None => Err(invalid(format!("{name} must be a whole number"))),
    }
}

fn items(value: &Value) -> Result<Vec<Value>, Error> {
    match value.as_str() {
        Some(text) => Ok(text.chars().map(|letter| Value::from(letter.to_string())).collect()),
        None => Ok(value.try_iter()?.collect()),
    }
}

fn chain() -> Value {
    let joined = |rows: &[Value]| -> Result<Value, Error> {
        let parts = rows.iter().map(items).collect::<Result<Vec<_>, _>>()?;
        Ok(list(parts.into_iter().flatten()))
    };
    let construct = native("chain", move |_, mut arguments| joined(arguments.rest()));
    let from_iterable =
        native("from_iterable", move |_, mut arguments| joined(&items(&arguments.required("iterable")?)?));
    members("itertools.chain", Some(construct), vec![("from_iterable", from_iterable)])
}

fn accumulate(state: &mut minijinja::State<'_, '_>, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let items = items(&arguments.required("iterable")?)?;
    let add = super::super::operators::Operator::Add.name();
    let function = arguments.optional("func").or_else(|| state.lookup(add)).unwrap_or(Value::UNDEFINED);
    let mut totals: Vec<Value> = arguments.keyword("initial").into_iter().collect();
    for item in items {
        let total = match totals.last() {
            Some(last) => function.call(state, &[last.clone(), item])?,
            None => item,
        };
        totals.push(total);
    }
    Ok(list(totals))
}

fn islice(_state: &mut minijinja::State<'_, '_>, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let items = items(&arguments.required("iterable")?)?;
    let first = arguments.given("stop").and_then(|bound| bound.as_usize());
    let (from, to) = if arguments.is_empty() {
        (0, first)
    } else {
        (first.unwrap_or(0), arguments.given("stop").and_then(|bound| bound.as_usize()))
    };
    let step = arguments.optional("step").and_then(|step| step.as_usize()).unwrap_or(1);
    if step == 0 {
        return Err(invalid("Step for islice() must be a positive integer or None."));
    }
    let to = to.unwrap_or(items.len()).min(items.len());
    Ok(list(items.into_iter().take(to).skip(from).step_by(step)))
}

fn product(_state: &mut minijinja::State<'_, '_>, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let repeat = arguments.keyword("repeat").map_or(Ok(1), |repeat| count(&repeat, "repeat"))?;
    let pools = arguments.rest().iter().map(items).collect::<Result<Vec<_>, _>>()?;
    // Nothing would otherwise be multiplied as often as `repeat` says.
    if repeat > 0 && pools.iter().any(Vec::is_empty) {
        return Ok(list(Vec::<Value>::new()));
    }
    let repeat = if pools.is_empty() { 0 } else { repeat };
    narrow(pools.len().saturating_mul(repeat))?;
    let mut rows: Vec<Vec<Value>> = vec![vec![]];
    for pool in std::iter::repeat_n(&pools, repeat).flatten() {
        limited(rows.len().saturating_mul(pool.len()))?;
        let longer = |row: &Vec<Value>| {
            let row = row.clone();
            pool.iter().map(move |item| row.iter().chain([item]).cloned().collect::<Vec<_>>()).collect::<Vec<_>>()
        };
        rows = rows.iter().flat_map(longer).collect();
    }
    Ok(list(rows.into_iter().map(tuple)))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Choice {
    Combinations,
    WithReplacement,
    Permutations,
}

/// All ways to take `r` items out of a list, in the order of their positions.
fn choose(mut arguments: Arguments<'_>, choice: Choice) -> Result<Value, Error> {
    let items = items(&arguments.required("iterable")?)?;
    let length = arguments.optional("r").map(|length| count(&length, "r")).transpose()?;
    let length = match (length, choice) {
        (Some(length), _) => length,
        (None, Choice::Permutations) => items.len(),
        (None, _) => return Err(invalid("missing required argument: 'r'")),
    };
    arguments.finish()?;
    let longest = match choice {
        Choice::WithReplacement if !items.is_empty() => usize::MAX,
        _ => items.len(),
    };
    if length > longest {
        return Ok(list(Vec::<Value>::new()));
    }
    narrow(length)?;
    let mut rows: Vec<Vec<usize>> = vec![vec![]];
    for _ in 0..length {
        let mut longer = Vec::new();
        for row in &rows {
            let allowed = (0..items.len()).filter(|next| match choice {
                Choice::Combinations => row.last().is_none_or(|last| next > last),
                Choice::WithReplacement => row.last().is_none_or(|last| next >= last),
                Choice::Permutations => !row.contains(next),
            });
            longer.extend(allowed.map(|next| row.iter().copied().chain([next]).collect::<Vec<_>>()));
            limited(longer.len())?;
        }
        rows = longer;
    }
    Ok(list(rows.into_iter().map(|row| tuple(row.into_iter().map(|at| items[at].clone())))))
}

fn zip_longest(_state: &mut minijinja::State<'_, '_>, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let fill = arguments.keyword("fillvalue").unwrap_or_else(none);
    let columns = arguments.rest().iter().map(items).collect::<Result<Vec<_>, _>>()?;
    let count = columns.iter().map(Vec::len).max().unwrap_or(0);
    let row = |at: usize| tuple(columns.iter().map(|column| column.get(at).cloned().unwrap_or_else(|| fill.clone())));
    Ok(list((0..count).map(row).collect::<Vec<_>>()))
}
