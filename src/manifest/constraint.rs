//! Constraints that properties declare on models and columns.

use super::config::ConfigMap;
use super::node::{RefCall, SourceCall};
use super::{Manifest, Node};
use crate::name::RelationName;
use crate::project::properties::ConstraintKind;
use serde_json::{Value, json};

/// A declared constraint. It is written into DDL where the model's contract is enforced.
#[derive(Debug, Clone, PartialEq)]
pub struct Constraint {
    /// What it demands.
    pub kind: ConstraintKind,
    /// Its name in the warehouse.
    pub name: Option<String>,
    /// SQL whose meaning depends on the kind.
    pub expression: Option<String>,
    /// The columns that it is about; none at a column, which is meant itself.
    pub columns: Vec<String>,
    /// Of a foreign key: the other table.
    pub to: Option<ConstraintTarget>,
    /// Of a foreign key: the columns there.
    pub to_columns: Vec<String>,
    /// Whether to warn where the warehouse takes it without checking it.
    pub warn_unenforced: bool,
    /// Whether to warn where the warehouse has no such constraints.
    pub warn_unsupported: bool,
}

/// The table that a foreign key points to.
#[derive(Debug, Clone, PartialEq)]
pub struct ConstraintTarget {
    /// As written: `ref('customers')`.
    pub text: String,
    /// What that means, if it means anything: only a foreign key's is looked at.
    pub call: Option<TargetCall>,
}

/// A call that names a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetCall {
    /// `ref()`
    Reference(RefCall),
    /// `source()`
    Source(SourceCall),
}

impl Constraint {
    /// As dbt's manifest shows a column's. A model's has `columns` as well.
    pub fn shape(&self) -> ConfigMap {
        let shape = json!({
            "type": self.kind.as_str(), "name": self.name, "expression": self.expression,
            "warn_unenforced": self.warn_unenforced, "warn_unsupported": self.warn_unsupported,
            "to": self.to.as_ref().map(|to| to.text.as_str()), "to_columns": self.to_columns,
        });
        match shape {
            Value::Object(shape) => shape,
            _ => ConfigMap::new(),
        }
    }

    /// As dbt's manifest shows a model's.
    pub fn shape_of_model(&self) -> ConfigMap {
        let mut shape = self.shape();
        shape.insert("columns".to_owned(), json!(self.columns));
        shape
    }

    /// Where a foreign key of a node of `package` points to; none if it does not point to a node or source. As in dbt,
    /// what lives in another environment is pointed to there.
    pub fn target<'a>(&self, manifest: &'a Manifest, package: &str) -> Option<&'a RelationName> {
        match self.to.as_ref()?.call.as_ref()? {
            TargetCall::Reference(call) => {
                let node = manifest.find_reference(call, package)?;
                node.defer_relation.as_ref().map(|other| &other.name).or(node.relation_name.as_ref())
            }
            TargetCall::Source(call) => Some(&manifest.find_source(&call.source_name, &call.table_name)?.relation_name),
        }
    }
}

impl Node {
    /// The constraints of the model as a whole, then those of its columns.
    pub fn all_constraints(&self) -> impl Iterator<Item = &Constraint> {
        self.constraints.iter().chain(self.columns.values().flat_map(|column| &column.constraints))
    }

    /// Whether the model's columns and constraints are those that properties declare, or else it is not built.
    pub fn has_contract(&self) -> bool {
        self.config.get("contract").and_then(|contract| contract.get("enforced")).and_then(Value::as_bool) == Some(true)
    }
}
