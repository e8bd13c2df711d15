//! Node configs: the merged values as dbt's Jinja sees them, and typed access to what strata itself reads.

use serde_json::{Map, Value};
use std::borrow::Cow;

/// Config values by key, in the order in which they were set.
pub type ConfigMap = Map<String, Value>;

/// The merged config of a node. Values are kept as given, since macros read any key; the accessors give
/// the keys that strata reads. `parse` checks their types once, so an accessor falls back to the default.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NodeConfig {
    values: ConfigMap,
}

/// How a model becomes a relation, for those that strata treats in a way of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Materialized {
    /// `view`
    View,
    /// `table`
    Table,
    /// `incremental`
    Incremental,
    /// `ephemeral`: a CTE in the models that refer to it.
    Ephemeral,
    /// `extract`: fetched from a source system.
    Extract,
    /// `scd2`: a slowly changing dimension.
    Scd2,
    /// `control`: a table that strata keeps itself.
    Control,
    /// `seed`
    Seed,
    /// `snapshot`
    Snapshot,
    /// `test`
    Test,
    /// A materialization of the project or a package.
    Custom(String),
}

impl Materialized {
    /// The word in configs.
    pub fn as_str(&self) -> &str {
        match self {
            Self::View => "view",
            Self::Table => "table",
            Self::Incremental => "incremental",
            Self::Ephemeral => "ephemeral",
            Self::Extract => "extract",
            Self::Scd2 => "scd2",
            Self::Control => "control",
            Self::Seed => "seed",
            Self::Snapshot => "snapshot",
            Self::Test => "test",
            Self::Custom(name) => name,
        }
    }
}

impl From<&str> for Materialized {
    fn from(word: &str) -> Self {
        match word {
            "view" => Self::View,
            "table" => Self::Table,
            "incremental" => Self::Incremental,
            "ephemeral" => Self::Ephemeral,
            "extract" => Self::Extract,
            "scd2" => Self::Scd2,
            "control" => Self::Control,
            "seed" => Self::Seed,
            "snapshot" => Self::Snapshot,
            "test" => Self::Test,
            other => Self::Custom(other.to_owned()),
        }
    }
}

/// What an incremental or extract model does when the query's columns differ from the table's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnSchemaChange {
    /// Keep the table's columns.
    Ignore,
    /// Stop with an error.
    Fail,
    /// Add the new ones.
    AppendNewColumns,
    /// Add the new ones, drop the gone ones.
    SyncAllColumns,
}

/// SQL that runs before or after a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// Jinja SQL, rendered when the node runs.
    pub sql: String,
    /// Whether it runs inside the model's transaction (dbt's default).
    pub transaction: bool,
}

impl NodeConfig {
    /// A config of these values.
    pub fn new(values: ConfigMap) -> Self {
        Self { values }
    }

    /// All values, as Jinja and artifacts show them.
    pub fn values(&self) -> &ConfigMap {
        &self.values
    }

    /// All values, for `parse` while it merges.
    pub fn values_mut(&mut self) -> &mut ConfigMap {
        &mut self.values
    }

    /// The value of a key; absent and null are the same.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.values.get(key).filter(|value| !value.is_null())
    }

    /// The value of a key that is a text.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.get(key)?.as_str()
    }

    /// The value of a key that is true or false.
    pub fn flag(&self, key: &str) -> Option<bool> {
        self.get(key)?.as_bool()
    }

    /// The value of a key that is a list of texts, or one text that stands for a list of one.
    pub fn texts(&self, key: &str) -> Vec<Cow<'_, str>> {
        match self.get(key) {
            Some(Value::Array(items)) => items
                .iter()
                .map(|item| item.as_str().map_or_else(|| Cow::Owned(item.to_string()), Cow::Borrowed))
                .collect(),
            Some(Value::String(text)) => vec![Cow::Borrowed(text)],
            _ => vec![],
        }
    }

    /// Whether the node takes part at all.
    pub fn enabled(&self) -> bool {
        self.flag("enabled").unwrap_or(true)
    }

    /// How the node becomes a relation.
    pub fn materialized(&self) -> Materialized {
        self.text("materialized").unwrap_or("view").into()
    }

    /// The tags.
    pub fn tags(&self) -> Vec<Cow<'_, str>> {
        self.texts("tags")
    }

    /// The hooks under `pre-hook` or `post-hook`.
    pub fn hooks(&self, key: &str) -> Vec<Hook> {
        let one = |value: &Value| match value {
            Value::String(sql) => Some(Hook { sql: sql.clone(), transaction: true }),
            Value::Object(map) => Some(Hook {
                sql: map.get("sql")?.as_str()?.to_owned(),
                transaction: map.get("transaction").and_then(Value::as_bool).unwrap_or(true),
            }),
            _ => None,
        };
        match self.get(key) {
            Some(Value::Array(items)) => items.iter().filter_map(one).collect(),
            Some(value) => one(value).into_iter().collect(),
            None => vec![],
        }
    }

    /// The columns that name a row: `unique_key` as a list.
    pub fn unique_key(&self) -> Vec<Cow<'_, str>> {
        self.texts("unique_key")
    }

    /// What to do about changed columns.
    pub fn on_schema_change(&self) -> OnSchemaChange {
        match self.text("on_schema_change") {
            Some("fail") => OnSchemaChange::Fail,
            Some("append_new_columns") => OnSchemaChange::AppendNewColumns,
            Some("sync_all_columns") => OnSchemaChange::SyncAllColumns,
            _ => OnSchemaChange::Ignore,
        }
    }

    /// The SQL dialect in which the model is written, if it is not the target's own.
    pub fn dialect(&self) -> Option<&str> {
        self.text("dialect")
    }
}
