//! Properties YAML (`schema.yml` and its like), typed.

mod constraint;
mod source;
mod unit_test;
mod version;

pub use constraint::{ConstraintKind, ConstraintProperties};
pub use source::{FreshnessProperties, SourceProperties, TableProperties, freshness_from_config};
pub use unit_test::{
    FixtureFormat, FixtureProperties, GivenProperties, OverrideProperties, UnitTestProperties, VersionChoice,
};
pub use version::{ModelVersion, VersionNumber, VersionProperties};

use super::config::is_hook_key;
use super::yaml::{self, Entry, Found, Reader, Yaml};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Result, SourceFile, Span};
use crate::template::{Templates, has_jinja};
use constraint::Level;
use serde_json::{Map, Value as Json};
use std::sync::Arc;

/// What one properties file says.
#[derive(Debug, Clone, Default)]
pub struct Properties {
    /// The file's path within its package.
    pub original_file_path: String,
    /// The file's path within its resource directory.
    pub path: String,
    /// Models, seeds, snapshots, analyses and singular tests.
    pub nodes: Vec<NodeProperties>,
    /// Sources.
    pub sources: Vec<SourceProperties>,
    /// Macros.
    pub macros: Vec<MacroProperties>,
    /// Unit tests.
    pub unit_tests: Vec<UnitTestProperties>,
}

/// Under which key a node is described.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Section {
    /// `models:`
    Models,
    /// `seeds:`
    Seeds,
    /// `snapshots:`
    Snapshots,
    /// `analyses:`
    Analyses,
    /// `data_tests:` at the top of a file: singular tests.
    DataTests,
}

impl Section {
    /// The key.
    pub fn key(self) -> &'static str {
        match self {
            Self::Models => "models",
            Self::Seeds => "seeds",
            Self::Snapshots => "snapshots",
            Self::Analyses => "analyses",
            Self::DataTests => "data_tests",
        }
    }

    /// One of them, in words.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Models => "model",
            Self::Seeds => "seed",
            Self::Snapshots => "snapshot",
            Self::Analyses => "analysis",
            Self::DataTests => "data test",
        }
    }
}

/// What is said of a node.
#[derive(Debug, Clone)]
pub struct NodeProperties {
    /// Under which key.
    pub section: Section,
    /// The node's name.
    pub name: String,
    /// Where the name stands.
    pub name_span: Span,
    /// Where the entry stands.
    pub span: Span,
    /// The description, Jinja not rendered.
    pub description: String,
    /// Columns in order.
    pub columns: Vec<ColumnProperties>,
    /// `config:` and the keys beside it that belong there, rendered.
    pub config: Map<String, Json>,
    /// Where each config key stands.
    pub config_places: Vec<(String, Span)>,
    /// The same as written.
    pub unrendered_config: Map<String, Json>,
    /// Tests of the node as a whole, Jinja not rendered.
    pub data_tests: Vec<Yaml>,
    /// Constraints of the model as a whole.
    pub constraints: Vec<ConstraintProperties>,
    /// For snapshots in YAML: `ref('orders')`, and where it stands.
    pub relation: Option<(String, Span)>,
    /// For an entry under `versions:` of a model: which one. The rest is what is said of that version.
    pub version: Option<VersionProperties>,
}

/// What is said of a column.
#[derive(Debug, Clone)]
pub struct ColumnProperties {
    /// The column's name.
    pub name: String,
    /// The description, Jinja not rendered.
    pub description: String,
    /// The type.
    pub data_type: Option<String>,
    /// Free values.
    pub meta: Map<String, Json>,
    /// Tags.
    pub tags: Vec<String>,
    /// Whether the name must be quoted.
    pub quote: Option<bool>,
    /// Tests of the column, Jinja not rendered.
    pub data_tests: Vec<Yaml>,
    /// Constraints of the column.
    pub constraints: Vec<ConstraintProperties>,
}

/// What is said of a macro.
#[derive(Debug, Clone)]
pub struct MacroProperties {
    /// The macro's name.
    pub name: String,
    /// Where the name stands.
    pub name_span: Span,
    /// The description, Jinja not rendered.
    pub description: String,
    /// Free values.
    pub meta: Map<String, Json>,
    /// The arguments, in order.
    pub arguments: Vec<ArgumentProperties>,
}

/// What is said of a macro's argument.
#[derive(Debug, Clone)]
pub struct ArgumentProperties {
    /// The argument's name.
    pub name: String,
    /// Where the name stands.
    pub span: Span,
    /// Its type, and where that stands.
    pub data_type: Option<(String, Span)>,
    /// The description, Jinja not rendered.
    pub description: String,
}

/// Keys of a properties file that dbt has and strata does not read.
const NOT_SUPPORTED: [&str; 6] = ["exposures", "metrics", "groups", "semantic_models", "saved_queries", "functions"];

/// Keys beside `config:` that belong into it.
const CONFIG_KEYS: [&str; 6] = ["meta", "tags", "docs", "group", "access", "contract"];

/// Reads a properties file.
pub fn read(
    file: &Arc<SourceFile>,
    original_file_path: &str,
    path: &str,
    templates: &Templates,
) -> Result<(Properties, Diagnostics)> {
    let (tree, warnings) = yaml::parse(file)?;
    let rendered = if has_jinja(file.text()) { render(&tree, templates)? } else { tree.clone() };
    let found = Found::new(warnings);
    let mut reader = Reader::new(&rendered, "properties file", &found);
    reader.ignore(&["version", "anchors"]);
    let mut properties = Properties {
        original_file_path: original_file_path.to_owned(),
        path: path.to_owned(),
        ..Properties::default()
    };
    let sections = [Section::Models, Section::Seeds, Section::Snapshots, Section::Analyses, Section::DataTests];
    for section in sections {
        let written = tree.get(section.key()).and_then(Yaml::as_sequence).unwrap_or(&[]);
        for (entry, written) in reader.sequence(section.key()).iter().zip(written) {
            properties.nodes.extend(read_node(section, entry, written, &found));
        }
    }
    for entry in reader.sequence("sources") {
        properties.sources.extend(source::read(entry, &found));
    }
    for entry in reader.sequence("macros") {
        properties.macros.extend(read_macro(entry, &found));
    }
    let written = tree.get("unit_tests").and_then(Yaml::as_sequence).unwrap_or(&[]);
    for (entry, written) in reader.sequence("unit_tests").iter().zip(written) {
        properties.unit_tests.extend(unit_test::read(entry, written, &found));
    }
    for key in NOT_SUPPORTED {
        reader.not_supported(key);
    }
    reader.finish();
    found.into_inner().into_result(properties)
}

/// Renders what dbt renders at this point: not descriptions, tests and hooks, which are rendered later; nor what
/// tells how to extract, which may hold secrets; nor sections that nobody reads.
fn render(tree: &Yaml, templates: &Templates) -> std::result::Result<Yaml, Diagnostic> {
    tree.render_texts(&mut Vec::new(), &mut |path, text, span| {
        if !has_jinja(text) || is_late(path) { Ok(None) } else { templates.render(text, span).map(Some) }
    })
}

fn is_late(path: &[String]) -> bool {
    if path.first().is_some_and(|section| NOT_SUPPORTED.contains(&section.as_str())) {
        return true;
    }
    // The first key is the section; tables, columns and versions have entries of their own.
    let is_list = |key: &&str| matches!(*key, "tables" | "columns" | "versions");
    let mut inner = path.iter().map(String::as_str).skip(1).skip_while(is_list);
    match inner.next() {
        Some("tests" | "data_tests" | "description" | "loaded_at_query" | "connector" | "extract") => true,
        Some("config") => inner.next().is_some_and(|key| is_hook_key(key) || key == "loaded_at_query"),
        Some("arguments") => inner.next() == Some("description"),
        _ => false,
    }
}

/// What an entry says: of one node, or of each version of a model.
fn read_node(section: Section, entry: &Yaml, written: &Yaml, found: &Found) -> Vec<NodeProperties> {
    let mut reader = Reader::new(entry, section.noun(), found);
    let name = reader.required_text("name");
    let (config, config_places) = read_config(&mut reader);
    let node = NodeProperties {
        section,
        name: String::new(),
        name_span: entry.span.clone(),
        span: entry.span.clone(),
        description: reader.text("description").unwrap_or_default(),
        columns: reader.sequence("columns").iter().filter_map(|column| read_column(column, found)).collect(),
        unrendered_config: unrendered_config(written),
        config,
        config_places,
        data_tests: read_tests(&mut reader),
        constraints: if section == Section::Models { constraint::read_all(&mut reader, Level::Model) } else { vec![] },
        relation: reader.placed_text("relation").map(|(text, span)| (text, span.clone())),
        version: None,
    };
    let (versions, latest) = match section {
        Section::Models => (reader.sequence("versions"), reader.yaml("latest_version")),
        _ => (&[][..], None),
    };
    for key in ["deprecation_date", "time_spine", "semantic_model"] {
        reader.not_supported(key);
    }
    reader.ignore(&["quote_columns", "primary_key", "original_file_path"]);
    reader.finish();
    let Some((name, span)) = name else { return vec![] };
    let node = NodeProperties { name, name_span: span.clone(), ..node };
    match versions {
        [] => vec![node],
        versions => version::expand(&node, versions, written, latest, found),
    }
}

/// `tests:` and `data_tests:`, which are the same.
fn read_tests(reader: &mut Reader<'_>) -> Vec<Yaml> {
    optional_tests(reader).unwrap_or_default()
}

/// The same; none where neither key is there.
fn optional_tests(reader: &mut Reader<'_>) -> Option<Vec<Yaml>> {
    let mut tests: Option<Vec<Yaml>> = None;
    for key in ["data_tests", "tests"] {
        if reader.yaml(key).is_some() {
            tests.get_or_insert_default().extend_from_slice(reader.sequence(key));
        }
    }
    tests
}

/// `config:` with the keys beside it that belong there, and where each key stands.
fn read_config(reader: &mut Reader<'_>) -> (Map<String, Json>, Vec<(String, Span)>) {
    let mut config = Map::new();
    let mut places = Vec::new();
    let mut take = |key: &str, entry: &Entry| {
        config.insert(key.to_owned(), entry.value.to_json());
        places.push((key.to_owned(), entry.key.clone()));
    };
    for key in CONFIG_KEYS {
        if let Some(entry) = reader.entry(key) {
            take(key, entry);
        }
    }
    if let Some(inner) = reader.mapping("config").and_then(Yaml::as_mapping) {
        for (key, entry) in inner {
            take(key, entry);
        }
    }
    (config, places)
}

fn unrendered_config(written: &Yaml) -> Map<String, Json> {
    let mut config: Map<String, Json> =
        CONFIG_KEYS.iter().filter_map(|key| Some(((*key).to_owned(), written.get(key)?.to_json()))).collect();
    config.extend(written.get("config").map(Yaml::to_json_map).unwrap_or_default());
    config
}

fn read_column(column: &Yaml, found: &Found) -> Option<ColumnProperties> {
    let mut reader = Reader::new(column, "column", found);
    let name = reader.required_text("name");
    let mut meta = reader.mapping("meta").map(Yaml::to_json_map).unwrap_or_default();
    let mut tags = reader.texts("tags").unwrap_or_default();
    if let Some(mut config) = reader.reader("config", "column's config") {
        meta.extend(config.mapping("meta").map(Yaml::to_json_map).unwrap_or_default());
        tags.extend(config.texts("tags").unwrap_or_default());
        config.finish();
    }
    let properties = ColumnProperties {
        name: String::new(),
        description: reader.text("description").unwrap_or_default(),
        data_type: reader.text("data_type"),
        meta,
        tags,
        quote: reader.boolean("quote"),
        data_tests: read_tests(&mut reader),
        constraints: constraint::read_all(&mut reader, Level::Column),
    };
    reader.ignore(&["granularity", "policy_tags", "docs"]);
    reader.finish();
    Some(ColumnProperties { name: name?.0, ..properties })
}

fn read_macro(entry: &Yaml, found: &Found) -> Option<MacroProperties> {
    let mut reader = Reader::new(entry, "macro", found);
    let name = reader.required_text("name");
    let mut meta = reader.mapping("meta").map(Yaml::to_json_map).unwrap_or_default();
    if let Some(mut config) = reader.reader("config", "macro's config") {
        meta.extend(config.mapping("meta").map(Yaml::to_json_map).unwrap_or_default());
        config.ignore(&["docs"]);
        config.finish();
    }
    let argument = |argument: &Yaml| {
        let mut reader = Reader::new(argument, "argument", found);
        let name = reader.required_text("name");
        let data_type = reader.placed_text("type").map(|(text, span)| (text, span.clone()));
        let description = reader.text("description").unwrap_or_default();
        reader.finish();
        let (name, span) = name?;
        Some(ArgumentProperties { name, span: span.clone(), data_type, description })
    };
    let properties = MacroProperties {
        name: String::new(),
        name_span: entry.span.clone(),
        description: reader.text("description").unwrap_or_default(),
        meta,
        arguments: reader.sequence("arguments").iter().filter_map(argument).collect(),
    };
    reader.ignore(&["docs"]);
    reader.finish();
    let (name, span) = name?;
    Some(MacroProperties { name, name_span: span.clone(), ..properties })
}

/// Complains of a value that is not one of those allowed.
fn not_one_of(what: &str, given: &str, span: &Span, allowed: &[&str]) -> Diagnostic {
    Diagnostic::error(Code::YamlValue, format!("`{given}` is no {what}"))
        .at(span.clone(), format!("expected one of {}", allowed.join(", ")))
}
