//! Constraints: what their foreign keys refer to, what cannot be, and the checksum of a contract.

use super::host::{Captured, ParseHost, Surroundings};
use super::python;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, SourceFile};
use crate::jinja::{Engine, RenderContext, Template};
use crate::manifest::{Constraint, ConstraintTarget, Materialized, Node, TargetCall};
use crate::name::ResourceType;
use crate::project::checksum;
use crate::project::properties::{ConstraintKind, ConstraintProperties, NodeProperties};
use std::fmt::Write as _;
use std::sync::Arc;

/// The constraints of a model or column as a manifest holds them.
pub fn read(
    engine: &Arc<Engine>,
    surroundings: &Arc<Surroundings>,
    package: &str,
    declared: &[ConstraintProperties],
    found: &mut Diagnostics,
) -> Vec<Constraint> {
    let mut one = |declared: &ConstraintProperties| {
        let to = declared.to.as_ref().map(|(text, span)| {
            let mut call = None;
            if declared.kind == ConstraintKind::ForeignKey {
                call = target(engine, surroundings, package, text);
                if call.is_none() {
                    let message = format!("`{text}` is no table that a foreign key can point to");
                    let complaint = Diagnostic::error(Code::YamlValue, message);
                    found.push(complaint.at(span.clone(), "expected `ref('…')` or `source('…', '…')`"));
                }
                match &mut call {
                    Some(TargetCall::Reference(call)) => call.span = Some(span.clone()),
                    Some(TargetCall::Source(call)) => call.span = Some(span.clone()),
                    None => {}
                }
            }
            ConstraintTarget { text: text.clone(), call }
        });
        Constraint {
            kind: declared.kind,
            name: declared.name.clone(),
            expression: declared.expression.clone(),
            columns: declared.columns.clone(),
            to,
            to_columns: declared.to_columns.clone(),
            warn_unenforced: declared.warn_unenforced,
            warn_unsupported: declared.warn_unsupported,
        }
    };
    declared.iter().map(&mut one).collect()
}

/// What `ref(…)` or `source(…)` calls; none if the text is anything else.
fn target(engine: &Arc<Engine>, surroundings: &Arc<Surroundings>, package: &str, text: &str) -> Option<TargetCall> {
    let host = ParseHost::new(surroundings, package, None);
    let context = RenderContext::new(engine, package, vec![], Arc::clone(&host) as _);
    let template = Template::whole(&SourceFile::new("(a foreign key)", format!("{{{{ {text} }}}}"))).ok()?;
    engine.render(&template, &context).ok()?;
    let Captured { mut refs, mut sources, .. } = host.take();
    match (refs.pop(), sources.pop()) {
        (Some(call), None) => Some(TargetCall::Reference(call)),
        (None, Some(call)) => Some(TargetCall::Source(call)),
        _ => None,
    }
}

/// What a node's foreign keys refer to, as if its text had called it.
pub fn references(node: &Node, captured: &mut Captured) {
    let targets = node.all_constraints().filter_map(|constraint| constraint.to.as_ref()?.call.clone());
    for call in targets {
        match call {
            TargetCall::Reference(call) => captured.refs.push(call),
            TargetCall::Source(call) => captured.sources.push(call),
        }
    }
}

/// Complains of what dbt complains of.
pub fn check(node: &Node, described: &NodeProperties, found: &mut Diagnostics) {
    if node.resource_type != ResourceType::Model {
        return;
    }
    check_primary_keys(node, described, found);
    if !node.has_contract() {
        return;
    }
    if described.columns.is_empty() {
        let message = format!("the model `{}` has a contract that is enforced, but declares no columns", node.name);
        let complaint = Diagnostic::error(Code::Config, message).at(described.name_span.clone(), "");
        found.push(complaint.help("declare its columns with their `data_type` here"));
    }
    let first = described.constraints.iter().chain(described.columns.iter().flat_map(|column| &column.constraints));
    if let Some(first) = first.into_iter().find(|constraint| constraint.warn_unsupported)
        && !enforces_constraints(node)
    {
        let message = format!(
            "the constraints of `{}` have no effect: it is materialized as {}, not as table or incremental",
            node.name,
            node.config.materialized().as_str(),
        );
        let warning = Diagnostic::warning(Code::Config, message).at(first.span.clone(), "");
        found.push(warning.help("materialize it as a table, or set `warn_unsupported: false`"));
    }
}

/// Whether the DDL of such a model has constraints.
fn enforces_constraints(node: &Node) -> bool {
    matches!(node.config.materialized(), Materialized::Table | Materialized::Incremental)
}

/// A table has one primary key at most.
fn check_primary_keys(node: &Node, described: &NodeProperties, found: &mut Diagnostics) {
    let is_key = |constraint: &&ConstraintProperties| constraint.kind == ConstraintKind::PrimaryKey;
    let of_model = described.constraints.iter().find(is_key);
    let of_columns: Vec<&ConstraintProperties> =
        described.columns.iter().flat_map(|column| &column.constraints).filter(is_key).collect();
    let [first, rest @ ..] = of_columns.as_slice() else { return };
    if let Some(second) = rest.first() {
        let message = format!("several columns of `{}` are its primary key", node.name);
        let complaint = Diagnostic::error(Code::YamlValue, message)
            .at(second.span.clone(), "the second one")
            .at(first.span.clone(), "the first one");
        found.push(complaint.help("declare one key of several columns under `constraints:` of the model"));
    }
    if let Some(of_model) = of_model {
        let message = format!("`{}` has a primary key of its own and one of a column", node.name);
        let complaint = Diagnostic::error(Code::YamlValue, message)
            .at(first.span.clone(), "the column's")
            .at(of_model.span.clone(), "the model's");
        found.push(complaint.help("keep one of them"));
    }
}

/// dbt's checksum of what a contract promises; none where there is no contract.
pub fn contract_checksum(node: &Node) -> Option<String> {
    if node.resource_type != ResourceType::Model || !node.has_contract() {
        return None;
    }
    let mut columns: Vec<_> = node.columns.values().collect();
    columns.sort_by(|one, other| one.name.cmp(&other.name));
    let mut state = String::new();
    for column in columns {
        let data_type = column.data_type.as_deref().unwrap_or("None");
        let _ = write!(state, "|{}{data_type}{}", column.name, listed(&column.constraints, false));
    }
    if enforces_constraints(node) {
        state.push_str(node.config.materialized().as_str());
        state.push_str(&listed(&node.constraints, true));
    }
    Some(checksum(state.as_bytes()))
}

/// Constraints as Python writes a list of dbt's.
fn listed(constraints: &[Constraint], of_model: bool) -> String {
    let one = |constraint: &Constraint| {
        let kind = constraint.kind.as_str();
        let shape = if of_model { constraint.shape_of_model() } else { constraint.shape() };
        let fields = shape.iter().map(|(key, value)| match key.as_str() {
            "type" => format!("type=<ConstraintType.{kind}: '{kind}'>"),
            key => format!("{key}={}", python::repr(value)),
        });
        let class = if of_model { "ModelLevelConstraint" } else { "ColumnLevelConstraint" };
        format!("{class}({})", fields.collect::<Vec<_>>().join(", "))
    };
    format!("[{}]", constraints.iter().map(one).collect::<Vec<_>>().join(", "))
}
