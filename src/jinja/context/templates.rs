//! `render()`: text of a template's own making, rendered in the same render.

use super::current;
use crate::diagnostic::SourceFile;
use crate::jinja::{Arguments, Template, diagnostic_error};
use minijinja::value::Value;
use minijinja::{Error, State};

/// `render(string)`.
pub(super) fn render(state: &mut State, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let text = arguments.text("string")?;
    arguments.finish()?;
    render_text(state, &text).map(Value::from)
}

/// Renders a text with everything that the calling template sees.
pub(super) fn render_text(state: &State, text: &str) -> Result<String, Error> {
    let context = current(state)?;
    let file = SourceFile::new("<render>", text);
    let template = Template::whole(&file).map_err(diagnostic_error)?;
    let rendered = context.engine().render(&template, &context).map_err(diagnostic_error)?;
    Ok(rendered.text)
}

/// `write(payload)`: keeps the SQL that builds the node.
pub(super) fn write(state: &mut State, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let payload = arguments.text("payload")?;
    arguments.finish()?;
    current(state)?.host().write(&payload);
    Ok(Value::from(""))
}

/// `load_agate_table()`: the rows of the seed that is being loaded.
pub(super) fn load_agate_table(state: &mut State, arguments: Arguments<'_>) -> Result<Value, Error> {
    arguments.finish()?;
    let table = current(state)?.host().seed().map_err(crate::jinja::host_error)?;
    Ok(super::table::TableObject::value(table))
}
