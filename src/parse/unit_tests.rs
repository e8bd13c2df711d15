//! Unit tests: an entry under `unit_tests:` becomes a node, or several where its model has versions.
//!
//! They are read when everything else is: the model and the inputs are looked up in the manifest.

use super::config::Merging;
use super::config_types;
use super::docs::Descriptions;
use super::drafts::{blank, full_name};
use super::fixtures::Fixtures;
use super::host::ParseHost;
use super::render::Stage;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, SourceFile, nearest};
use crate::jinja::{RenderContext, Template};
use crate::manifest::{Given, Manifest, Node, NodeConfig, Overrides, RefCall, UnitTest, Versions};
use crate::name::{ResourceType, UniqueId};
use crate::project::config::TreeKind;
use crate::project::properties::{GivenProperties, Properties, UnitTestProperties};
use crate::project::{FileKind, Package, checksum};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The macro whose answer an incremental model's unit test must give.
const IS_INCREMENTAL: &str = "is_incremental";

/// Adds the unit tests of all packages to the manifest. Two of one name for one model are errors.
pub fn add(stage: &Stage<'_>, manifest: &mut Manifest, found: &mut Diagnostics) {
    let mut nodes = Vec::new();
    let versions = versions(manifest);
    for package in &stage.project.packages {
        for file in &package.properties {
            let reading = Reading { stage, manifest, versions: &versions, package, file };
            for described in &file.unit_tests {
                nodes.extend(reading.nodes(described, found));
            }
        }
    }
    for node in nodes {
        let section = if node.config.enabled() { &mut manifest.nodes } else { &mut manifest.disabled };
        if let Some(first) = section.get(&node.unique_id) {
            let message = format!("there are two unit tests named `{}` for one model", node.name);
            found.push(
                Diagnostic::error(Code::DuplicateName, message)
                    .at(node.declared_at.clone(), "the second one")
                    .at(first.declared_at.clone(), "the first one")
                    .help("rename one of them"),
            );
            continue;
        }
        section.insert(node.unique_id.clone(), node);
    }
}

/// What a unit test is called where its config tree is matched and selectors find it.
pub fn full_name_of(package: &str, file: &Properties, described: &UnitTestProperties) -> Vec<String> {
    let mut fqn = full_name(package, &file.path, &described.model.0);
    fqn.push(described.name.clone());
    fqn
}

/// The enabled versions of each model that has any, by package and name, in the manifest's order.
type VersionsByModel = BTreeMap<(String, String), Vec<UniqueId>>;

fn versions(manifest: &Manifest) -> VersionsByModel {
    let mut versions = VersionsByModel::new();
    for node in manifest.nodes.values().filter(|node| node.version.is_some()) {
        let key = (node.package_name.clone(), node.name.clone());
        versions.entry(key).or_default().push(node.unique_id.clone());
    }
    versions
}

/// What is needed to read the entries of one file.
struct Reading<'a> {
    stage: &'a Stage<'a>,
    manifest: &'a Manifest,
    versions: &'a VersionsByModel,
    package: &'a Package,
    file: &'a Properties,
}

impl Reading<'_> {
    /// The nodes of an entry: none if it cannot be read.
    fn nodes(&self, described: &UnitTestProperties, found: &mut Diagnostics) -> Vec<Node> {
        let mut own = Diagnostics::new();
        let read = self.try_nodes(described, &mut own);
        // What is doubtful in an installed package is its author's business.
        let is_foreign = self.package.name() != self.stage.project.name();
        if own.has_errors() || !is_foreign {
            found.extend(own);
        }
        match read {
            Ok(nodes) => nodes,
            Err(error) => {
                found.push(error);
                vec![]
            }
        }
    }

    fn try_nodes(&self, described: &UnitTestProperties, found: &mut Diagnostics) -> Result<Vec<Node>, Diagnostic> {
        let mut node = self.blank(described, found);
        let model = match self.tested(described) {
            Some(model) => Some(model),
            None if !node.config.enabled() || self.is_disabled(described) => None,
            // The model is there, but could not be read: that was told.
            None if self.has_file(described) => return Ok(vec![]),
            None => return Err(self.unknown_model(described)),
        };
        // Nobody asks what a test reads that does not take part.
        let mut unheard = Diagnostics::new();
        let takes_part = model.is_some() && node.config.enabled();
        let doubts = if takes_part { &mut *found } else { &mut unheard };
        let fixtures = Fixtures { project: self.stage.project, package: self.package };
        let given = described.given.iter().map(|given| self.given(given, described, model, &fixtures, doubts));
        let test = UnitTest {
            model: described.model.0.clone(),
            tested: None,
            given: given.collect::<Result<_, _>>()?,
            expect: fixtures.read(&described.expect, None)?,
            overrides: described.overrides.as_ref().map(|given| Overrides {
                macros: given.macros.clone(),
                variables: given.variables.clone(),
                environment: given.environment.clone(),
            }),
            versions: described
                .versions
                .as_ref()
                .map(|given| Versions { include: given.include.clone(), exclude: given.exclude.clone() }),
            version: None,
        };
        node.checksum = checksum(Json::Object(test.content()).to_string().as_bytes());
        let Some(model) = model.filter(|_| node.config.enabled()) else {
            node.config.values_mut().insert("enabled".to_owned(), false.into());
            node.unit_test = Some(Arc::new(test));
            return Ok(vec![node]);
        };
        self.check_macros(described, found);
        check_incremental(described, model)?;
        let tested = self.chosen_versions(described, model)?;
        Ok(tested.into_iter().map(|model| of_model(&node, &test, model)).collect())
    }

    /// The node as far as its entry alone tells.
    fn blank(&self, described: &UnitTestProperties, found: &mut Diagnostics) -> Node {
        let package = self.package.name();
        let id = format!("{}.{}", described.model.0, described.name);
        let mut node = blank(package, ResourceType::UnitTest, &id, described.name_span.file(), 0..0);
        node.name.clone_from(&described.name);
        node.alias.clone_from(&described.name);
        node.path.clone_from(&self.file.path);
        node.original_file_path.clone_from(&self.file.original_file_path);
        node.declared_at = described.name_span.clone();
        node.fqn = full_name_of(package, self.file, described);
        let descriptions = Descriptions::new(self.stage.engine, self.stage.surroundings, package);
        node.description = descriptions.text(&described.description, &described.name_span, found);
        let mut merging = Merging::default();
        merging.set("enabled", true.into(), None);
        merging.set("materialized", "unit".into(), None);
        if let Some(tree) = self.package.config.trees.get(&TreeKind::UnitTests) {
            merging.tree(tree, &node.fqn);
        }
        let place = |key: &str| {
            let known = described.config_places.iter().rev().find(|(name, _)| name == key);
            known.map(|(_, span)| span.clone())
        };
        merging.values(&described.config, place);
        merging.unrendered.extend(described.unrendered_config.clone());
        let root = self.stage.project.root_package();
        if package != root.name()
            && let Some(tree) = root.config.trees.get(&TreeKind::UnitTests)
        {
            merging.tree(tree, &node.fqn);
        }
        node.config = NodeConfig::new(merging.values);
        node.unrendered_config = merging.unrendered;
        config_types::check(&node, &merging.places, found);
        node
    }

    /// The model of the test's own package; where it has versions, the latest.
    fn tested(&self, described: &UnitTestProperties) -> Option<&Node> {
        let package = self.package.name();
        let name = described.model.0.clone();
        let call = RefCall { package: Some(package.to_owned()), name, version: None, span: None };
        let node = self.manifest.find_reference(&call, package);
        node.filter(|node| node.resource_type == ResourceType::Model)
    }

    fn is_disabled(&self, described: &UnitTestProperties) -> bool {
        self.manifest.disabled.values().any(|node| {
            node.resource_type == ResourceType::Model
                && node.package_name == self.package.name()
                && node.name == described.model.0
        })
    }

    fn has_file(&self, described: &UnitTestProperties) -> bool {
        let ending = format!("{}.sql", described.model.0);
        let is_it = |path: &str| path.rsplit('/').next() == Some(ending.as_str());
        self.package.files(FileKind::Model).any(|file| is_it(&file.path))
    }

    fn unknown_model(&self, described: &UnitTestProperties) -> Diagnostic {
        let (name, span) = &described.model;
        let message = format!("unit test `{}` is for the model `{name}`, which does not exist", described.name);
        let found = Diagnostic::error(Code::UnknownRef, message)
            .at(span.clone(), format!("the package `{}` has no such model", self.package.name()));
        let own = |node: &&Node| node.resource_type == ResourceType::Model && node.package_name == self.package.name();
        let names = self.manifest.nodes.values().filter(own).map(|node| node.name.as_str());
        match nearest(name, names) {
            Some(near) => found.help(format!("did you mean `{near}`?")),
            None => found,
        }
    }

    /// One input. That it does not exist is told here, and again by the test when it runs: as in dbt, everything else
    /// runs in spite of it.
    fn given(
        &self,
        given: &GivenProperties,
        described: &UnitTestProperties,
        model: Option<&Node>,
        fixtures: &Fixtures<'_>,
        found: &mut Diagnostics,
    ) -> Result<Given, Diagnostic> {
        let (input, span) = &given.input;
        let is_this = input.trim() == "this";
        let target = match (is_this, model) {
            (true, model) => model.map(|model| model.unique_id.clone()),
            (false, _) => self.target(given).map_err(|complaint| found.push(complaint)).ok(),
        };
        if let (Some(target), Some(model), false) = (&target, model, is_this)
            && described.overrides.is_none()
            && !model.depends_on.nodes.contains(target)
        {
            let message = format!("the model `{}` does not read `{input}`", model.name);
            let calls: Vec<String> = model.depends_on.nodes.iter().map(|id| self.call_of(id)).collect();
            let warning = Diagnostic::warning(Code::UnknownRef, message).at(span.clone(), "these rows have no effect");
            found.push(match nearest(input, calls.iter().map(String::as_str)) {
                Some(near) => warning.help(format!("did you mean `{near}`?")),
                None if calls.is_empty() => warning,
                None => warning.help(format!("it reads {}", calls.join(", "))),
            });
        }
        let node = target.as_ref().and_then(|id| self.manifest.nodes.get(id));
        let fixture = fixtures.read(&given.fixture, Some((input, node)))?;
        Ok(Given { input: input.clone(), span: span.clone(), target, fixture })
    }

    /// How a node or source is called: `ref('orders')`.
    fn call_of(&self, id: &UniqueId) -> String {
        match (self.manifest.nodes.get(id), self.manifest.sources.get(id)) {
            (Some(node), _) => match &node.version {
                Some(version) => format!("ref('{}', v={})", node.name, version.number.text()),
                None => format!("ref('{}')", node.name),
            },
            (_, Some(source)) => format!("source('{}', '{}')", source.source_name, source.name),
            _ => id.to_string(),
        }
    }

    /// What `ref(…)` or `source(…)` of an input means; else why it means nothing.
    fn target(&self, given: &GivenProperties) -> Result<UniqueId, Diagnostic> {
        let (input, span) = &given.input;
        let package = self.package.name();
        let unknown = |label: &str| {
            let message = format!("the input `{input}` of a unit test does not exist");
            Diagnostic::warning(Code::UnknownRef, message).at(span.clone(), label)
        };
        let help = "an input is `ref('model')`, `source('name', 'table')` or `this`";
        let host = ParseHost::new(self.stage.surroundings, package, None);
        let context = RenderContext::new(self.stage.engine, package, vec![], Arc::clone(&host) as _);
        let template = Template::whole(&SourceFile::new("(an input)", format!("{{{{ {input} }}}}")));
        let rendered = template.and_then(|template| self.stage.engine.render(&template, &context));
        if let Err(error) = rendered {
            return Err(unknown(error.message()).help(help));
        }
        let captured = host.take();
        if let Some(call) = captured.refs.first() {
            let node = self.manifest.find_reference(call, package);
            return node.map(|node| node.unique_id.clone()).ok_or_else(|| {
                if self.manifest.disabled.values().any(|node| node.name == call.name) {
                    return unknown("it is disabled");
                }
                let found = unknown("no model, seed or snapshot has this name");
                match nearest(&call.name, self.manifest.references.keys().map(String::as_str)) {
                    Some(near) => found.help(format!("did you mean `ref('{near}')`?")),
                    None => found,
                }
            });
        }
        let Some(call) = captured.sources.first() else {
            return Err(unknown("this names no parent").help(help));
        };
        let source = self.manifest.find_source(&call.source_name, &call.table_name);
        source.map(|source| source.unique_id.clone()).ok_or_else(|| {
            let found = unknown("no source has this table");
            let known: Vec<String> =
                self.manifest.source_index.keys().map(|(name, table)| format!("source('{name}', '{table}')")).collect();
            match nearest(input, known.iter().map(String::as_str)) {
                Some(near) => found.help(format!("did you mean `{near}`?")),
                None => found,
            }
        })
    }

    /// Warns of overrides of macros that nobody can call.
    fn check_macros(&self, described: &UnitTestProperties, found: &mut Diagnostics) {
        let Some(overrides) = &described.overrides else { return };
        let host = ParseHost::new(self.stage.surroundings, self.package.name(), None);
        let context = RenderContext::new(self.stage.engine, self.package.name(), vec![], host);
        for (name, place) in &overrides.macro_places {
            if context.can_override(name) {
                continue;
            }
            let warning = Diagnostic::warning(Code::UnknownMacro, format!("there is no macro `{name}` to override"))
                .at(place.clone(), "this has no effect");
            let registry = self.stage.engine.registry();
            found.push(match nearest(name, registry.macros().map(|known| known.name.as_str())) {
                Some(near) => warning.help(format!("did you mean `{near}`?")),
                None => warning,
            });
        }
    }

    /// The model, or those of its versions that the entry chooses.
    fn chosen_versions(&self, described: &UnitTestProperties, model: &'_ Node) -> Result<Vec<&Node>, Diagnostic> {
        let chosen = described.versions.as_ref();
        let is_in = |list: &[Json], version: &str| {
            list.iter().any(|one| one.as_str().map_or_else(|| one.to_string(), str::to_owned) == version)
        };
        let given = |list: Option<&Vec<Json>>| list.filter(|list| !list.is_empty()).cloned();
        let include = given(chosen.and_then(|chosen| chosen.include.as_ref()));
        let exclude = given(chosen.and_then(|chosen| chosen.exclude.as_ref()));
        let place = chosen.map_or(&described.name_span, |chosen| &chosen.span);
        if model.version.is_none() {
            if include.is_none() && exclude.is_none() {
                return Ok(self.manifest.nodes.get(&model.unique_id).into_iter().collect());
            }
            let message = format!("the model `{}` has no versions to choose from", model.name);
            return Err(Diagnostic::error(Code::YamlValue, message).at(place.clone(), "").help("remove `versions`"));
        }
        let known = self.versions.get(&(model.package_name.clone(), model.name.clone())).into_iter().flatten();
        let known: Vec<&Node> = known.filter_map(|id| self.manifest.nodes.get(id)).collect();
        let number = |node: &Node| node.version.as_ref().map(|version| version.number.text()).unwrap_or_default();
        let is_chosen = |node: &&Node| match (&include, &exclude) {
            (Some(include), _) => is_in(include, &number(node)),
            (None, Some(exclude)) => !is_in(exclude, &number(node)),
            // As in dbt, a choice that names none chooses none.
            (None, None) => chosen.is_none(),
        };
        let tested: Vec<&Node> = known.iter().copied().filter(|node| is_chosen(node)).collect();
        if tested.is_empty() {
            let numbers: Vec<String> = known.iter().map(|node| number(node)).collect();
            let message = format!("unit test `{}` chooses no version of `{}`", described.name, model.name);
            let found = Diagnostic::error(Code::YamlValue, message).at(place.clone(), "");
            return Err(found.help(format!("its versions are {}", numbers.join(", "))));
        }
        Ok(tested)
    }
}

/// What a model does when it is built again cannot be told from its inputs: the test must say it.
fn check_incremental(described: &UnitTestProperties, model: &Node) -> Result<(), Diagnostic> {
    let asks = model.depends_on.macros.iter().any(|id| id.as_str() == "macro.dbt.is_incremental");
    if !asks {
        return Ok(());
    }
    let answer = described.overrides.as_ref().and_then(|overrides| overrides.macros.get(IS_INCREMENTAL));
    let Some(answer) = answer.and_then(Json::as_bool) else {
        let message = format!("unit test `{}` must say whether `{}` runs incrementally", described.name, model.name);
        return Err(Diagnostic::error(Code::YamlValue, message)
            .at(described.name_span.clone(), "the model calls `is_incremental()`")
            .help("add `overrides: {macros: {is_incremental: false}}`, or `true` with an input `this`"));
    };
    let has_this = described.given.iter().any(|given| given.input.0 == "this");
    if answer && !has_this {
        let message = format!("unit test `{}` needs the rows that `{}` had before", described.name, model.name);
        return Err(Diagnostic::error(Code::YamlValue, message)
            .at(described.name_span.clone(), "`is_incremental` is true here")
            .help("add an input `this` under `given:`"));
    }
    Ok(())
}

/// The test of one model, or of one version of it.
fn of_model(node: &Node, test: &UnitTest, model: &Node) -> Node {
    let mut node = node.clone();
    let mut test = test.clone();
    if let Some(version) = &model.version {
        let number = version.number.text();
        node.alias = format!("{}_v{number}", node.name);
        node.unique_id = UniqueId::from(format!("{}_v{number}", node.unique_id).as_str());
        test.version = Some(version.number.clone());
        for given in test.given.iter_mut().filter(|given| given.is_this()) {
            given.target = Some(model.unique_id.clone());
        }
    }
    node.schema.clone_from(&model.schema);
    node.database.clone_from(&model.database);
    node.depends_on.nodes = vec![model.unique_id.clone()];
    if let Some(dialect) = model.config.get("dialect") {
        node.config.values_mut().insert("dialect".to_owned(), dialect.clone());
    }
    test.tested = Some(model.unique_id.clone());
    node.unit_test = Some(Arc::new(test));
    node
}
