//! Unit tests: what a model is given in place of its parents, and what it should make of that.

use super::config::ConfigMap;
use crate::diagnostic::{SourceFile, Span};
use crate::name::UniqueId;
use crate::project::properties::{FixtureFormat, VersionNumber};
use serde_json::{Map, Value};
use std::ops::Range;
use std::sync::Arc;

/// What goes into a model, and what should come out.
#[derive(Debug, Clone)]
pub struct UnitTest {
    /// The model's name as written.
    pub model: String,
    /// The model; for a model that has versions, the version that is tested.
    pub tested: Option<UniqueId>,
    /// What the model reads instead of its parents.
    pub given: Vec<Given>,
    /// The rows that it should give.
    pub expect: Fixture,
    /// What templates see instead of the project's values.
    pub overrides: Option<Overrides>,
    /// Which versions were chosen.
    pub versions: Option<Versions>,
    /// The version of the tested model, if it has versions.
    pub version: Option<VersionNumber>,
}

/// One input.
#[derive(Debug, Clone)]
pub struct Given {
    /// As written: `ref('orders')`, `source('crm', 'customers')` or `this`.
    pub input: String,
    /// Where that stands.
    pub span: Span,
    /// The node or source that is meant (for `this` the tested model); none if there is none.
    pub target: Option<UniqueId>,
    /// Its rows.
    pub fixture: Fixture,
}

impl Given {
    /// Whether it stands for the tested model itself, as it was before the run.
    pub fn is_this(&self) -> bool {
        self.input.trim() == "this"
    }
}

/// Rows by column.
pub type Records = Vec<Map<String, Value>>;

/// The rows of an input, or those expected.
#[derive(Debug, Clone)]
pub struct Fixture {
    /// How they are written.
    pub format: FixtureFormat,
    /// The rows.
    pub rows: Rows,
    /// The name of the file that has them.
    pub file_name: Option<String>,
    /// Where the rows, or the file's name, stand in the properties file.
    pub span: Span,
}

/// Rows, read.
#[derive(Debug, Clone)]
pub enum Rows {
    /// Values by column.
    Records(Records),
    /// A query: a text, and the part of it that counts.
    Query(Arc<SourceFile>, Range<usize>),
}

impl Rows {
    /// As artifacts show them.
    pub fn json(&self) -> Value {
        match self {
            Self::Records(records) => records.iter().cloned().map(Value::Object).collect(),
            Self::Query(file, _) => Value::from(&**file.text()),
        }
    }

    /// The text, if they are a query.
    pub fn query(&self) -> Option<&str> {
        match self {
            Self::Records(_) => None,
            Self::Query(file, range) => Some(&file.text()[range.clone()]),
        }
    }
}

/// What templates see instead of the project's values.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Overrides {
    /// What macros give, by name or by `package.name`.
    pub macros: ConfigMap,
    /// Variables by name.
    pub variables: ConfigMap,
    /// Environment variables by name.
    pub environment: ConfigMap,
}

/// Which versions of a model are tested.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Versions {
    /// Only these.
    pub include: Option<Vec<Value>>,
    /// All but these.
    pub exclude: Option<Vec<Value>>,
}

impl UnitTest {
    /// What counts as its content: `model`, `given`, `expect`, `overrides` and `versions` as artifacts show them.
    pub fn content(&self) -> Map<String, Value> {
        let fixture = |fixture: &Fixture| {
            Map::from_iter([
                ("rows".to_owned(), fixture.rows.json()),
                ("format".to_owned(), Value::from(fixture.format.as_str())),
                ("fixture".to_owned(), Value::from(fixture.file_name.clone())),
            ])
        };
        let given = self.given.iter().map(|given| {
            let mut shape = Map::from_iter([("input".to_owned(), Value::from(given.input.as_str()))]);
            shape.extend(fixture(&given.fixture));
            Value::Object(shape)
        });
        let overrides = self.overrides.as_ref().map(|overrides| {
            let Overrides { macros, variables, environment } = overrides;
            Value::Object(Map::from_iter(
                [("macros", macros), ("vars", variables), ("env_vars", environment)]
                    .map(|(key, values)| (key.to_owned(), Value::Object(values.clone()))),
            ))
        });
        let versions = self.versions.as_ref().map(|versions| {
            Value::Object(Map::from_iter([
                ("include".to_owned(), Value::from(versions.include.clone())),
                ("exclude".to_owned(), Value::from(versions.exclude.clone())),
            ]))
        });
        Map::from_iter([
            ("model".to_owned(), Value::from(self.model.as_str())),
            ("given".to_owned(), given.collect()),
            ("expect".to_owned(), Value::Object(fixture(&self.expect))),
            ("overrides".to_owned(), Value::from(overrides)),
            ("versions".to_owned(), Value::from(versions)),
        ])
    }
}
