//! `strata scd2 check`: whether a dimension holds what it promises.

use super::warehouse::Warehouse;
use super::workspace::{VerbFlags, Workspace};
use super::{Context, Outcome};
use crate::compile::Surroundings;
use crate::diagnostic::{Code, Diagnostic, Result, SourceFile, nearest};
use crate::jinja::host::Session;
use crate::manifest::{Materialized, Node};
use crate::report::{Product, TableFormat, format_table};
use crate::run::show as rows_of;
use std::sync::Arc;

/// Checks the dimension of a model and shows the rules that it breaks.
pub(super) fn check(context: &Context, name: &str) -> Result<Outcome> {
    let flags = VerbFlags { introspect: true, ..VerbFlags::default() };
    let workspace = Workspace::open(context, "scd2", flags)?;
    let node = dimension(&workspace, name)?;
    let compiler = workspace.compiler(vec![node.unique_id.clone()], &context.emit());
    let warehouse = Warehouse::open(&workspace.project, compiler.translates(std::slice::from_ref(&node.unique_id)))?;
    let session = warehouse.session(&context.emit())?;
    let surroundings =
        Surroundings { session: Some(Arc::clone(&session) as Arc<dyn Session>), ..Surroundings::default() };
    let model = compiler.compile(node, &surroundings)?;
    let question = compiler.compile(&question(node, &model.executable), &surroundings)?;
    let broken = rows_of(&session, &question.executable, None)?;
    if broken.rows.is_empty() {
        context.reporter.product(&Product::Text(format!("{name} holds every rule of a slowly changing dimension.")));
        return Ok(Outcome::Success);
    }
    let table = format_table(&broken, TableFormat::Text, None);
    context.reporter.product(&Product::Text(format!("{name} breaks these rules:\n{table}")));
    Ok(Outcome::Failure)
}

/// The node in whose name the macro that writes the check is rendered: the model with another text.
fn question(node: &Node, model_sql: &str) -> Node {
    let text = format!(
        "{{% set source_sql %}}{{% raw %}}{model_sql}{{% endraw %}}{{% endset %}}\
         {{{{ strata.scd2_check_sql(this, strata.scd2_settings_of(this, config), source_sql) }}}}"
    );
    let mut question = node.clone();
    question.code_range = 0..text.len();
    question.file = SourceFile::new("scd2 check", text);
    question.raw_code = Arc::clone(question.file.text());
    // The macro writes the target's own SQL, whatever the model is written in.
    question.config.values_mut().shift_remove("dialect");
    question
}

fn dimension<'w>(workspace: &'w Workspace, name: &str) -> Result<&'w Node> {
    let is_dimension = |node: &&Node| node.config.materialized() == Materialized::Scd2;
    let all: Vec<&Node> = workspace.manifest.nodes.values().filter(is_dimension).collect();
    if let Some(node) = all.iter().find(|node| node.name == name) {
        return Ok(node);
    }
    if workspace.manifest.nodes.values().any(|node| node.name == name) {
        return Err(Diagnostic::error(Code::Scd2, format!("`{name}` is not materialized as `scd2`")).into());
    }
    let names = all.iter().map(|node| node.name.as_str());
    let found = Diagnostic::error(Code::Scd2, format!("there is no model `{name}`"));
    Err(match nearest(name, names.clone()) {
        Some(near) => found.help(format!("did you mean `{near}`?")),
        None => found.note(format!("materialized as scd2: {}", names.collect::<Vec<_>>().join(", "))),
    }
    .into())
}
