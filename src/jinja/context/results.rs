//! `store_result`, `load_result`: what a `statement` leaves for later.

use super::record::Record;
use super::table::TableObject;
use super::{current, failure};
use crate::adapter::{Response, Table};
use crate::diagnostic::Code;
use crate::jinja::value::{is_absent, list, none, text, tuple};
use crate::jinja::{Arguments, RenderContext};
use minijinja::value::{Enumerator, Object, ObjectRepr, Value};
use minijinja::{Error, State};
use std::fmt;
use std::sync::Arc;

/// The name of the result that says how building a node went.
const MAIN: &str = "main";

/// What the warehouse said to a statement, as a template sees it: its message when printed, numbers as fields.
#[derive(Debug)]
struct ResponseObject(Response);

impl Object for ResponseObject {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let Response { message, rows_affected, query_id, details } = &self.0;
        match key.as_str()? {
            "_message" | "message" => Some(Value::from(message.as_str())),
            "code" => Some(Value::from(details.get("code").cloned().unwrap_or_else(|| message.clone()))),
            "rows_affected" => Some(Value::from(*rows_affected)),
            "query_id" => Some(Value::from(query_id.clone())),
            other => details.get(other).map(|value| Value::from(value.as_str())),
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Str(&["_message", "code", "rows_affected", "query_id"])
    }

    fn is_true(self: &Arc<Self>) -> bool {
        true
    }

    fn render(self: &Arc<Self>, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.message)
    }
}

/// What the warehouse said, for templates.
pub(super) fn response_value(response: Response) -> Value {
    Value::from_object(ResponseObject(response))
}

/// The response that a value is, or the text that stands for one.
fn response_from_value(value: &Value) -> Response {
    match value.downcast_object_ref::<ResponseObject>() {
        Some(response) => response.0.clone(),
        None if is_absent(value) => Response::default(),
        None => Response { message: text(value), ..Response::default() },
    }
}

/// What the statement `main` of a node gave: what the warehouse said, and its rows (of a data test: the counts).
/// None if the node ran no such statement.
pub fn main_result(context: &RenderContext) -> Option<(Response, Arc<Table>)> {
    let result = context.results().get(MAIN).cloned()?;
    let (response, table) = statement_result(&result)?;
    Some((response, table.unwrap_or_default()))
}

/// What a macro gave back that returns `load_result(…)`, or only its table as old ones do: what the warehouse said,
/// and the rows. None for a value that is neither.
pub fn statement_result(value: &Value) -> Option<(Response, Option<Arc<Table>>)> {
    if let Some(table) = TableObject::from_value(value) {
        return Some((Response::default(), Some(table)));
    }
    let response = response_from_value(&value.get_attr("response").ok().filter(|response| !response.is_undefined())?);
    Some((response, value.get_attr("table").ok().and_then(|table| TableObject::from_value(&table))))
}

fn store(state: &State, name: String, response: Value, table: Option<Value>) -> Result<Value, Error> {
    let table = table.unwrap_or_else(|| TableObject::value(Arc::default()));
    let rows = table.try_iter()?.map(|row| Ok(tuple(row.try_iter()?))).collect::<Result<Vec<_>, Error>>();
    let fields = [("response", response), ("data", list(rows?)), ("table", table)];
    let context = current(state)?;
    context.results().insert(name, Record::value("the result of a statement", fields));
    Ok(Value::from(""))
}

/// `store_result(name, response, agate_table)`.
pub(super) fn store_result(state: &mut State, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let name = arguments.text("name")?;
    let response = arguments.required("response")?;
    let table = arguments.optional("agate_table");
    arguments.finish()?;
    store(state, name, response, table)
}

/// `store_raw_result(name, message, code, rows_affected, agate_table)`.
pub(super) fn store_raw_result(state: &mut State, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let name = arguments.text("name")?;
    let message = arguments.optional_text("message").unwrap_or_default();
    let code = arguments.optional_text("code");
    let rows_affected = arguments.optional("rows_affected").and_then(|rows| text(&rows).parse().ok());
    let table = arguments.optional("agate_table");
    arguments.finish()?;
    let details = code.into_iter().map(|code| ("code".to_owned(), code)).collect();
    let response = Response { message, rows_affected, query_id: None, details };
    store(state, name, response_value(response), table)
}

/// `load_result(name)`: each result can be taken once, except the node's own.
pub(super) fn load_result(state: &mut State, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let name = arguments.text("name")?;
    arguments.finish()?;
    let context = current(state)?;
    let mut results = context.results();
    match results.get(&name).cloned() {
        None => Ok(none()),
        Some(value) if name == MAIN => Ok(value),
        Some(value) if value.is_none() => {
            let message = format!("the result of statement `{name}` was taken before, and is kept only once");
            Err(failure(Code::JinjaRender, message))
        }
        Some(value) => {
            results.insert(name, none());
            Ok(value)
        }
    }
}
