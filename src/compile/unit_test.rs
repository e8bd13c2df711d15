//! Unit tests: the tested model's SQL over CTEs of the rows that the test gives.

use super::host::{cte_name, cte_relation};
use super::{CompiledNode, Compiler, NodeHost, Surroundings, in_node};
use crate::adapter::Relation;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Result, Span};
use crate::jinja::context::{self, NodeContext, NodeHandle};
use crate::jinja::host::Host;
use crate::jinja::{RenderContext, Template, Value, from_json};
use crate::manifest::{ConfigMap, Fixture, Given, Node, Records, Rows, UnitTest};
use crate::name::{RelationName, ResourceType, UniqueId};
use crate::sql;
use rustc_hash::FxHashMap;
use serde_json::Value as Json;
use std::sync::Arc;

/// The macro that makes a query of rows.
const FIXTURE_MACRO: &str = "get_fixture_sql";

/// The inputs of a unit test: by the node or source that they stand for, the names of their CTEs.
pub(super) type Inputs = FxHashMap<UniqueId, String>;

/// What stands in for a node's surroundings in a unit test.
#[derive(Debug, Default)]
pub(super) struct Doubles {
    /// What is read in place of parents; none where parents are what they are.
    pub(super) inputs: Option<Inputs>,
    /// Variables that have another value.
    pub(super) variables: ConfigMap,
    /// Environment variables that have another value.
    pub(super) environment: ConfigMap,
    /// Config that the node has for this rendering only.
    pub(super) config: ConfigMap,
}

/// One input, rendered.
struct Input {
    id: UniqueId,
    name: String,
    /// In the dialect of the tested model, for people.
    sql: String,
    /// In the dialect of the target.
    executable: String,
}

/// A unit test while it is compiled.
struct Compiling<'a> {
    compiler: &'a Compiler,
    node: &'a Node,
    test: &'a UnitTest,
    tested: &'a Node,
    surroundings: &'a Surroundings,
    doubles: Arc<Doubles>,
}

impl Compiler {
    /// The SQL of the tested model with its inputs in front.
    pub(super) fn compile_unit_test(
        &self,
        node: &Node,
        test: &UnitTest,
        surroundings: &Surroundings,
    ) -> Result<CompiledNode> {
        let tested = test.tested.as_ref().and_then(|id| self.manifest.nodes.get(id)).ok_or_else(|| {
            Diagnostic::error(Code::Internal, format!("the model of the unit test `{}` is not there", node.unique_id))
        })?;
        check_expected(node, &test.expect)?;
        let overrides = test.overrides.clone().unwrap_or_default();
        let doubles = Doubles {
            inputs: Some(self.inputs(node, test)?),
            variables: overrides.variables,
            environment: overrides.environment,
            config: self.expectation(node, test)?,
        };
        let doubles = Arc::new(doubles);
        let compiling = Compiling { compiler: self, node, test, tested, surroundings, doubles };
        compiling.compile(&overrides.macros)
    }

    /// The render context in which the materialization of a unit test runs: it finds the expected rows in its config.
    pub fn unit_test_context(
        &self,
        node: &Node,
        test: &UnitTest,
        compiled: &CompiledNode,
        surroundings: &Surroundings,
    ) -> Result<Arc<RenderContext>> {
        let doubles = Arc::new(Doubles { config: self.expectation(node, test)?, ..Doubles::default() });
        let host = Arc::new(NodeHost::new(self, Some(node), surroundings).with_doubles(&doubles));
        self.context(Some(node), Some(compiled), surroundings, &host)
    }

    /// The expected rows as the config of a unit test has them. A query is in the tested model's dialect.
    fn expectation(&self, node: &Node, test: &UnitTest) -> Result<ConfigMap> {
        let (rows, query) = match &test.expect.rows {
            Rows::Records(records) => (records.clone(), Json::Null),
            Rows::Query(file, range) => {
                let path = file.path().to_string_lossy().into_owned();
                let sql = self.translate_text(&path, &file.text()[range.clone()], self.dialect_of(node))?;
                (Records::new(), Json::from(&*sql))
            }
        };
        let rows = rows.into_iter().map(Json::Object).collect();
        Ok(ConfigMap::from_iter([("expected_rows".to_owned(), rows), ("expected_sql".to_owned(), query)]))
    }

    /// The names of the CTEs for the inputs.
    fn inputs(&self, node: &Node, test: &UnitTest) -> Result<Inputs, Diagnostic> {
        let name = |given: &Given| {
            let unknown = || {
                let message = format!("the input `{}` of unit test `{}` does not exist", given.input, node.name);
                Diagnostic::error(Code::UnknownRef, message).at(given.span.clone(), "nothing has this name")
            };
            let id = given.target.clone().ok_or_else(unknown)?;
            let name = match (self.manifest.nodes.get(&id), self.manifest.sources.get(&id)) {
                (Some(model), _) => model.alias.clone(),
                (None, Some(source)) => format!("{}__{}", source.source_name, source.name),
                (None, None) => return Err(unknown()),
            };
            Ok((id, cte_name(&name)))
        };
        test.given.iter().map(name).collect()
    }
}

/// A finding in strata's own macros is about the rows that people wrote: it is shown at `place`.
pub fn in_own_words(found: Diagnostic, place: &Span) -> Diagnostic {
    let is_ours = found.labels().first().is_some_and(|label| label.span.file().path().starts_with("<strata>"));
    if !is_ours || found.code() != Code::CompilerError {
        return found;
    }
    let own = Diagnostic::error(found.code(), found.message()).at(place.clone(), "");
    match found.advice() {
        Some(advice) => own.help(advice),
        None => own,
    }
}

/// All expected rows must have the same columns: they become one query.
fn check_expected(node: &Node, expect: &Fixture) -> Result<(), Diagnostic> {
    let Rows::Records(records) = &expect.rows else { return Ok(()) };
    let Some((first, others)) = records.split_first() else { return Ok(()) };
    let differing = others.iter().find_map(|row| {
        let lacking = first.keys().find(|column| !row.contains_key(*column));
        lacking.or_else(|| row.keys().find(|column| !first.contains_key(*column)))
    });
    let Some(column) = differing else { return Ok(()) };
    let message = format!("not all expected rows of unit test `{}` have the column `{column}`", node.name);
    Err(Diagnostic::error(Code::YamlValue, message)
        .at(expect.span.clone(), "")
        .help("name the same columns in each row; `null` is a value too"))
}

impl Compiling<'_> {
    fn compile(&self, macros: &ConfigMap) -> Result<CompiledNode> {
        let template = Template::read(&self.tested.file, self.tested.code_range.clone())?;
        let host = self.host(Some(self.node));
        let this = self.doubles.inputs.as_ref().and_then(|inputs| inputs.get(&self.tested.unique_id));
        let has_this = self.test.given.iter().any(Given::is_this);
        let this = this.filter(|_| has_this).map(|name| cte_relation(name.clone()));
        let mut used = this.iter().map(|_| self.tested.unique_id.clone()).collect::<Vec<_>>();
        let this = this.map_or_else(
            || from_json(&Json::Null),
            |relation| context::relation_value(self.compiler.warehouse, &relation),
        );
        let values = self.values(NodeContext {
            node: Some(NodeHandle::Manifest(Arc::clone(&self.compiler.manifest), self.node.unique_id.clone())),
            more: vec![("this", this)],
            ..NodeContext::default()
        });
        let shared = Arc::clone(&host) as Arc<dyn Host>;
        let engine = &self.compiler.engine;
        let context = RenderContext::with_overrides(engine, &self.node.package_name, values, shared, macros);
        let rendered = engine.render(&template, &context).map_err(in_node(self.node))?;
        used.extend(host.ephemerals());
        let mut inputs = Vec::new();
        self.collect(&used, &mut vec![], &mut inputs)?;
        let path = format!("target/compiled/{}/{}", self.node.package_name, self.tested.original_file_path);
        let dialect = self.compiler.dialect_of(self.node);
        let own = self.compiler.translate_text(&path, &rendered.text, dialect);
        let own = own.map_err(|found| found.into_iter().map(in_node(self.node)).collect::<Diagnostics>())?;
        let with = |sql: &str, of: fn(&Input) -> &String| {
            let ctes: Vec<(String, String)> =
                inputs.iter().map(|input| (input.name.clone(), of(input).clone())).collect();
            sql::inject_ctes(sql, &ctes)
        };
        Ok(CompiledNode {
            unique_id: self.node.unique_id.clone(),
            sql: with(&rendered.text, |input| &input.sql).into(),
            executable: with(&own, |input| &input.executable).into(),
            ephemerals: vec![],
            map: None,
        })
    }

    fn host(&self, node: Option<&Node>) -> Arc<NodeHost> {
        Arc::new(NodeHost::new(self.compiler, node, self.surroundings).with_doubles(&self.doubles))
    }

    /// The values of a render, with what is the same in all of this unit test.
    fn values(&self, own: NodeContext) -> Vec<(&'static str, Value)> {
        let target = &self.compiler.project.target;
        context::node_values(
            self.compiler.warehouse,
            NodeContext {
                execute: true,
                database: target.database.clone(),
                schema: target.schema.clone(),
                graph: Some(self.compiler.graph.clone()),
                selected: Some(Arc::clone(&self.compiler.selected)),
                thread_id: self.surroundings.thread.clone(),
                ..own
            },
        )
    }

    /// The inputs behind `ids`, each once, what they read themselves before them. `open` are those that led here.
    fn collect(&self, ids: &[UniqueId], open: &mut Vec<UniqueId>, into: &mut Vec<Input>) -> Result<()> {
        for id in ids {
            if into.iter().any(|known| known.id == *id) {
                continue;
            }
            // Of two inputs for one parent the later one counts.
            let Some(given) = self.test.given.iter().rev().find(|given| given.target.as_ref() == Some(id)) else {
                continue;
            };
            if open.contains(id) {
                let message = format!("the input `{}` of unit test `{}` reads itself", given.input, self.node.name);
                return Err(Diagnostic::error(Code::Cycle, message).at(given.fixture.span.clone(), "").into());
            }
            let (input, used) = self.input(id, given)?;
            open.push(id.clone());
            self.collect(&used, open, into)?;
            open.pop();
            into.push(input);
        }
        Ok(())
    }

    /// One input, rendered as a model of its own; and which others it reads.
    fn input(&self, id: &UniqueId, given: &Given) -> Result<(Input, Vec<UniqueId>)> {
        let manifest = &self.compiler.manifest;
        let original = manifest.nodes.get(id);
        let source = manifest.sources.get(id);
        let (name, package) = match (original, source) {
            (Some(node), _) => (&node.name, &node.package_name),
            (None, Some(source)) => (&source.name, &source.package_name),
            (None, None) => (&self.node.name, &self.node.package_name),
        };
        let relation = original.map(relation_of).or_else(|| source.map(|source| source.relation.clone()));
        let mut model = self.node.clone();
        model.resource_type = ResourceType::Model;
        model.name.clone_from(name);
        model.package_name.clone_from(package);
        model.defer_relation = original.and_then(|node| node.defer_relation.clone());
        let host = self.host(original);
        let values = self.values(NodeContext {
            node: Some(NodeHandle::Single(Arc::new(model))),
            this: relation.map(|name| Relation { name, relation_type: None }),
            ..NodeContext::default()
        });
        let engine = &self.compiler.engine;
        let context = RenderContext::new(engine, package, values, Arc::clone(&host) as Arc<dyn Host>);
        let within = |found: Diagnostic| {
            let found = in_own_words(found, &given.span);
            // Where the input itself is shown, there is no need to show it again.
            let is_shown = found.labels().first().is_some_and(|label| label.span == given.span);
            let what = format!("in the input `{}` of unit test `{}`", given.input, self.node.name);
            found.within(what, (!is_shown).then(|| given.span.clone()))
        };
        let cte = self.doubles.inputs.as_ref().and_then(|inputs| inputs.get(id)).cloned().unwrap_or_default();
        let (sql, executable) = match &given.fixture.rows {
            Rows::Query(file, range) => {
                let template = Template::read(file, range.clone()).map_err(within)?;
                let text = engine.render(&template, &context).map_err(within)?.text;
                let path = file.path().to_string_lossy().into_owned();
                let translated = self.compiler.translate_text(&path, &text, self.compiler.dialect_of(self.node))?;
                (text, translated.to_string())
            }
            Rows::Records(records) => {
                let Some(definition) = engine.registry().find(FIXTURE_MACRO, package) else {
                    let message = format!("there is no macro `{FIXTURE_MACRO}`");
                    return Err(Diagnostic::error(Code::UnknownMacro, message).into());
                };
                let rows: Json = records.iter().cloned().map(Json::Object).collect();
                let arguments = [from_json(&rows), from_json(&Json::Null)];
                let text = engine.call_macro(&definition, &arguments, &[], &context).map_err(within)?.to_string();
                (text.clone(), text)
            }
        };
        Ok((Input { id: id.clone(), name: cte, sql, executable }, host.ephemerals()))
    }
}

/// Where a node's rows lie, or for an ephemeral model would lie.
fn relation_of(node: &Node) -> RelationName {
    node.relation_name.clone().unwrap_or_else(|| {
        RelationName::new(node.database.as_deref(), &node.schema, &node.alias, crate::name::Quoting::ALL)
    })
}
