//! From names to ids: what each node depends on.

use super::is_referable;
use super::render::Finished;
use super::sources::ReadSources;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Span, nearest};
use crate::manifest::{Manifest, Node, RefCall, SourceCall};
use crate::name::{ResourceType, UniqueId};
use crate::project::Project;
use indexmap::IndexMap;
use rustc_hash::FxHashSet;

/// All nodes that were read.
#[derive(Debug, Default)]
pub struct Gathered {
    enabled: IndexMap<UniqueId, Node>,
    disabled: IndexMap<UniqueId, Node>,
    failed: FxHashSet<UniqueId>,
    /// The findings about config that were told, by place: one place may concern many nodes.
    told: FxHashSet<(String, Span)>,
}

impl Gathered {
    /// Takes in a node. Two enabled ones with one id are errors.
    pub(super) fn take(&mut self, finished: Finished, found: &mut Diagnostics) {
        let Finished { node, warnings } = finished;
        self.tell(warnings, found);
        if !node.config.enabled() {
            self.disabled.entry(node.unique_id.clone()).or_insert(node);
            return;
        }
        if let Some(first) = self.enabled.get(&node.unique_id) {
            let what = node.resource_type;
            found.push(
                Diagnostic::error(Code::DuplicateName, format!("there are two {what}s named `{}`", node.name))
                    .at(node.declared_at.clone(), format!("the second one, in {}", node.original_file_path))
                    .at(first.declared_at.clone(), format!("the first one, in {}", first.original_file_path))
                    .help(match node.resource_type {
                        ResourceType::Test => "give one of them a `name`",
                        _ => "rename or disable one of them",
                    }),
            );
            return;
        }
        self.enabled.insert(node.unique_id.clone(), node);
    }

    /// Remembers a node that cannot be read: nobody shall be told that it does not exist.
    pub(super) fn failed(&mut self, id: UniqueId, errors: Diagnostics, found: &mut Diagnostics) {
        self.failed.insert(id);
        self.tell(errors, found);
    }

    fn tell(&mut self, findings: Diagnostics, found: &mut Diagnostics) {
        for finding in findings {
            let place = finding.labels().first().map(|label| label.span.clone());
            let shared = matches!(finding.code(), Code::Config | Code::UnknownKey);
            // The message goes on with the node's name.
            let what = finding.message().split(" of `").next().unwrap_or_default().to_owned();
            let known = shared && place.is_some_and(|place| !self.told.insert((what, place)));
            if !known {
                found.push(finding);
            }
        }
    }

    /// Whether all nodes could be read.
    pub(super) fn is_complete(&self) -> bool {
        self.failed.is_empty()
    }

    /// Whether there is such a node, be it disabled or broken.
    pub(super) fn contains(&self, id: &UniqueId) -> bool {
        self.enabled.contains_key(id) || self.disabled.contains_key(id) || self.failed.contains(id)
    }

    /// The enabled node of an id.
    pub(super) fn get(&self, id: &UniqueId) -> Option<&Node> {
        self.enabled.get(id)
    }

    /// The names of a package's nodes of one kind.
    pub(super) fn names_of<'a>(&'a self, kind: ResourceType, package: &'a str) -> impl Iterator<Item = &'a str> {
        self.all()
            .filter(move |node| node.resource_type == kind && node.package_name == package)
            .map(|node| node.name.as_str())
    }

    /// Every node, the disabled ones too.
    pub(super) fn all(&self) -> impl Iterator<Item = &Node> {
        self.enabled.values().chain(self.disabled.values())
    }
}

/// What became of a reference.
enum Target {
    Found(UniqueId),
    /// What has this name cannot be found; for a test that is only a warning, and the test is left out.
    Missing(Box<Diagnostic>, String),
    /// It is there, and disabled.
    Disabled(Box<Diagnostic>),
}

/// Fills the manifest: nodes, sources, indexes, and what each node depends on.
pub fn resolve(
    project: &Project,
    all: Gathered,
    sources: ReadSources,
    manifest: &mut Manifest,
    found: &mut Diagnostics,
) {
    for node in all.enabled.values().filter(|node| is_referable(node.resource_type)) {
        for name in node.reference_names() {
            let by_package = manifest.references.entry(name).or_default();
            if let Some(other) = by_package.insert(node.package_name.clone(), node.unique_id.clone()) {
                found.push(same_name(node, all.enabled.get(&other)));
            }
        }
    }
    for source in sources.enabled.values() {
        let key = (source.source_name.clone(), source.name.clone());
        let is_root = source.package_name == project.name();
        if is_root || !manifest.source_index.contains_key(&key) {
            manifest.source_index.insert(key, source.unique_id.clone());
        }
    }
    manifest.sources = sources.enabled;
    let disabled_sources = sources.disabled;
    let failed: FxHashSet<String> =
        all.failed.iter().filter_map(|id| id.as_str().split('.').nth(2)).map(str::to_owned).collect();
    manifest.disabled = all.disabled;
    // References are looked up in the manifest, so the nodes move in before they are resolved.
    manifest.nodes = all.enabled;
    let mut depends: Vec<(UniqueId, Vec<UniqueId>)> = Vec::with_capacity(manifest.nodes.len());
    let mut left_out: Vec<UniqueId> = Vec::new();
    for node in manifest.nodes.values() {
        let targets = node
            .refs
            .iter()
            .map(|call| reference(manifest, node, call))
            .chain(node.sources.iter().map(|call| source(manifest, &disabled_sources, node, call)));
        let mut ids: Vec<UniqueId> = Vec::with_capacity(node.refs.len() + node.sources.len());
        for target in targets {
            let is_test = node.resource_type == ResourceType::Test;
            match target {
                Target::Found(id) if !ids.contains(&id) => ids.push(id),
                Target::Found(_) => {}
                Target::Missing(_, name) if failed.contains(&name) => {}
                Target::Missing(complaint, _) if is_test => {
                    found.push(weakened(*complaint));
                    left_out.push(node.unique_id.clone());
                }
                Target::Disabled(_) if is_test => left_out.push(node.unique_id.clone()),
                Target::Missing(complaint, _) | Target::Disabled(complaint) => found.push(*complaint),
            }
        }
        depends.push((node.unique_id.clone(), ids));
    }
    for (id, ids) in depends {
        if let Some(node) = manifest.nodes.get_mut(&id) {
            node.depends_on.nodes = ids;
        }
    }
    leave_out(manifest, left_out);
}

/// Moves tests that look at what is not there to the disabled ones.
fn leave_out(manifest: &mut Manifest, ids: Vec<UniqueId>) {
    if ids.is_empty() {
        return;
    }
    let gone: FxHashSet<UniqueId> = ids.into_iter().collect();
    let nodes = std::mem::take(&mut manifest.nodes);
    for (id, node) in nodes {
        if gone.contains(&id) {
            manifest.disabled.insert(id, node);
        } else {
            manifest.nodes.insert(id, node);
        }
    }
}

fn same_name(node: &Node, other: Option<&Node>) -> Diagnostic {
    let found = Diagnostic::error(
        Code::DuplicateName,
        format!("the package `{}` has two nodes that `ref('{}')` could mean", node.package_name, node.name),
    )
    .at(node.declared_at.clone(), format!("the {} in {}", node.resource_type, node.original_file_path));
    let found = match other {
        Some(other) => {
            found.at(other.declared_at.clone(), format!("the {} in {}", other.resource_type, other.original_file_path))
        }
        None => found,
    };
    found.help("rename one of them")
}

fn no_such_version(node: &Node, call: &RefCall, version: &str, versions: &[&str]) -> Diagnostic {
    let what = format!("{} refers to version {version} of `{}`, which does not exist", described(node), call.name);
    Diagnostic::error(Code::UnknownRef, what)
        .at(place(node, call.span.as_ref()), "no version of this model has this number")
        .help(format!("its versions are {}", versions.join(", ")))
}

/// The same as a warning.
fn weakened(complaint: Diagnostic) -> Diagnostic {
    let mut warning = Diagnostic::warning(complaint.code(), format!("{}; the test is left out", complaint.message()));
    for label in complaint.labels() {
        warning = warning.at(label.span.clone(), label.text.clone());
    }
    match complaint.advice() {
        Some(advice) => warning.help(advice.to_owned()),
        None => warning,
    }
}

fn described(node: &Node) -> String {
    match node.resource_type {
        ResourceType::Operation => format!("the hook `{}`", node.name),
        kind => format!("{kind} `{}`", node.name),
    }
}

fn place(node: &Node, span: Option<&Span>) -> Span {
    span.unwrap_or(&node.declared_at).clone()
}

fn reference(manifest: &Manifest, node: &Node, call: &RefCall) -> Target {
    if let Some(target) = manifest.find_reference(call, &node.package_name) {
        return Target::Found(target.unique_id.clone());
    }
    let at = place(node, call.span.as_ref());
    let is_meant = |other: &&Node| {
        other.name == call.name
            && is_referable(other.resource_type)
            && call.package.as_ref().is_none_or(|package| *package == other.package_name)
    };
    if let Some(disabled) = manifest.disabled.values().find(is_meant) {
        let complaint = Diagnostic::error(
            Code::DisabledRef,
            format!("{} refers to `{}`, which is disabled", described(node), call.name),
        )
        .at(at, "")
        .at(disabled.declared_at.clone(), format!("the disabled {}", disabled.resource_type))
        .help("enable it, or disable what refers to it");
        return Target::Disabled(Box::new(complaint));
    }
    let what = match &call.package {
        Some(package) => format!("`{package}.{}`", call.name),
        None => format!("`{}`", call.name),
    };
    let mut complaint =
        Diagnostic::error(Code::UnknownRef, format!("{} refers to {what}, which does not exist", described(node)))
            .at(at, "no model, seed or snapshot has this name");
    if let Some(version) = &call.version {
        let prefix = format!("{}.v", call.name);
        let versions: Vec<&str> =
            manifest.references.keys().filter_map(|name| name.strip_prefix(prefix.as_str())).collect();
        if !versions.is_empty() {
            return Target::Missing(Box::new(no_such_version(node, call, version, &versions)), call.name.clone());
        }
        complaint = complaint.note(format!("version {version} was asked for"));
    }
    let elsewhere = manifest.references.get(&call.name).and_then(|packages| packages.keys().next());
    if let (Some(package), Some(_)) = (elsewhere, &call.package) {
        complaint = complaint.help(format!("it is in the package `{package}`"));
    } else if manifest.source_index.keys().any(|(_, table)| *table == call.name) {
        complaint = complaint.help(format!("a source has a table `{}`: did you mean `source('…', '{0}')`?", call.name));
    } else if let Some(near) = nearest(&call.name, manifest.references.keys().map(String::as_str)) {
        complaint = complaint.help(format!("did you mean `{near}`?"));
    }
    Target::Missing(Box::new(complaint), call.name.clone())
}

fn source(
    manifest: &Manifest,
    disabled: &IndexMap<UniqueId, crate::manifest::Source>,
    node: &Node,
    call: &SourceCall,
) -> Target {
    let SourceCall { source_name, table_name, span } = call;
    // A package's own source comes first where several packages declare one of this name.
    let own = UniqueId::new(ResourceType::Source, &node.package_name, &format!("{source_name}.{table_name}"));
    if let Some(source) = manifest.find_source(source_name, table_name) {
        let id = if source.package_name == manifest.project_name || !manifest.sources.contains_key(&own) {
            source.unique_id.clone()
        } else {
            own
        };
        return Target::Found(id);
    }
    let at = place(node, span.as_ref());
    let is_meant = |source: &&crate::manifest::Source| source.source_name == *source_name && source.name == *table_name;
    if let Some(disabled) = disabled.values().find(is_meant) {
        let complaint = Diagnostic::error(
            Code::DisabledRef,
            format!("{} reads the source `{source_name}.{table_name}`, which is disabled", described(node)),
        )
        .at(at, "")
        .at(disabled.declared_at.clone(), "the disabled source");
        return Target::Disabled(Box::new(complaint));
    }
    let complaint = Diagnostic::error(
        Code::UnknownSource,
        format!("{} reads the source `{source_name}.{table_name}`, which is not declared", described(node)),
    )
    .at(at, "");
    let known: Vec<String> = manifest.source_index.keys().map(|(source, table)| format!("{source}.{table}")).collect();
    let tables =
        manifest.source_index.keys().filter(|(source, _)| source == source_name).map(|(_, table)| table.as_str());
    let near = nearest(table_name, tables).map(|table| format!("{source_name}.{table}")).or_else(|| {
        nearest(&format!("{source_name}.{table_name}"), known.iter().map(String::as_str)).map(str::to_owned)
    });
    let complaint = match near {
        Some(near) => complaint.help(format!("did you mean `{near}`?")),
        None => complaint.help("declare it under `sources:` in a properties file"),
    };
    Target::Missing(Box::new(complaint), String::new())
}
