//! `dbt_project.yml`, typed.

use super::files::DirectoryRole;
use super::layers::{self, Layer};
use super::version;
use super::warehouses::{self, WarehouseSettings};
use super::yaml::{Found, Reader, Yaml, YamlValue};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Result, Span, nearest};
use crate::template::{Templates, has_jinja};
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;

/// A project or package as its `dbt_project.yml` describes it.
#[derive(Debug, Clone)]
pub struct ProjectConfig {
    /// The name, by which other packages know it.
    pub name: String,
    /// Its own version, in words.
    pub version: Option<String>,
    /// The profile's name, where one is given.
    pub profile: Option<String>,
    /// Directories by role, each relative to the package's root.
    pub paths: BTreeMap<&'static str, Vec<String>>,
    /// Where results go.
    pub target_path: String,
    /// What `clean` removes.
    pub clean_targets: Vec<String>,
    /// Where packages are installed.
    pub packages_install_path: String,
    /// Which parts of relation names are quoted, where given.
    pub quoting: QuotingConfig,
    /// Hooks before everything.
    pub on_run_start: Vec<ProjectHook>,
    /// Hooks after everything.
    pub on_run_end: Vec<ProjectHook>,
    /// Where macros are looked for when they are dispatched: namespace and search order.
    pub dispatch: Vec<DispatchRule>,
    /// The `vars:` block as written.
    pub variables: Map<String, Json>,
    /// The config trees, by resource type.
    pub trees: BTreeMap<TreeKind, ConfigTree>,
    /// The comment that goes with every statement.
    pub query_comment: QueryComment,
    /// The `flags:` block.
    pub flags: Map<String, Json>,
    /// The layers that `layers:` switches on, bottom first.
    pub layers: Vec<Layer>,
    /// The sizes that warehouses have while the project runs.
    pub warehouses: Vec<WarehouseSettings>,
}

/// Which parts of relation names are quoted; none where the adapter's default counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QuotingConfig {
    /// The database.
    pub database: Option<bool>,
    /// The schema.
    pub schema: Option<bool>,
    /// The identifier.
    pub identifier: Option<bool>,
}

/// A hook of a project.
#[derive(Debug, Clone, PartialEq)]
pub struct ProjectHook {
    /// Jinja SQL.
    pub sql: String,
    /// Where it stands.
    pub span: Span,
}

/// One entry of `dispatch:`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DispatchRule {
    /// The namespace in `adapter.dispatch('…', namespace)`.
    pub macro_namespace: String,
    /// The packages to search, in order.
    pub search_order: Vec<String>,
}

/// The comment that goes with every statement.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QueryComment {
    /// Jinja text; none for dbt's default comment, an empty one for no comment.
    pub comment: Option<String>,
    /// Whether it follows the statement; none where the adapter's default counts.
    pub append: Option<bool>,
}

/// Which config tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TreeKind {
    /// `models:`
    Models,
    /// `seeds:`
    Seeds,
    /// `snapshots:`
    Snapshots,
    /// `sources:`
    Sources,
    /// `data_tests:` (or `tests:`)
    DataTests,
    /// `analyses:`
    Analyses,
    /// `unit_tests:`
    UnitTests,
}

impl TreeKind {
    /// The key in `dbt_project.yml`.
    pub fn key(self) -> &'static str {
        match self {
            Self::Models => "models",
            Self::Seeds => "seeds",
            Self::Snapshots => "snapshots",
            Self::Sources => "sources",
            Self::DataTests => "data_tests",
            Self::Analyses => "analyses",
            Self::UnitTests => "unit_tests",
        }
    }
}

/// A config tree twice: with its Jinja rendered, and as written.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfigTree {
    /// Rendered; hooks are left as written.
    pub rendered: Yaml,
    /// As written.
    pub unrendered: Yaml,
}

const PATHS: [(&str, DirectoryRole, &str); 7] = [
    ("model-paths", DirectoryRole::Models, "models"),
    ("seed-paths", DirectoryRole::Seeds, "seeds"),
    ("snapshot-paths", DirectoryRole::Snapshots, "snapshots"),
    ("analysis-paths", DirectoryRole::Analyses, "analyses"),
    ("test-paths", DirectoryRole::Tests, "tests"),
    ("macro-paths", DirectoryRole::Macros, "macros"),
    ("docs-paths", DirectoryRole::Docs, ""),
];

impl ProjectConfig {
    /// Every directory and what it is for. Docs lie in `docs-paths`, or else in all of them.
    pub fn directories(&self) -> Vec<(&str, DirectoryRole)> {
        let mut found = Vec::new();
        for (key, role, _) in PATHS {
            let directories = self.paths.get(key).map(Vec::as_slice).unwrap_or_default();
            found.extend(directories.iter().map(|directory| (directory.as_str(), role)));
        }
        if self.paths.get("docs-paths").is_none_or(Vec::is_empty) {
            let all: Vec<&str> = found.iter().map(|(directory, _)| *directory).collect();
            found.extend(all.into_iter().map(|directory| (directory, DirectoryRole::Docs)));
        }
        found
    }

    /// The variables that a package sees in this project's `vars:`: its own block first, then the global ones.
    pub fn variable(&self, package: &str, name: &str) -> Option<&Json> {
        let own = self.variables.get(package).and_then(Json::as_object).and_then(|block| block.get(name));
        own.or_else(|| self.variables.get(name))
    }

    /// A flag of the `flags:` block that is true or false.
    pub fn flag(&self, name: &str) -> Option<bool> {
        self.flags.get(name)?.as_bool()
    }

    /// A config for a package that has no `dbt_project.yml`: one of those that are embedded.
    pub fn embedded(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: None,
            profile: None,
            paths: PATHS.iter().map(|(key, _, default)| (*key, vec![(*default).to_owned()])).collect(),
            target_path: "target".to_owned(),
            clean_targets: vec![],
            packages_install_path: "dbt_packages".to_owned(),
            quoting: QuotingConfig::default(),
            on_run_start: vec![],
            on_run_end: vec![],
            dispatch: vec![],
            variables: Map::new(),
            trees: BTreeMap::new(),
            query_comment: QueryComment::default(),
            flags: Map::new(),
            layers: vec![],
            warehouses: vec![],
        }
    }
}

/// Reads `dbt_project.yml` from its tree.
pub fn read(yaml: &Yaml, templates: &Templates) -> Result<(ProjectConfig, Diagnostics)> {
    let rendered = render(yaml, templates).map_err(Diagnostics::from)?;
    let found = Found::default();
    let mut reader = Reader::new(&rendered, "project", &found);
    let (name, name_span) = reader.required_text("name").unwrap_or_else(|| (String::new(), &yaml.span));
    check_name(&name, name_span, &found);
    let mut config = ProjectConfig::embedded(&name);
    config.version = reader.text("version");
    config.profile = reader.text("profile");
    config.paths = read_paths(&mut reader);
    config.target_path = reader.text("target-path").unwrap_or(config.target_path);
    config.clean_targets = reader.texts("clean-targets").unwrap_or_else(|| vec![config.target_path.clone()]);
    config.packages_install_path = reader.text("packages-install-path").unwrap_or(config.packages_install_path);
    if let Some(mut quoting) = reader.reader("quoting", "quoting") {
        config.quoting = read_quoting(&mut quoting);
        quoting.ignore(&["snowflake_ignore_case"]);
        quoting.finish();
    }
    config.on_run_start = read_hooks(&mut reader, "on-run-start");
    config.on_run_end = read_hooks(&mut reader, "on-run-end");
    config.dispatch = reader.sequence("dispatch").iter().filter_map(|rule| read_dispatch(rule, &found)).collect();
    config.variables = reader.mapping("vars").map(Yaml::to_json_map).unwrap_or_default();
    config.query_comment = read_query_comment(&mut reader);
    config.flags = reader.mapping("flags").map(Yaml::to_json_map).unwrap_or_default();
    config.layers = layers::read(&mut reader);
    config.warehouses = warehouses::read(&mut reader);
    version::check_required(&mut reader, &name);
    config.trees = read_trees(&mut reader, yaml);
    reader.not_supported("function-paths");
    reader.not_supported("restrict-access");
    for tree in ["exposures", "metrics", "semantic-models", "saved-queries", "functions"] {
        reader.not_supported(tree);
    }
    reader.ignore(&["config-version", "log-path", "asset-paths", "dbt-cloud", "project-root"]);
    reader.finish();
    let found = found.into_inner();
    found.into_result(config)
}

/// Renders what dbt renders: everything but hooks, variables and the query comment.
fn render(yaml: &Yaml, templates: &Templates) -> std::result::Result<Yaml, Diagnostic> {
    yaml.render_texts(&mut Vec::new(), &mut |path, text, span| {
        let late = match path.first().map(String::as_str) {
            Some("on-run-start" | "on-run-end" | "query-comment" | "vars") => true,
            Some("models" | "seeds" | "snapshots" | "tests" | "data_tests") => path.iter().any(|key| is_hook_key(key)),
            _ => false,
        };
        if late || !has_jinja(text) { Ok(None) } else { templates.render(text, span).map(Some) }
    })
}

/// Whether a config key, with or without `+`, holds hooks of a node.
pub fn is_hook_key(key: &str) -> bool {
    matches!(key.trim_start_matches(['+', ' ']), "pre-hook" | "post-hook" | "pre_hook" | "post_hook")
}

/// Whether a text can be the name of a project: a plain word, which is fit to be the name of a directory too.
pub fn is_name(text: &str) -> bool {
    let mut letters = text.chars();
    letters.next().is_some_and(|first| first.is_alphabetic() || first == '_')
        && letters.all(|letter| letter.is_alphanumeric() || letter == '_')
}

fn check_name(name: &str, span: &Span, found: &Found) {
    if !name.is_empty() && !is_name(name) {
        found.borrow_mut().push(
            Diagnostic::error(Code::Project, format!("`{name}` cannot be the name of a project"))
                .at(span.clone(), "only letters, digits and `_`, and no digit first"),
        );
    }
}

fn read_paths(reader: &mut Reader<'_>) -> BTreeMap<&'static str, Vec<String>> {
    let former = [("source-paths", "model-paths"), ("data-paths", "seed-paths")];
    let mut paths = BTreeMap::new();
    for (key, _, default) in PATHS {
        let given =
            reader.texts(key).map(|given| given.iter().map(|path| path.trim_end_matches('/').to_owned()).collect());
        let default = if default.is_empty() { vec![] } else { vec![default.to_owned()] };
        paths.insert(key, given.unwrap_or(default));
    }
    for (old, new) in former {
        if let Some(entry) = reader.entry(old) {
            reader.report(
                Diagnostic::warning(Code::Project, format!("`{old}` is now called `{new}`"))
                    .at(entry.key.clone(), "still read")
                    .help(format!("rename it to `{new}`")),
            );
            paths.insert(new, reader.texts(old).unwrap_or_default());
        }
    }
    paths
}

/// Reads `database`, `schema` and `identifier`.
pub fn read_quoting(reader: &mut Reader<'_>) -> QuotingConfig {
    QuotingConfig {
        database: reader.boolean("database"),
        schema: reader.boolean("schema"),
        identifier: reader.boolean("identifier"),
    }
}

fn read_hooks(reader: &mut Reader<'_>, key: &'static str) -> Vec<ProjectHook> {
    let Some(value) = reader.yaml(key) else { return vec![] };
    let items = value.as_sequence().unwrap_or(std::slice::from_ref(value));
    let mut hooks = Vec::new();
    for item in items {
        match &item.value {
            YamlValue::String(sql) => hooks.push(ProjectHook { sql: sql.clone(), span: item.span.clone() }),
            YamlValue::Null => {}
            _ => reader.report(
                Diagnostic::error(Code::YamlValue, format!("a hook of `{key}` must be a text, not {}", item.kind()))
                    .at(item.span.clone(), "expected SQL"),
            ),
        }
    }
    hooks
}

fn read_dispatch(rule: &Yaml, found: &Found) -> Option<DispatchRule> {
    let mut reader = Reader::new(rule, "dispatch rule", found);
    let macro_namespace = reader.required_text("macro_namespace");
    let search_order = reader.texts("search_order").unwrap_or_default();
    reader.finish();
    Some(DispatchRule { macro_namespace: macro_namespace?.0, search_order })
}

fn read_query_comment(reader: &mut Reader<'_>) -> QueryComment {
    // `query-comment:` with nothing behind it means no comment, which is not the same as no key.
    let Some(value) = reader.entry_or_null("query-comment") else { return QueryComment::default() };
    match &value.value {
        YamlValue::Null => QueryComment { comment: Some(String::new()), append: None },
        YamlValue::String(comment) => QueryComment { comment: Some(comment.clone()), append: None },
        _ => {
            let mut inner = Reader::new(value, "query comment", reader.found());
            let comment = QueryComment { comment: inner.text("comment"), append: inner.boolean("append") };
            inner.not_supported("job-label");
            inner.finish();
            comment
        }
    }
}

fn read_trees(reader: &mut Reader<'_>, unrendered: &Yaml) -> BTreeMap<TreeKind, ConfigTree> {
    let mut trees = BTreeMap::new();
    let kinds = [
        TreeKind::Models,
        TreeKind::Seeds,
        TreeKind::Snapshots,
        TreeKind::Sources,
        TreeKind::DataTests,
        TreeKind::Analyses,
        TreeKind::UnitTests,
    ];
    for kind in kinds {
        let former = if kind == TreeKind::DataTests { "tests" } else { kind.key() };
        for key in [kind.key(), former] {
            let tree = reader.mapping(key).zip(unrendered.get(key));
            if let Some((rendered, unrendered)) = tree.filter(|_| !trees.contains_key(&kind)) {
                trees.insert(kind, ConfigTree { rendered: rendered.clone(), unrendered: unrendered.clone() });
            }
        }
    }
    trees
}

/// The nearest of the given names as a sentence of advice.
pub fn did_you_mean<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(given, known).map(|name| format!("did you mean `{name}`?"))
}
