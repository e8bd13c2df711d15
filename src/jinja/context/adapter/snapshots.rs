//! `adapter.*` about the tables of snapshots.

use super::{Call, none};
use crate::diagnostic::Code;
use crate::jinja::context::failure_with_help;
use crate::jinja::context::relation::RelationObject;
use crate::jinja::value::{is_absent, text};
use minijinja::Error;
use minijinja::value::Value;
use std::sync::Arc;

impl Call<'_, '_, '_, '_> {
    /// Complains if an existing table lacks the columns of a snapshot.
    pub(super) fn valid_snapshot_target(&mut self) -> Result<Value, Error> {
        let relation = self.relation("relation")?;
        let names = self.arguments.optional("column_names");
        self.check_snapshot_columns(&relation, names.as_ref(), &["dbt_scd_id", "dbt_valid_from", "dbt_valid_to"])?;
        Ok(none())
    }

    /// The same, with the column that `hard_deletes: new_record` needs.
    pub(super) fn valid_snapshot_target_given_strategy(&mut self) -> Result<Value, Error> {
        let relation = self.relation("relation")?;
        let names = self.arguments.optional("column_names");
        let strategy = self.arguments.required("strategy")?;
        let mut columns = vec!["dbt_scd_id", "dbt_valid_from", "dbt_valid_to"];
        let hard_deletes = strategy.get_attr("hard_deletes").unwrap_or_default();
        if hard_deletes == Value::from("new_record") {
            columns.push("dbt_is_deleted");
        }
        self.check_snapshot_columns(&relation, names.as_ref(), &columns)?;
        Ok(none())
    }

    fn check_snapshot_columns(
        &mut self,
        relation: &Arc<RelationObject>,
        names: Option<&Value>,
        columns: &[&str],
    ) -> Result<(), Error> {
        let existing: Vec<String> = self.columns(relation)?.iter().map(|column| column.name().to_lowercase()).collect();
        let wanted = |column: &&str| {
            let given = names.and_then(|names| names.get_attr(column).ok()).filter(|name| !is_absent(name));
            given.map_or_else(|| (*column).to_owned(), |name| text(&name))
        };
        let missing: Vec<String> =
            columns.iter().map(wanted).filter(|name| !existing.contains(&name.to_lowercase())).collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(failure_with_help(
            Code::CompilerError,
            format!("{relation} exists, but is not a snapshot: it has no column {}", missing.join(", ")),
            "drop or rename that table, or give the snapshot another name",
        ))
    }
}
