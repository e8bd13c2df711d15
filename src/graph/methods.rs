//! Which nodes and sources a criterion's method and value match.

use super::spec::{Criterion, Method, invalid};
use super::state::{Comparison, StateInputs};
use crate::diagnostic::{Code, Diagnostic};
use crate::manifest::{Manifest, Materialized, Node, Source};
use crate::name::{ResourceType, UniqueId};
use crate::project::glob;
use serde_json::Value as Json;
use std::cmp::Ordering;
use std::path::Path;

/// A node or a source.
#[derive(Clone, Copy)]
enum Member<'a> {
    Node(&'a Node),
    Source(&'a Source),
}

/// Every node and source that matches, relatives not regarded.
pub(super) fn matching(
    manifest: &Manifest,
    criterion: &Criterion,
    state: &StateInputs,
) -> Result<Vec<UniqueId>, Diagnostic> {
    let matcher = Matcher::new(manifest, criterion, state)?;
    let nodes = manifest.nodes.iter().map(|(id, node)| (id, Member::Node(node)));
    let sources = manifest.sources.iter().map(|(id, source)| (id, Member::Source(source)));
    Ok(nodes.chain(sources).filter(|(id, member)| matcher.fits(id, *member)).map(|(id, _)| id.clone()).collect())
}

struct Matcher<'a> {
    criterion: &'a Criterion,
    value: String,
    project: &'a str,
    state: &'a StateInputs,
    comparison: Option<Comparison<'a>>,
}

impl<'a> Matcher<'a> {
    fn new(manifest: &'a Manifest, criterion: &'a Criterion, state: &'a StateInputs) -> Result<Self, Diagnostic> {
        let value = match &criterion.value {
            Json::String(text) => text.clone(),
            Json::Bool(true) => "True".to_owned(),
            Json::Bool(false) => "False".to_owned(),
            other => other.to_string(),
        };
        let matcher = Self { criterion, project: &manifest.project_name, state, comparison: None, value };
        let comparison = match criterion.method {
            Method::State => Some(matcher.comparison(manifest)?),
            _ => None,
        };
        matcher.check()?;
        Ok(Self { comparison, ..matcher })
    }

    fn comparison(&self, manifest: &'a Manifest) -> Result<Comparison<'a>, Diagnostic> {
        let former = self.state.manifest.as_deref().ok_or_else(|| self.needs_state("manifest.json"))?;
        let comparison = Comparison::new(manifest, former);
        let any = UniqueId::from("");
        match comparison.fits(&any, &self.value) {
            Some(_) => Ok(comparison),
            None => Err(invalid(
                &self.criterion.raw,
                "`state:` takes new, old, modified, unmodified, modified.body, modified.configs, modified.relation, \
                 modified.persisted_descriptions, modified.macros, modified.contract",
            )),
        }
    }

    /// Whether the criterion names what it means. Control tables are part of every run: patterns and properties leave
    /// them out, so that `*` means the project's own nodes, as with dbt.
    fn names_one(&self) -> bool {
        matches!(self.criterion.method, Method::Fqn | Method::Package | Method::Path | Method::File)
            && !glob::is_pattern(&self.value)
    }

    fn needs_state(&self, file: &str) -> Diagnostic {
        Diagnostic::error(
            Code::Selector,
            format!("the selector `{}` needs the {file} of a former run", self.criterion.raw),
        )
        .help("name the directory that has it with `--state DIR`")
    }

    /// Complains of values that the method does not take, and of methods for what strata has not.
    fn check(&self) -> Result<(), Diagnostic> {
        let refuse = |why: String| Err(invalid(&self.criterion.raw, why));
        let value = self.value.as_str();
        match self.criterion.method {
            Method::Source if value.split('.').count() > 3 => {
                refuse("a source is `source`, `source.table` or `package.source.table`".to_owned())
            }
            Method::TestType if !["generic", "schema", "singular", "data", "unit"].contains(&value) => {
                refuse(format!("`{value}` is none of generic, singular, data, unit"))
            }
            Method::ResourceType if !RESOURCE_TYPES.contains(&value) => {
                refuse(format!("`{value}` is none of {}", RESOURCE_TYPES.join(", ")))
            }
            Method::UnitTest if value.split('.').count() > 2 => {
                refuse("a unit test is `name` or `package.name`".to_owned())
            }
            Method::Version if !["latest", "prerelease", "old", "none"].contains(&value) => {
                refuse(format!("`{value}` is none of latest, prerelease, old, none"))
            }
            Method::Result if self.state.results.is_none() => Err(self.needs_state("run_results.json")),
            Method::SourceStatus if self.state.freshness.is_none() => Err(self
                .needs_state("sources.json")
                .note("it is compared with the one in the target directory, which `strata source freshness` writes")),
            Method::SourceStatus if value != "fresher" => refuse("`source_status:` takes only `fresher`".to_owned()),
            Method::Exposure | Method::Metric | Method::SemanticModel | Method::SavedQuery => {
                let what = self.criterion.method.as_str();
                Err(Diagnostic::error(
                    Code::NotSupported,
                    format!("the selector `{}` asks for {what}s, which strata does not have yet", self.criterion.raw),
                ))
            }
            _ => Ok(()),
        }
    }

    fn fits(&self, id: &UniqueId, member: Member<'_>) -> bool {
        let value = self.value.as_str();
        if member.is_control_table() && !self.names_one() {
            return false;
        }
        let node = match member {
            Member::Node(node) => Some(node),
            Member::Source(_) => None,
        };
        match self.criterion.method {
            Method::Fqn => node.is_some_and(|node| {
                let is_versioned = node.version.is_some();
                is_named(&node.fqn, value, is_versioned)
                    || node.fqn.get(1..).is_some_and(|fqn| is_named(fqn, value, is_versioned))
            }),
            Method::Tag => member.tags().iter().any(|tag| glob::matches(value, tag)),
            Method::Group => {
                node.and_then(|node| node.config.text("group")).is_some_and(|group| glob::matches(value, group))
            }
            Method::Access => node.is_some_and(|node| {
                node.resource_type == ResourceType::Model && node.config.text("access").unwrap_or("protected") == value
            }),
            Method::Source => matches!(member, Member::Source(source) if is_source(source, value)),
            Method::Path => member.paths().any(|path| lies_in(path, value)),
            Method::File => {
                let name = member.file_name();
                let stem = Path::new(name).file_stem().and_then(|stem| stem.to_str()).unwrap_or(name);
                glob::matches(value, name) || glob::matches(value, stem)
            }
            Method::Package => {
                let wanted = if value == "this" { self.project } else { value };
                glob::matches(wanted, member.package())
            }
            // As in dbt, the configs of unit tests are not looked at.
            Method::Config if member.resource_type() == ResourceType::UnitTest => false,
            Method::Config => member.config(&self.criterion.arguments).is_some_and(|given| {
                has_value(&given, &self.criterion.value, self.criterion.arguments == ["severity"])
            }),
            Method::TestName => node.is_some_and(|node| match (&node.test, node.resource_type) {
                (Some(test), _) => glob::matches(value, &test.name),
                (None, ResourceType::UnitTest) => glob::matches(value, &node.name),
                (None, _) => false,
            }),
            Method::TestType => node.is_some_and(|node| match (node.resource_type, value) {
                (ResourceType::Test, "generic" | "schema") => node.test.is_some(),
                (ResourceType::Test, "singular") => node.test.is_none(),
                (kind, "data") => kind == ResourceType::Test,
                (kind, "unit") => kind == ResourceType::UnitTest,
                _ => false,
            }),
            Method::ResourceType => member.resource_type().as_str() == value,
            Method::State => {
                self.comparison.as_ref().and_then(|comparison| comparison.fits(id, value)).unwrap_or(false)
            }
            Method::Result => self
                .state
                .results
                .as_ref()
                .and_then(|results| results.get(id.as_str()))
                .is_some_and(|status| status == value),
            Method::SourceStatus => self.state.freshness.as_ref().is_some_and(|freshness| freshness.is_fresher(id)),
            Method::Version => node.is_some_and(|node| node.resource_type == ResourceType::Model && is_of(node, value)),
            Method::UnitTest => node.is_some_and(|node| is_unit_test(node, value)),
            Method::Exposure | Method::Metric | Method::SemanticModel | Method::SavedQuery => false,
        }
    }
}

/// dbt's words for kinds of nodes.
const RESOURCE_TYPES: [&str; 18] = [
    "model",
    "analysis",
    "test",
    "snapshot",
    "operation",
    "seed",
    "rpc",
    "sql_operation",
    "doc",
    "source",
    "macro",
    "exposure",
    "metric",
    "group",
    "saved_query",
    "semantic_model",
    "unit_test",
    "fixture",
];

impl<'a> Member<'a> {
    fn is_control_table(self) -> bool {
        matches!(self, Self::Node(node) if node.config.materialized() == Materialized::Control)
    }

    fn package(self) -> &'a str {
        match self {
            Self::Node(node) => &node.package_name,
            Self::Source(source) => &source.package_name,
        }
    }

    fn resource_type(self) -> ResourceType {
        match self {
            Self::Node(node) => node.resource_type,
            Self::Source(_) => ResourceType::Source,
        }
    }

    fn tags(self) -> Vec<std::borrow::Cow<'a, str>> {
        match self {
            Self::Node(node) => node.config.tags(),
            Self::Source(source) => source.config.tags(),
        }
    }

    fn file_name(self) -> &'a str {
        let path = match self {
            Self::Node(node) => &node.original_file_path,
            Self::Source(source) => &source.original_file_path,
        };
        path.rsplit('/').next().unwrap_or(path)
    }

    /// Its own file, its directories are found from there, and the properties file that describes it.
    fn paths(self) -> impl Iterator<Item = PathOf<'a>> {
        let (own, described) = match self {
            Self::Node(node) => (&node.original_file_path, node.patch_path.as_deref()),
            Self::Source(source) => (&source.original_file_path, None),
        };
        let described = described.and_then(|path| path.split_once("://")).map(|(_, path)| PathOf::Described(path));
        std::iter::once(PathOf::Own(own.as_str())).chain(described)
    }

    /// The config value under these keys.
    fn config(self, keys: &[String]) -> Option<Json> {
        let (config, kind) = match self {
            Self::Node(node) => (&node.config, node.resource_type),
            Self::Source(source) => (&source.config, ResourceType::Source),
        };
        let (first, rest) = keys.split_first()?;
        let dashed = first.replace('_', "-");
        let given = config.values().get(first).or_else(|| config.values().get(&dashed)).cloned();
        let mut value = given.filter(|value| !value.is_null()).or_else(|| default_config(kind, first))?;
        for key in rest {
            value = match value {
                Json::Object(mut map) => map.remove(key)?,
                _ => return None,
            };
        }
        Some(value)
    }
}

#[derive(Clone, Copy)]
enum PathOf<'a> {
    /// A node's own file: its directories count too.
    Own(&'a str),
    /// A properties file: only itself counts.
    Described(&'a str),
}

fn lies_in(path: PathOf<'_>, pattern: &str) -> bool {
    match path {
        PathOf::Described(path) => glob::matches_path(pattern, path),
        PathOf::Own(path) => {
            let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
            ends.into_iter().any(|end| glob::matches_path(pattern, &path[..end]))
        }
    }
}

/// What dbt's configs hold where nothing is said.
fn default_config(kind: ResourceType, key: &str) -> Option<Json> {
    let test = kind == ResourceType::Test;
    let value = match key {
        "enabled" => Json::Bool(true),
        "materialized" if kind != ResourceType::Source => Json::from(match kind {
            ResourceType::Seed => "seed",
            ResourceType::Snapshot => "snapshot",
            ResourceType::Test => "test",
            _ => "view",
        }),
        "severity" if test => Json::from("ERROR"),
        "fail_calc" if test => Json::from("count(*)"),
        "warn_if" | "error_if" if test => Json::from("!= 0"),
        "schema" if test => Json::from("dbt_test__audit"),
        "tags" | "packages" => Json::Array(vec![]),
        "on_schema_change" if !test => Json::from("ignore"),
        "on_configuration_change" if !test => Json::from("apply"),
        "contract" if !test => serde_json::json!({"enforced": false, "alias_types": true}),
        "docs" if !test => serde_json::json!({"show": true, "node_color": null}),
        "access" if kind == ResourceType::Model => Json::from("protected"),
        _ => return None,
    };
    Some(value)
}

/// Whether a config value is the one asked for, or a list that has it. A text `true` means the truth value too.
fn has_value(given: &Json, wanted: &Json, fold: bool) -> bool {
    let same = |given: &Json| match (given, wanted) {
        (Json::String(given), Json::String(wanted)) => {
            given == wanted || (fold && given.to_uppercase() == wanted.to_uppercase())
        }
        (Json::Bool(given), Json::String(wanted)) => wanted.to_lowercase() == given.to_string(),
        _ => given == wanted,
    };
    match given {
        Json::Array(items) => items.iter().any(same),
        value => same(value),
    }
}

fn is_source(source: &Source, value: &str) -> bool {
    let parts: Vec<&str> = value.split('.').collect();
    let (package, name, table) = match parts.as_slice() {
        [name] => ("*", *name, "*"),
        [name, table] => ("*", *name, *table),
        [package, name, table] => (*package, *name, *table),
        _ => return false,
    };
    glob::matches(package, &source.package_name)
        && glob::matches(name, &source.source_name)
        && glob::matches(table, &source.name)
}

fn is_unit_test(node: &Node, value: &str) -> bool {
    let (package, name) = value.split_once('.').unwrap_or(("*", value));
    node.resource_type == ResourceType::UnitTest
        && glob::matches(package, &node.package_name)
        && glob::matches(name, &node.name)
}

/// Whether a model is of a kind of version: `latest`, `prerelease` (newer than that), `old`, or `none`.
fn is_of(model: &Node, kind: &str) -> bool {
    let Some(version) = &model.version else { return kind == "none" };
    match kind {
        "latest" => version.is_latest(),
        "prerelease" => version.number.order(&version.latest) == Ordering::Greater,
        "old" => version.number.order(&version.latest) == Ordering::Less,
        _ => false,
    }
}

/// Whether a dotted selector means a node of this full name: its last part, a leading part of it, or a pattern.
fn is_named(fqn: &[String], selector: &str, is_versioned: bool) -> bool {
    // The full name of a version ends in the model's name and the version: `orders`, `v2`.
    let name = if is_versioned { fqn.len().checked_sub(2) } else { fqn.len().checked_sub(1) };
    let Some(leaf) = name.and_then(|at| fqn.get(at)) else { return false };
    if leaf == selector {
        return true;
    }
    if is_versioned {
        let parts: Vec<&str> = selector.split('.').collect();
        let last = parts.len().saturating_sub(2);
        if fqn[fqn.len() - 2..].join("_") == parts[last..].join("_") {
            return true;
        }
    }
    let flat: Vec<&str> = fqn.iter().flat_map(|part| part.split('.')).collect();
    let parts: Vec<&str> = selector.split('.').collect();
    if flat.len() < parts.len() {
        return false;
    }
    for (index, part) in parts.iter().enumerate() {
        if part.contains(['*', '?', '[', ']']) {
            return glob::matches(&parts[index..].join("."), &flat[index..].join("."))
                || (!selector.contains('.') && glob::matches(selector, leaf));
        }
        if flat[index] != *part {
            return false;
        }
    }
    true
}
