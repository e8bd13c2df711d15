//! What a command leaves behind under `target/`, in the shapes that dbt's tools read, and how it is read back.
//!
//! `manifest.json` (v12), `run_results.json` (v6), `sources.json` (v3) and `catalog.json` (v1) are written whole or not
//! at all; `journal.jsonl` grows line by line while nodes end, so that `retry` knows what was done even after the
//! process was killed.
//! The serialised shapes live only here.

mod catalog;
mod config_shape;
mod deferral;
mod journal;
mod manifest_shape;
mod node_shape;
mod previous;
mod run_results;
mod sources;
mod tree;
mod unit_test_shape;

pub use catalog::write_catalog;
pub use deferral::defer_relations;
pub use journal::{Journal, JournalHead, PreviousJournal, read_journal};
pub use manifest_shape::{node_document, write_manifest};
pub use previous::{PreviousResult, PreviousRun, read_manifest, read_previous_run};
pub use run_results::write_run_results;
pub use sources::{read_sources, write_sources};
pub use tree::{TargetTree, relative_output_path};

use crate::diagnostic::{Code, Diagnostic};
use crate::project::DBT_VERSION;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// One call of the program: what every artifact says about its origin.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// A UUID.
    pub id: String,
    /// When the program was started.
    pub started_at: DateTime<Utc>,
    /// The same moment on the clock that only goes forward; what happens later is measured from it.
    pub started: Instant,
    /// The project's name.
    pub project_name: String,
    /// `duckdb` or `snowflake`.
    pub adapter_type: String,
    /// The directory of `dbt_project.yml`.
    pub project_root: PathBuf,
    /// The target directory as configured, relative to the project's root: `target`.
    pub target_path: PathBuf,
    /// The values of `DBT_ENV_CUSTOM_ENV_*`, by the rest of the name.
    pub custom_environment: BTreeMap<String, String>,
    /// The resolved options, as `args` in `run_results.json`.
    pub options: Map<String, Value>,
}

impl Invocation {
    /// The present moment, by the clock that was read once at the start.
    pub fn now(&self) -> DateTime<Utc> {
        self.at(self.started.elapsed())
    }

    /// The moment `since` after the start.
    pub fn at(&self, since: Duration) -> DateTime<Utc> {
        self.started_at + chrono::Duration::from_std(since).unwrap_or_default()
    }

    /// Where a file of the target directory lies on disk.
    pub fn in_target(&self, name: &str) -> PathBuf {
        self.project_root.join(&self.target_path).join(name)
    }

    /// The part of `metadata` that all artifacts share.
    fn metadata(&self, schema: &str) -> Value {
        json!({
            "dbt_schema_version": format!("https://schemas.getdbt.com/dbt/{schema}.json"),
            // Tools choose their parser by the version of dbt-core whose artifacts these are.
            "dbt_version": DBT_VERSION,
            "generated_at": timestamp(self.now()),
            "invocation_id": self.id,
            "invocation_started_at": timestamp(self.started_at),
            "env": self.custom_environment,
        })
    }
}

/// A moment as artifacts and log lines write it.
pub(crate) fn timestamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// Writes a JSON file so that it is there whole or not at all: into a temporary file beside it, then a rename.
pub(crate) fn write_json(path: &Path, document: &impl Serialize) -> Result<(), Diagnostic> {
    write_whole(path, |output| serde_json::to_writer(output, document).map_err(std::io::Error::from))
}

/// Lets `fill` write a file that appears under `path` only when all of it is on disk.
pub(crate) fn write_whole(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<File>) -> std::io::Result<()>,
) -> Result<(), Diagnostic> {
    let attempt = || {
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        // The process id keeps two runs over one target directory from writing into one temporary file.
        let mut name = path.file_name().unwrap_or_default().to_os_string();
        name.push(format!(".{}.tmp", std::process::id()));
        let temporary = path.with_file_name(name);
        let mut output = BufWriter::new(File::create(&temporary)?);
        let filled = fill(&mut output).and_then(|()| output.flush()).and_then(|()| output.get_ref().sync_all());
        match filled {
            Ok(()) => fs::rename(&temporary, path),
            Err(error) => {
                // The file is unfinished; that it may also not be removable changes nothing about the error.
                let _ = fs::remove_file(&temporary);
                Err(error)
            }
        }
    };
    attempt().map_err(|error| cannot_write(path, &error))
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Diagnostic {
    Diagnostic::error(Code::Io, format!("cannot write `{}`: {error}", path.display()))
        .help("check that the directory is writable and the disk has room, or choose another with --target-path")
}

#[cfg(test)]
pub(crate) mod fixture {
    //! A small manifest, made by hand, for the tests of this module and of `report`.
    #![expect(clippy::unwrap_used, reason = "a broken fixture should stop the test")]

    use super::*;
    use crate::diagnostic::{SourceFile, Span};
    use crate::manifest::{
        Column, DependsOn, DocBlock, MacroArgument, MacroEntry, Manifest, Node, NodeConfig, RefCall, Source,
        SourceCall, SourceFreshness, TestMetadata,
    };
    use crate::name::{Quoting, RelationName, ResourceType, UniqueId};
    use indexmap::IndexMap;

    /// An invocation at a fixed time in `root`.
    pub(crate) fn invocation(root: &Path) -> Invocation {
        Invocation {
            id: "00000000-0000-4000-8000-000000000001".into(),
            started_at: DateTime::from_timestamp(1_767_225_600, 0).unwrap(),
            started: Instant::now(),
            project_name: "shop".into(),
            adapter_type: "duckdb".into(),
            project_root: root.to_owned(),
            target_path: "target".into(),
            custom_environment: BTreeMap::from([("TEAM".to_owned(), "crm".to_owned())]),
            options: json!({"which": "build", "select": ["stg_orders+"]}).as_object().unwrap().clone(),
        }
    }

    /// A node with a relation, without config and parents.
    pub(crate) fn node(resource_type: ResourceType, name: &str, path: &str, sql: &str) -> Node {
        let directory = match resource_type {
            ResourceType::Seed => "seeds",
            ResourceType::Test => "tests",
            _ => "models",
        };
        let original = format!("{directory}/{path}");
        let file = SourceFile::new(original.as_str(), sql);
        Node {
            unique_id: UniqueId::new(resource_type, "shop", name),
            resource_type,
            name: name.into(),
            package_name: "shop".into(),
            path: path.into(),
            original_file_path: original,
            fqn: vec!["shop".into(), name.into()],
            declared_at: Span::new(&file, 0..0),
            raw_code: std::sync::Arc::clone(file.text()),
            code_range: 0..sql.len(),
            file,
            alias: name.into(),
            schema: "dev".into(),
            database: Some("shop".into()),
            relation_name: (resource_type != ResourceType::Test)
                .then(|| RelationName::new(Some("shop"), "dev", name, Quoting::ALL)),
            config: NodeConfig::default(),
            unrendered_config: Map::new(),
            description: String::new(),
            columns: IndexMap::new(),
            constraints: vec![],
            contract_checksum: None,
            patch_path: None,
            depends_on: DependsOn::default(),
            refs: vec![],
            sources: vec![],
            checksum: "c0ffee".into(),
            test: None,
            version: None,
            unit_test: None,
            hook_index: None,
            defer_relation: None,
        }
    }

    /// A seed, two models, a test of each kind, a source, a macro, a docs block, a disabled model.
    pub(crate) fn manifest() -> Manifest {
        let mut manifest =
            Manifest { project_name: "shop".into(), adapter_type: "duckdb".into(), ..Manifest::default() };
        let seed = node(ResourceType::Seed, "orders", "orders.csv", "");
        let mut staging =
            node(ResourceType::Model, "stg_orders", "staging/stg_orders.sql", "select * from {{ ref('orders') }}");
        staging.config = NodeConfig::new(
            json!({"materialized": "table", "tags": ["nightly"], "meta": {"owner": "crm"}, "unique_key": "id"})
                .as_object()
                .unwrap()
                .clone(),
        );
        staging.unrendered_config = staging.config.values().clone();
        staging.description = "Orders, cleaned.".into();
        staging.patch_path = Some("shop://models/schema.yml".into());
        staging.depends_on.nodes = vec![seed.unique_id.clone()];
        staging.refs = vec![RefCall { package: None, name: "orders".into(), version: None, span: None }];
        let column = Column { name: "id".into(), data_type: Some("int".into()), ..Column::default() };
        staging.columns.insert("id".into(), column.clone());
        let mut total = node(ResourceType::Model, "total", "total.sql", "select 1");
        total.depends_on.nodes = vec![staging.unique_id.clone(), "source.shop.crm.customers".into()];
        total.depends_on.macros = vec!["macro.shop.cents".into()];
        total.sources = vec![SourceCall { source_name: "crm".into(), table_name: "customers".into(), span: None }];
        let mut tests = vec![node(ResourceType::Test, "positive", "positive.sql", "select 1")];
        for name in ["unique", "not_null"] {
            let mut test = node(ResourceType::Test, &format!("{name}_stg_orders_id"), "", "");
            test.path = format!("{name}_stg_orders_id.sql");
            test.original_file_path = "models/schema.yml".into();
            test.depends_on.nodes = vec![staging.unique_id.clone()];
            test.test = Some(TestMetadata {
                name: name.into(),
                namespace: None,
                kwargs: IndexMap::from([("column_name".to_owned(), json!("id"))]),
                column_name: Some("id".into()),
                attached_node: Some(staging.unique_id.clone()),
            });
            tests.push(test);
        }
        let mut off = node(ResourceType::Model, "off", "off.sql", "select 1");
        off.config.values_mut().insert("enabled".into(), json!(false));
        manifest.disabled.insert(off.unique_id.clone(), off);
        for node in [seed, staging, total].into_iter().chain(tests) {
            manifest.nodes.insert(node.unique_id.clone(), node);
        }
        declare_others(&mut manifest, column);
        manifest
    }

    /// What is no node: a source, a macro, a docs block.
    fn declare_others(manifest: &mut Manifest, column: Column) {
        let yaml = SourceFile::new("models/schema.yml", "sources: [crm]");
        let source = Source {
            unique_id: "source.shop.crm.customers".into(),
            package_name: "shop".into(),
            source_name: "crm".into(),
            name: "customers".into(),
            identifier: "customers".into(),
            relation_name: RelationName::new(Some("shop"), "raw", "customers", Quoting::ALL),
            relation: RelationName::new(Some("shop"), "raw", "customers", Quoting::ALL),
            fqn: vec!["shop".into(), "crm".into(), "customers".into()],
            original_file_path: "models/schema.yml".into(),
            declared_at: Span::whole(&yaml),
            description: "Customers".into(),
            source_description: "The CRM".into(),
            loader: String::new(),
            loaded_at_field: Some("loaded_at".into()),
            loaded_at_query: None,
            freshness: Some(SourceFreshness { warn_after: Some((1, "day".into())), error_after: None, filter: None }),
            columns: IndexMap::from([("id".to_owned(), column)]),
            config: NodeConfig::default(),
            external: None,
            connector: None,
            extract: None,
        };
        manifest.sources.insert(source.unique_id.clone(), source);
        let text = SourceFile::new("macros/cents.sql", "{% macro cents() %}100{% endmacro %}");
        let entry = MacroEntry {
            unique_id: "macro.shop.cents".into(),
            package_name: "shop".into(),
            name: "cents".into(),
            original_file_path: "macros/cents.sql".into(),
            span: Span::whole(&text),
            depends_on: vec![],
            description: String::new(),
            meta: Map::new(),
            arguments: vec![MacroArgument { name: "column".into(), data_type: None, description: "which".into() }],
        };
        manifest.macros.insert(entry.unique_id.clone(), entry);
        let doc = DocBlock {
            unique_id: "doc.shop.orders".into(),
            package_name: "shop".into(),
            name: "orders".into(),
            original_file_path: "models/docs.md".into(),
            block_contents: "All orders.".into(),
        };
        manifest.docs.insert(doc.unique_id.clone(), doc);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_could_not_be_filled_leaves_the_former_one() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("deep/run_results.json");
        write_json(&path, &1).expect("written");
        let failed = write_whole(&path, |output| {
            output.write_all(b"half")?;
            Err(std::io::Error::other("disk full"))
        });
        assert!(failed.expect_err("it failed").message().contains("disk full"));
        assert_eq!(fs::read_to_string(&path).expect("still there"), "1");
        assert_eq!(fs::read_dir(path.parent().expect("a parent")).expect("listed").count(), 1);
    }
}
