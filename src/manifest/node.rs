//! The things that a manifest holds.

use super::config::{ConfigMap, NodeConfig};
use super::constraint::Constraint;
use super::deferral::DeferRelation;
use super::unit_test::UnitTest;
use crate::diagnostic::{SourceFile, Span};
use crate::name::{RelationName, ResourceType, UniqueId};
use crate::project::properties::ModelVersion;
use crate::project::yaml::Yaml;
use indexmap::IndexMap;
use serde_json::Value;
use std::sync::Arc;

/// A model, seed, snapshot, test, analysis or operation.
#[derive(Debug, Clone)]
pub struct Node {
    /// `model.shop.orders`.
    pub unique_id: UniqueId,
    /// What kind of node it is.
    pub resource_type: ResourceType,
    /// The name by which `ref()` finds it.
    pub name: String,
    /// The package that it belongs to.
    pub package_name: String,
    /// The path within its resource directory: `staging/stg_orders.sql`.
    pub path: String,
    /// The path within its package: `models/staging/stg_orders.sql`.
    pub original_file_path: String,
    /// Package, directories, name: what selectors and config trees match.
    pub fqn: Vec<String>,
    /// The file whose text `raw_code` is (for generic tests: the macro's call as text of its own).
    pub file: Arc<SourceFile>,
    /// The Jinja SQL as written; empty for seeds.
    pub raw_code: Arc<str>,
    /// Where `raw_code` stands in `file`, in bytes: the whole of it, or a snapshot block's body.
    pub code_range: std::ops::Range<usize>,
    /// Where the node is declared: the file's first line, the block's tag or the YAML entry.
    pub declared_at: Span,
    /// The name of the relation in the warehouse.
    pub alias: String,
    /// The schema.
    pub schema: String,
    /// The database.
    pub database: Option<String>,
    /// Where the node lives in the warehouse; none for ephemeral models, tests that store nothing, operations.
    pub relation_name: Option<RelationName>,
    /// The merged config.
    pub config: NodeConfig,
    /// The config as written, Jinja not rendered: what `state:modified` and artifacts show.
    pub unrendered_config: ConfigMap,
    /// The description, docs blocks filled in.
    pub description: String,
    /// Declared columns by name.
    pub columns: IndexMap<String, Column>,
    /// Declared constraints of the model as a whole.
    pub constraints: Vec<Constraint>,
    /// dbt's checksum of the contract, where one is enforced.
    pub contract_checksum: Option<String>,
    /// The properties file that describes the node: `shop://models/schema.yml`.
    pub patch_path: Option<String>,
    /// What it needs, found by parse.
    pub depends_on: DependsOn,
    /// The `ref()` calls in order.
    pub refs: Vec<RefCall>,
    /// The `source()` calls in order.
    pub sources: Vec<SourceCall>,
    /// SHA-256 of the file's content, hexadecimal.
    pub checksum: String,
    /// For generic tests: what is tested.
    pub test: Option<TestMetadata>,
    /// For unit tests: what goes in and what should come out.
    pub unit_test: Option<Arc<UnitTest>>,
    /// For a model that has versions: which one it is.
    pub version: Option<ModelVersion>,
    /// For operations: the position in its hook list, and `on-run-start` or `on-run-end`.
    pub hook_index: Option<usize>,
    /// Where it lives in another environment, if the command was told of one.
    pub defer_relation: Option<Arc<DeferRelation>>,
}

impl Node {
    /// Whether it is a model that only lives inside others.
    pub fn is_ephemeral(&self) -> bool {
        self.resource_type == ResourceType::Model
            && self.config.materialized() == super::config::Materialized::Ephemeral
    }

    /// The names by which `ref()` finds it: a model's latest version goes by its plain name as well.
    pub fn reference_names(&self) -> Vec<String> {
        match &self.version {
            None => vec![self.name.clone()],
            Some(version) => {
                let versioned = format!("{}.{}", self.name, version.suffix());
                if version.is_latest() { vec![versioned, self.name.clone()] } else { vec![versioned] }
            }
        }
    }

    /// Whether it becomes a table or view.
    pub fn is_relational(&self) -> bool {
        matches!(self.resource_type, ResourceType::Model | ResourceType::Seed | ResourceType::Snapshot)
            && !self.is_ephemeral()
    }
}

/// A declared column of a node or source.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Column {
    /// Its name as declared.
    pub name: String,
    /// The description, docs blocks filled in.
    pub description: String,
    /// The type, if declared.
    pub data_type: Option<String>,
    /// Free values.
    pub meta: ConfigMap,
    /// Tags, which tests on the column inherit.
    pub tags: Vec<String>,
    /// Whether the name must be quoted.
    pub quote: Option<bool>,
    /// Declared constraints.
    pub constraints: Vec<Constraint>,
}

/// The ids that a node needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DependsOn {
    /// Nodes and sources, in the order of first use, each once.
    pub nodes: Vec<UniqueId>,
    /// Macros, in the order of first use, each once.
    pub macros: Vec<UniqueId>,
}

/// One `ref()` call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefCall {
    /// The package, where one was given.
    pub package: Option<String>,
    /// The name.
    pub name: String,
    /// The version, where one was given.
    pub version: Option<String>,
    /// Where the call stands, if it stands in the node's own file.
    pub span: Option<Span>,
}

impl RefCall {
    /// The name under which the node is looked up: `orders`, or `orders.v2`.
    pub fn looked_up(&self) -> String {
        match &self.version {
            Some(version) => format!("{}.v{version}", self.name),
            None => self.name.clone(),
        }
    }
}

/// One `source()` call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceCall {
    /// The source's name.
    pub source_name: String,
    /// The table's name.
    pub table_name: String,
    /// Where the call stands, if it stands in the node's own file.
    pub span: Option<Span>,
}

/// What a generic test tests.
#[derive(Debug, Clone, PartialEq)]
pub struct TestMetadata {
    /// The test's name: `unique`.
    pub name: String,
    /// The package that is named before it: `dbt_utils` in `dbt_utils.expression_is_true`.
    pub namespace: Option<String>,
    /// The arguments as given, `model` and `column_name` included.
    pub kwargs: IndexMap<String, Value>,
    /// The column, for a test on a column.
    pub column_name: Option<String>,
    /// The node or source that the test stands at.
    pub attached_node: Option<UniqueId>,
}

/// A table that something else loads, or that an extract model fetches.
#[derive(Debug, Clone)]
pub struct Source {
    /// `source.shop.crm.customers`.
    pub unique_id: UniqueId,
    /// The package.
    pub package_name: String,
    /// The source's name: `crm`.
    pub source_name: String,
    /// The table's name: `customers`.
    pub name: String,
    /// The table's name in the warehouse.
    pub identifier: String,
    /// Where it lives, as artifacts show it.
    pub relation_name: RelationName,
    /// What `source()` gives: the same, but as in dbt the project's `quoting:` does not count here.
    pub relation: RelationName,
    /// Package, directories, source, table.
    pub fqn: Vec<String>,
    /// The path of the properties file within its package.
    pub original_file_path: String,
    /// Where the table is declared.
    pub declared_at: Span,
    /// The table's description.
    pub description: String,
    /// The source's description.
    pub source_description: String,
    /// What loads it, in words.
    pub loader: String,
    /// The column that says when a row was loaded.
    pub loaded_at_field: Option<String>,
    /// A query of one value, when it was loaded, before the field in rank; Jinja in it is rendered when used.
    pub loaded_at_query: Option<String>,
    /// When it counts as old; none where that was switched off.
    pub freshness: Option<SourceFreshness>,
    /// Declared columns by name.
    pub columns: IndexMap<String, Column>,
    /// The merged config (`enabled`, `meta`, `tags`, …).
    pub config: NodeConfig,
    /// `external:`, how the table is made from files. strata makes none: packages read it.
    pub external: Option<ConfigMap>,
    /// The system to fetch from, as written in `connector:` of the source; Jinja in it is rendered when used.
    pub connector: Option<Arc<Yaml>>,
    /// What to fetch, as written in `extract:` of the table.
    pub extract: Option<Arc<Yaml>>,
}

impl Source {
    /// Whether there is a threshold by which its age can be judged.
    pub fn has_freshness(&self) -> bool {
        self.freshness.as_ref().is_some_and(|given| given.warn_after.is_some() || given.error_after.is_some())
    }

    /// `crm.customers`, as people call it.
    pub fn full_name(&self) -> String {
        format!("{}.{}", self.source_name, self.name)
    }

    /// `external:` as dbt's manifest shows it: the keys that every external table has, and those that were given.
    pub fn external_shape(&self) -> Option<ConfigMap> {
        let given = self.external.as_ref()?;
        let keys = ["location", "file_format", "row_format", "tbl_properties", "partitions"];
        let mut shape: ConfigMap = keys.iter().map(|key| ((*key).to_owned(), Value::Null)).collect();
        shape.extend(given.clone());
        Some(shape)
    }
}

/// When a source counts as old.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SourceFreshness {
    /// Count and period (`minute`, `hour`, `day`) after which to warn.
    pub warn_after: Option<(u64, String)>,
    /// Count and period after which it is an error.
    pub error_after: Option<(u64, String)>,
    /// A condition on the rows that are looked at.
    pub filter: Option<String>,
}

/// A macro as artifacts show it; the callable one lives in `jinja`.
#[derive(Debug, Clone)]
pub struct MacroEntry {
    /// `macro.dbt_utils.star`.
    pub unique_id: UniqueId,
    /// The package.
    pub package_name: String,
    /// The name, with dbt's prefix for tests and materializations.
    pub name: String,
    /// The path within its package.
    pub original_file_path: String,
    /// The text from `{% macro` to `%}` of the end tag.
    pub span: Span,
    /// Macros that it calls.
    pub depends_on: Vec<UniqueId>,
    /// The description.
    pub description: String,
    /// Free values.
    pub meta: ConfigMap,
    /// Declared arguments.
    pub arguments: Vec<MacroArgument>,
}

/// A documented argument of a macro.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MacroArgument {
    /// Its name.
    pub name: String,
    /// Its type in words.
    pub data_type: Option<String>,
    /// What it is for.
    pub description: String,
}

/// A `{% docs %}` block.
#[derive(Debug, Clone)]
pub struct DocBlock {
    /// `doc.shop.orders`.
    pub unique_id: UniqueId,
    /// The package.
    pub package_name: String,
    /// The name.
    pub name: String,
    /// The path within its package.
    pub original_file_path: String,
    /// The text.
    pub block_contents: String,
}

#[cfg(test)]
impl Node {
    /// A node for tests: `resource.package.name`, with these parents and an empty text.
    pub(crate) fn example(unique_id: &str, parents: &[&str]) -> Self {
        use ResourceType::{Model, Seed, Snapshot, Test, UnitTest};
        let mut parts = unique_id.splitn(3, '.');
        let resource = parts.next().unwrap_or_default();
        let package = parts.next().unwrap_or_default().to_owned();
        let name = parts.next().unwrap_or_default().to_owned();
        let kinds = [Model, Seed, Snapshot, Test, UnitTest];
        let resource_type = kinds.into_iter().find(|kind| kind.as_str() == resource).unwrap_or(ResourceType::Analysis);
        let file = SourceFile::new(format!("models/{name}.sql"), "");
        Self {
            unique_id: unique_id.into(),
            resource_type,
            path: format!("{name}.sql"),
            original_file_path: format!("models/{name}.sql"),
            fqn: vec![package.clone(), name.clone()],
            declared_at: Span::whole(&file),
            file,
            raw_code: "".into(),
            code_range: 0..0,
            alias: name.clone(),
            schema: "main".to_owned(),
            database: None,
            relation_name: Some(RelationName::new(None, "main", &name, crate::name::Quoting::ALL)),
            config: NodeConfig::default(),
            unrendered_config: ConfigMap::new(),
            description: String::new(),
            columns: IndexMap::new(),
            constraints: vec![],
            contract_checksum: None,
            patch_path: None,
            depends_on: DependsOn { nodes: parents.iter().map(|id| UniqueId::from(*id)).collect(), macros: vec![] },
            refs: vec![],
            sources: vec![],
            checksum: String::new(),
            test: None,
            version: None,
            unit_test: None,
            hook_index: None,
            defer_relation: None,
            package_name: package,
            name,
        }
    }
}
