//! Tests of the language core, with a small context of their own: what dbt's objects do is tested with them.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod cases;
mod errors;
mod instructions;
mod language;
mod library;
mod memo;
mod properties;
mod resolution;
mod traces;

use super::host::{Host, HostError, Phase, Session};
use super::value::{dict, invalid, list, none};
use super::{
    Engine, PackageKind, RegistryBuilder, RenderContext, Template, current, from_json, json_text, native,
    scan_macro_file,
};
use crate::adapter::Relation;
use crate::diagnostic::{Code, SourceFile, Span};
use crate::manifest::{ConfigMap, Manifest, RefCall, SourceCall};
use crate::name::UniqueId;
use minijinja::value::{Object, ObjectRepr, Value};
use minijinja::{Error, ErrorKind, State};
use serde_json::Value as Json;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};

/// A host that knows nothing but the phase, and notes which macros were called.
pub(super) struct TestHost {
    phase: Phase,
    pub called: Mutex<Vec<String>>,
}

impl Host for TestHost {
    fn phase(&self) -> Phase {
        self.phase
    }
    fn node(&self) -> Option<&UniqueId> {
        None
    }
    fn reference(&self, call: RefCall) -> Result<Relation, HostError> {
        Err(HostError::Refused {
            code: Code::UnknownRef,
            message: format!("there is no model `{}`", call.name),
            help: Some("did you mean `orders`?".to_owned()),
        })
    }
    fn source(&self, _call: SourceCall) -> Result<Relation, HostError> {
        Err(HostError::Refused { code: Code::UnknownSource, message: "no sources here".to_owned(), help: None })
    }
    fn configure(&self, _values: ConfigMap, _span: Option<Span>) -> Result<(), HostError> {
        Ok(())
    }
    fn config(&self, _key: &str) -> Option<Json> {
        None
    }
    fn config_values(&self) -> ConfigMap {
        ConfigMap::default()
    }
    fn variable(&self, _name: &str) -> Option<Json> {
        None
    }
    fn environment_variable(&self, _name: &str) -> Result<Option<String>, HostError> {
        Ok(None)
    }
    fn macro_called(&self, id: &UniqueId) {
        self.called.lock().unwrap().push(id.to_string());
    }
    fn manifest(&self) -> Option<&Arc<Manifest>> {
        None
    }
    fn session(&self) -> Option<&dyn Session> {
        None
    }
    fn log(&self, _message: &str, _visible: bool) {}
    fn warn(&self, _message: &str) {}
    fn write(&self, _sql: &str) {}
    fn seed(&self) -> Result<Arc<crate::adapter::Table>, HostError> {
        Ok(Arc::default())
    }
    fn doc(&self, _package: Option<&str>, name: &str) -> Result<String, HostError> {
        Ok(name.to_owned())
    }
}

pub(super) fn file(path: &str, text: &str) -> Arc<SourceFile> {
    SourceFile::new(path, text)
}

/// A registry builder with the macros of the cases in `proj`, and two internal packages.
pub(super) fn builder(more: &[(&str, &str, &str)]) -> RegistryBuilder {
    let mut builder = RegistryBuilder::new();
    builder.add_package("dbt_duckdb", PackageKind::Internal);
    builder.add_package("dbt", PackageKind::Internal);
    let mut files = vec![
        ("proj", "macros/cases.sql", include_str!("../../../tests/jinja_macros.sql")),
        ("dbt", "macros/builtin.sql", include_str!("../../../tests/jinja_builtin.sql")),
    ];
    files.extend(more);
    for (package, path, text) in files {
        for definition in scan_macro_file(package, &file(path, text)).unwrap().macros {
            builder.add(definition);
        }
    }
    builder
}

pub(super) fn engine_with(more: &[(&str, &str, &str)]) -> Arc<Engine> {
    let registry = builder(more).build("proj", "duckdb", HashMap::new()).unwrap();
    Engine::new(registry, shared())
}

pub(super) fn engine() -> Arc<Engine> {
    engine_with(&[])
}

pub(super) fn context_in(engine: &Arc<Engine>, phase: Phase) -> (Arc<RenderContext>, Arc<TestHost>) {
    let host = Arc::new(TestHost { phase, called: Mutex::default() });
    let model = from_json(&serde_json::json!({"name": "m", "alias": "m", "columns": {}}));
    let own = vec![("this", relation("db", "s", "m")), ("model", model)];
    (RenderContext::new(engine, "proj", own, Arc::clone(&host) as Arc<dyn Host>), host)
}

pub(super) fn context(engine: &Arc<Engine>) -> Arc<RenderContext> {
    context_in(engine, Phase::Execute).0
}

/// Renders a text as the model `models/m.sql`: twice, for the results of some macros are kept.
pub(super) fn render(text: &str) -> Result<String, crate::diagnostic::Diagnostic> {
    let engine = engine();
    let template = Template::whole(&file("models/m.sql", text))?;
    let of_node = || engine.render(&template, &context(&engine)).map(|rendered| rendered.text);
    let (first, second) = (of_node(), of_node());
    assert_eq!(first.as_ref().ok(), second.as_ref().ok(), "{text}");
    first
}

/// The frame of the error that rendering a text gives.
pub(super) fn frame(text: &str) -> String {
    let diagnostic = render(text).unwrap_err();
    crate::diagnostic::render(&diagnostic, crate::diagnostic::Style::Plain)
}

/// A relation as the cases print it.
#[derive(Clone)]
struct TestRelation(Vec<(&'static str, String)>);

fn relation(database: &str, schema: &str, identifier: &str) -> Value {
    let parts = [("database", database), ("schema", schema), ("identifier", identifier)];
    Value::from_object(TestRelation(parts.map(|(key, part)| (key, part.to_owned())).to_vec()))
}

impl fmt::Display for TestRelation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self.0.iter().map(|(_, part)| format!("\"{part}\"")).collect();
        formatter.write_str(&parts.join("."))
    }
}

impl fmt::Debug for TestRelation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "<DuckDBRelation {self}>")
    }
}

impl Object for TestRelation {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let part = self.0.iter().find(|(name, _)| Some(*name) == key.as_str());
        part.map(|(_, part)| Value::from(part.as_str()))
    }
    fn render(self: &Arc<Self>, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self}")
    }
    fn call_method(self: &Arc<Self>, _state: &mut State, method: &str, args: &[Value]) -> Result<Value, Error> {
        if method != "include" {
            return Err(Error::from(ErrorKind::UnknownMethod));
        }
        let mut arguments = super::Arguments::new(method, args);
        let mut included = (**self).clone();
        included.0.retain(|(part, _)| arguments.keyword(part).is_none_or(|flag| flag.is_true()));
        Ok(Value::from_object(included))
    }
}

/// `adapter`, with `dispatch` alone.
#[derive(Debug)]
struct TestAdapter;

impl Object for TestAdapter {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
    fn call_method(self: &Arc<Self>, state: &mut State, method: &str, args: &[Value]) -> Result<Value, Error> {
        if method != "dispatch" {
            return Err(Error::from(ErrorKind::UnknownMethod));
        }
        let mut arguments = super::Arguments::new(method, args);
        let name = arguments.text("macro_name")?;
        let namespace = arguments.optional_text("macro_namespace");
        arguments.finish()?;
        let context = current(state)?;
        let registry = context.engine().registry();
        registry.dispatch(&name, namespace.as_deref(), context.package())
    }
}

/// `config`: takes what it is given, and gives it back.
#[derive(Debug)]
struct TestConfig;

impl Object for TestConfig {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
    fn call(self: &Arc<Self>, state: &mut State, args: &[Value]) -> Result<Value, Error> {
        let context = current(state)?;
        for (name, value) in super::Arguments::new("config", args).keywords() {
            context.results().insert(name, value);
        }
        Ok(Value::from(""))
    }
    fn call_method(self: &Arc<Self>, state: &mut State, _method: &str, args: &[Value]) -> Result<Value, Error> {
        let mut arguments = super::Arguments::new("get", args);
        let name = arguments.text("name")?;
        let known = current(state)?.results().get(&name).cloned();
        Ok(known.or_else(|| arguments.given("default")).unwrap_or_else(none))
    }
}

fn shared() -> Vec<(&'static str, Value)> {
    let create = native("create", |_, mut arguments| {
        let mut part = |name| arguments.keyword(name).map(|part| part.to_string()).unwrap_or_default();
        Ok(relation(&part("database"), &part("schema"), &part("identifier")))
    });
    vec![
        ("execute", Value::from(true)),
        ("adapter", Value::from_object(TestAdapter)),
        ("config", Value::from_object(TestConfig)),
        ("target", dict([("name", Value::from("dev"))])),
        ("modules", super::modules::modules("2024-01-02T03:04:05.000678Z".parse().unwrap())),
        ("api", dict([("Relation", dict([("create", create)]))])),
        ("validation", dict([("any", native("any", |_, _| Ok(native("validator", |_, _| Ok(none())))))])),
        (
            "exceptions",
            dict([(
                "raise_compiler_error",
                native("raise_compiler_error", |_, mut arguments| {
                    let message = arguments.text("msg")?;
                    Err(super::host_error(HostError::Refused { code: Code::CompilerError, message, help: None }))
                }),
            )]),
        ),
        (
            "ref",
            native("ref", |state, mut arguments| {
                let name = arguments.text("name")?;
                if name.starts_with("missing") {
                    let call = RefCall { package: None, name, version: None, span: None };
                    return match current(state)?.host().reference(call) {
                        Ok(_) => Ok(none()),
                        Err(error) => Err(super::host_error(error)),
                    };
                }
                Ok(relation("db", "s", &name))
            }),
        ),
        (
            "source",
            native("source", |_, mut arguments| {
                Ok(relation("db", &arguments.text("source")?, &arguments.text("table")?))
            }),
        ),
        (
            "var",
            native("var", |_, mut arguments| {
                arguments.text("name")?;
                Ok(arguments.given("default").unwrap_or_else(none))
            }),
        ),
        (
            "fromjson",
            native("fromjson", |_, mut arguments| {
                let json =
                    serde_json::from_str(&arguments.text("string")?).map_err(|error| invalid(error.to_string()))?;
                Ok(from_json(&json))
            }),
        ),
        (
            "tojson",
            native("tojson", |_, mut arguments| json_text(&arguments.required("value")?, false).map(Value::from)),
        ),
        (
            "zip",
            native("zip", |_, mut arguments| {
                let columns: Vec<Vec<Value>> = arguments
                    .rest()
                    .iter()
                    .map(|column| Ok(column.try_iter()?.collect()))
                    .collect::<Result<_, Error>>()?;
                let count = columns.iter().map(Vec::len).min().unwrap_or(0);
                let row = |at: usize| super::value::tuple(columns.iter().map(|column| column[at].clone()));
                Ok(list((0..count).map(row).collect::<Vec<_>>()))
            }),
        ),
    ]
}
