//! Relations as templates see them: `this`, what `ref()` and `source()` give, and the class `api.Relation`.

use super::failure;
use super::warehouse::Warehouse;
use crate::adapter::{Relation, RelationType};
use crate::diagnostic::Code;
use crate::jinja::Arguments;
use crate::jinja::modules::utc_datetime_value;
use crate::jinja::value::{dict, list, none, text};
use crate::manifest::EventWindow;
use crate::name::{Quoting, RelationName, quote_identifier};
use minijinja::value::{DynObject, Enumerator, Object, ObjectRepr, Value};
use minijinja::{Error, ErrorKind, State};
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// The three parts of a name, in the order in which they are written.
pub(super) const PARTS: [&str; 3] = ["database", "schema", "identifier"];

/// A relation in a template. Its methods give changed copies; it never changes itself.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RelationObject {
    warehouse: Warehouse,
    /// Database, schema, identifier.
    path: [Option<String>; 3],
    /// Which parts are written.
    include: [bool; 3],
    /// Which parts are quoted.
    quote: [bool; 3],
    relation_type: Option<&'static str>,
    /// Whether its table format is Iceberg's.
    is_iceberg: bool,
    information_schema: InformationSchema,
    /// Rows to read at most: 0 under `--empty`.
    limit: Option<u64>,
    /// The rows that count, where not all do.
    window: Option<EventWindow>,
    /// SQL that stands in place of the name: a file, a table function.
    external: Option<String>,
}

/// Whether a relation is an information schema, and which view of it is meant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum InformationSchema {
    /// An ordinary relation.
    No,
    /// The schema itself.
    Whole,
    /// A view in it.
    View(String),
}

impl RelationObject {
    /// A relation for templates.
    pub fn new(warehouse: Warehouse, relation: &Relation) -> Self {
        let name = &relation.name;
        Self {
            warehouse,
            path: [name.database.clone(), name.schema.clone(), name.identifier.clone()],
            include: [true; 3],
            quote: [name.quoting.database, name.quoting.schema, name.quoting.identifier],
            relation_type: relation.relation_type.map(RelationType::as_str),
            is_iceberg: relation.relation_type == Some(RelationType::IcebergTable),
            information_schema: InformationSchema::No,
            limit: None,
            window: None,
            external: None,
        }
    }

    /// The same, of which at most so many rows are read.
    #[must_use]
    pub fn limited(mut self, limit: Option<u64>) -> Self {
        self.limit = limit;
        self
    }

    /// The same, of which only rows of this window count.
    #[must_use]
    pub(super) fn of_window(mut self, window: Option<EventWindow>) -> Self {
        self.window = window;
        self
    }

    /// The same, for which this SQL stands in place of its name.
    #[must_use]
    pub(super) fn at_location(mut self, external: Option<String>) -> Self {
        self.external = external;
        self
    }

    /// The same as a value.
    pub fn into_value(self) -> Value {
        Value::from_object(self)
    }

    /// The relation that a value is, if it is one.
    pub fn from_value(value: &Value) -> Option<Arc<Self>> {
        value.downcast_object::<Self>()
    }

    /// What the stages below Jinja know of the relation: its name as the warehouse keeps it. A part that is not written is
    /// absent.
    pub fn relation(&self) -> Relation {
        let folds = self.warehouse.folds_names();
        let part = |index: usize| {
            let part = self.path[index].clone().filter(|_| self.include[index]);
            part.map(|part| if folds && !self.quote[index] { part.to_uppercase() } else { part })
        };
        let [database, schema, identifier] = self.quote.map(|quote| quote || folds);
        Relation {
            name: RelationName {
                database: part(0),
                schema: part(1),
                identifier: part(2),
                quoting: Quoting { database, schema, identifier },
            },
            relation_type: match self.relation_type.and_then(RelationType::from_word) {
                Some(RelationType::Table) if self.is_iceberg => Some(RelationType::IcebergTable),
                other => other,
            },
        }
    }

    /// The whole name, also of parts that are not written.
    pub fn full_name(&self) -> RelationName {
        let quoting = Quoting { database: self.quote[0], schema: self.quote[1], identifier: self.quote[2] };
        let [database, schema, identifier] = self.path.clone();
        RelationName { database, schema, identifier, quoting }
    }

    /// The database, if it is known.
    pub fn database(&self) -> Option<&str> {
        self.path[0].as_deref()
    }

    /// The schema, if it is known.
    pub fn schema(&self) -> Option<&str> {
        self.path[1].as_deref()
    }

    /// The table's or view's own name, if it is known.
    pub fn identifier(&self) -> Option<&str> {
        self.path[2].as_deref()
    }

    /// dbt's word for what it is.
    pub fn type_word(&self) -> Option<&'static str> {
        self.relation_type
    }

    /// The name as written into SQL, without the clauses of a limit.
    pub fn render_name(&self) -> String {
        if let Some(external) = &self.external {
            return external.clone();
        }
        let mut text = String::new();
        let mut push = |part: &str| {
            if !text.is_empty() {
                text.push('.');
            }
            text.push_str(part);
        };
        for index in 0..PARTS.len() {
            match &self.path[index] {
                Some(part) if self.include[index] && self.quote[index] => push(&quote_identifier(part)),
                Some(part) if self.include[index] => push(part),
                _ => {}
            }
        }
        if let InformationSchema::View(view) = &self.information_schema {
            push(view);
        }
        text
    }

    /// The schema alone, as `create schema` needs it.
    #[must_use]
    pub fn without_identifier(&self) -> Self {
        let mut schema = self.clone();
        schema.include[2] = false;
        schema.path[2] = None;
        schema
    }

    /// The information schema of the relation's database, or a view in it.
    #[must_use]
    pub fn information_schema(&self, view: Option<String>) -> Self {
        Self {
            warehouse: self.warehouse,
            path: [self.path[0].clone(), None, Some("INFORMATION_SCHEMA".to_owned())],
            include: [self.path[0].is_some(), false, true],
            quote: [self.quote[0], self.quote[1], false],
            relation_type: Some(RelationType::View.as_str()),
            is_iceberg: false,
            information_schema: view.map_or(InformationSchema::Whole, InformationSchema::View),
            limit: None,
            window: None,
            external: None,
        }
    }

    /// Whether the parts that are given are the relation's. Where only the case differs, a warehouse that
    /// ignores case has found it; elsewhere it is an error, since either could be meant.
    pub fn matches(&self, search: [Option<&str>; 3]) -> Result<bool, Error> {
        if search.iter().all(Option::is_none) {
            return Err(failure(Code::JinjaRender, "a relation was searched for without any part of its name"));
        }
        let (mut exact, mut approximate) = (true, true);
        for (wanted, own) in search.iter().zip(&self.path) {
            let Some(wanted) = wanted else { continue };
            let own = own.as_deref().unwrap_or_default();
            exact &= own == *wanted;
            approximate &= own.trim_matches('"').to_lowercase() == wanted.trim_matches('"').to_lowercase();
        }
        if approximate && !exact && !self.warehouse.ignores_case() {
            let wanted: Vec<&str> = search.into_iter().flatten().collect();
            let message = format!(
                "`{}` was searched for, and `{}` exists, which differs only by case or quotes",
                wanted.join("."),
                self.render_name()
            );
            return Err(super::failure_with_help(
                Code::JinjaRender,
                message,
                "drop or rename that relation, or set `quoting` so that the names are the same",
            ));
        }
        Ok(approximate)
    }

    fn render_limited(&self) -> String {
        let name = self.render_name();
        match self.limit {
            None => name,
            Some(0) => format!("(select * from {name} where false limit 0)"),
            Some(limit) => format!("(select * from {name} limit {limit})"),
        }
    }

    /// As a query reads it: what is left of its rows by a limit and a window.
    fn render_read(&self) -> String {
        self.render_filtered(self.render_limited())
    }

    fn render_filtered(&self, rendered: String) -> String {
        let Some(EventWindow { field, span }) = &self.window else { return rendered };
        let (start, end) = (utc_datetime_value(span.start()), utc_datetime_value(span.end()));
        format!("(select * from {rendered} where {field} >= '{start}' and {field} < '{end}')")
    }

    fn is_type(&self, relation_type: RelationType) -> Value {
        Value::from(self.relation_type == Some(relation_type.as_str()))
    }

    fn is_one_of(&self, types: &[RelationType]) -> Value {
        Value::from(types.iter().any(|one| self.relation_type == Some(one.as_str())))
    }

    fn attribute(&self, key: &str) -> Option<Value> {
        let part_value = |part: &Option<String>| Value::from(part.clone());
        let warehouse = self.warehouse;
        Some(match key {
            "database" => part_value(&self.path[0]),
            "schema" => part_value(&self.path[1]),
            "identifier" | "name" | "table" => part_value(&self.path[2]),
            "type" => Value::from(self.relation_type),
            "path" => parts_value(PARTS.map(|part| self.attribute(part).unwrap_or_default())),
            "include_policy" => parts_value(self.include.map(Value::from)),
            "quote_policy" => parts_value(self.quote.map(Value::from)),
            "quote_character" => Value::from("\""),
            "limit" => Value::from(self.limit),
            "external" => Value::from(self.external.clone()),
            "information_schema_view" => match &self.information_schema {
                InformationSchema::View(view) => Value::from(view.as_str()),
                _ => none(),
            },
            "is_table" => self.is_type(RelationType::Table),
            "is_view" => self.is_type(RelationType::View),
            "is_cte" => self.is_type(RelationType::Cte),
            "is_materialized_view" => self.is_type(RelationType::MaterializedView),
            "is_dynamic_table" => self.is_type(RelationType::DynamicTable),
            "is_pointer" | "is_function" => Value::from(false),
            "is_iceberg_format" => Value::from(self.is_iceberg),
            "table_format" => Value::from(if self.is_iceberg { "iceberg" } else { "default" }),
            "can_be_renamed" if self.is_iceberg => Value::from(false),
            "can_be_renamed" => self.is_one_of(warehouse.renameable()),
            "can_be_replaced" => self.is_one_of(warehouse.replaceable()),
            "renameable_relations" => types_value(warehouse.renameable()),
            "replaceable_relations" => types_value(warehouse.replaceable()),
            "metadata" => dict([(Value::from("type"), Value::from(warehouse.relation_class()))]),
            _ => return type_constant(key),
        })
    }

    /// Database, schema and identifier as truth values by name, laid over what stands.
    fn policy(arguments: &mut Arguments<'_>, mut current: [bool; 3]) -> [bool; 3] {
        for (index, part) in PARTS.into_iter().enumerate() {
            if let Some(value) = arguments.optional(part) {
                current[index] = value.is_true();
            }
        }
        current
    }

    /// `incorporate` and `replace`: the named fields laid over the relation.
    pub(super) fn with_fields(&self, arguments: &mut Arguments<'_>) -> Result<Self, Error> {
        let mut changed = self.clone();
        for (key, value) in arguments.keywords() {
            match key.as_str() {
                "path" => {
                    for (index, part) in PARTS.into_iter().enumerate() {
                        if let Ok(given) = value.get_attr(part)
                            && !given.is_undefined()
                        {
                            changed.path[index] = path_part(part, &given)?;
                        }
                    }
                }
                "type" => changed.relation_type = type_word(&value)?,
                "table_format" => {
                    changed.is_iceberg = value.as_str().is_some_and(|format| format.eq_ignore_ascii_case("iceberg"));
                }
                "include_policy" => lay_over(&mut changed.include, &value),
                "quote_policy" => lay_over(&mut changed.quote, &value),
                "limit" => changed.limit = if value.is_none() { None } else { value.as_usize().map(|n| n as u64) },
                "external" => changed.external = value.as_str().map(str::to_owned),
                "quote_character" | "dbt_created" | "require_alias" | "catalog" => {}
                other => {
                    let message = format!("a relation has no field `{other}` that could be changed");
                    return Err(failure(Code::JinjaRender, message));
                }
            }
        }
        Ok(changed)
    }
}

/// Reads a part of a name: a text or nothing. Undefined is an error, as it would silently drop a part.
pub(super) fn path_part(part: &str, value: &Value) -> Result<Option<String>, Error> {
    if value.is_none() {
        return Ok(None);
    }
    match value.as_str() {
        Some(text) => Ok(Some(text.to_owned())),
        None => Err(failure(
            Code::JinjaRender,
            format!("the {part} of a relation must be a text or none, not {}", value.kind()),
        )),
    }
}

/// Reads a relation's type: one of dbt's words, or nothing.
pub(super) fn type_word(value: &Value) -> Result<Option<&'static str>, Error> {
    if value.is_none() || value.is_undefined() {
        return Ok(None);
    }
    let word = text(value);
    match RelationType::from_word(&word) {
        Some(relation_type) => Ok(Some(relation_type.as_str())),
        None => Err(super::failure_with_help(
            Code::JinjaRender,
            format!("`{word}` is not a type of relations"),
            "the types are table, view, cte, materialized_view, dynamic_table and external",
        )),
    }
}

fn lay_over(policy: &mut [bool; 3], value: &Value) {
    for (index, part) in PARTS.into_iter().enumerate() {
        if let Ok(given) = value.get_attr(part)
            && !given.is_undefined()
            && !given.is_none()
        {
            policy[index] = given.is_true();
        }
    }
}

pub(super) fn parts_value(values: [Value; 3]) -> Value {
    dict(PARTS.map(Value::from).into_iter().zip(values))
}

fn types_value(types: &[RelationType]) -> Value {
    list(types.iter().map(|one| Value::from(one.as_str())))
}

/// The types that a relation and its class have as constants: `api.Relation.View`.
pub(super) fn type_constant(key: &str) -> Option<Value> {
    Some(Value::from(match key {
        "Table" => "table",
        "View" => "view",
        "CTE" => "cte",
        "MaterializedView" => "materialized_view",
        "DynamicTable" => "dynamic_table",
        "External" => "external",
        "PointerTable" => "pointer_table",
        "Function" => "function",
        _ => return None,
    }))
}

/// As SQL, with the clauses of a limit and of a window.
impl fmt::Display for RelationObject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.render_read())
    }
}

/// As Python shows it inside a list.
impl fmt::Debug for RelationObject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let class = match self.information_schema {
            InformationSchema::Whole | InformationSchema::View(_) => "InformationSchema",
            InformationSchema::No => self.warehouse.relation_class(),
        };
        write!(formatter, "<{class} {}>", self.render_name())
    }
}

impl Object for RelationObject {
    /// A mapping, as `dbt_utils` asks before it trusts a value to be a relation.
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::NonEnumerable
    }

    fn is_true(self: &Arc<Self>) -> bool {
        true
    }

    fn render(self: &Arc<Self>, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self}")
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.attribute(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        self.attribute(key)
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        Some((**self).cmp(other.downcast_ref::<Self>()?))
    }

    fn call_method(self: &Arc<Self>, _: &mut State, method: &str, values: &[Value]) -> Result<Value, Error> {
        let mut arguments = Arguments::new(method, values);
        let mut changed = (**self).clone();
        match method {
            "include" => changed.include = Self::policy(&mut arguments, self.include),
            "quote" => changed.quote = Self::policy(&mut arguments, self.quote),
            "incorporate" | "replace" => changed = self.with_fields(&mut arguments)?,
            "replace_path" => {
                for (index, part) in PARTS.into_iter().enumerate() {
                    if let Some(value) = arguments.given(part) {
                        changed.path[index] = path_part(part, &value)?;
                    }
                }
            }
            "without_identifier" => changed = self.without_identifier(),
            "information_schema" | "information_schema_only" => {
                let view = arguments.optional("view_name").and_then(|view| view.as_str().map(str::to_owned));
                changed = self.information_schema(view);
            }
            _ => return self.plain_method(method, arguments),
        }
        arguments.finish()?;
        Ok(changed.into_value())
    }
}

impl RelationObject {
    /// The methods whose answer is not a relation.
    fn plain_method(&self, method: &str, mut arguments: Arguments<'_>) -> Result<Value, Error> {
        let answer = match method {
            "render" => Value::from(self.render_name()),
            "render_limited" => Value::from(self.render_limited()),
            "render_event_time_filtered" => match arguments.optional("rendered").filter(Value::is_true) {
                Some(rendered) => Value::from(self.render_filtered(text(&rendered))),
                None => Value::from(self.render_filtered(self.render_name())),
            },
            "quoted" => Value::from(quote_identifier(&arguments.text("identifier")?)),
            "matches" => {
                let given = PARTS.map(|part| arguments.optional(part));
                Value::from(self.matches([0, 1, 2].map(|index| given[index].as_ref().and_then(Value::as_str)))?)
            }
            "get" => {
                let key = arguments.required("key")?;
                let default = arguments.given("default").unwrap_or_else(none);
                key.as_str().and_then(|key| self.attribute(key)).unwrap_or(default)
            }
            "add_ephemeral_prefix" => Value::from(format!("__dbt__cte__{}", arguments.text("name")?)),
            "get_relation_type" => Value::from(type_word(&arguments.required("type")?)?),
            "needs_to_drop" => {
                let old = arguments.required("old_relation")?;
                Value::from(Self::from_value(&old).is_some_and(|old| self.needs_to_drop(&old)))
            }
            "get_ddl_prefix_for_alter" => Value::from(if self.is_iceberg { "iceberg" } else { "" }),
            _ => return Err(Error::from(ErrorKind::UnknownMethod)),
        };
        arguments.finish()?;
        Ok(answer)
    }

    /// Whether what stands there has to go before a table of this kind can take its place.
    fn needs_to_drop(&self, old: &Self) -> bool {
        old.relation_type != Some(RelationType::Table.as_str()) || old.is_iceberg != self.is_iceberg
    }
}
