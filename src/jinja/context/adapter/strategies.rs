//! `adapter.*` about incremental strategies and grants.

use super::Call;
use crate::diagnostic::Code;
use crate::jinja::context::table::TableObject;
use crate::jinja::context::warehouse::Warehouse;
use crate::jinja::context::{failure, failure_with_help};
use crate::jinja::value::{dict, is_absent, list, repr, text};
use indexmap::IndexMap;
use minijinja::Error;
use minijinja::value::Value;

/// The strategies that dbt brings itself; any other name is a macro of the project.
const BUILT_IN: &[&str] = &["append", "delete+insert", "merge", "insert_overwrite", "microbatch"];

impl Call<'_, '_, '_, '_> {
    /// The macro that writes the SQL of a strategy: `get_incremental_<strategy>_sql`.
    pub(super) fn get_incremental_strategy_macro(&mut self) -> Result<Value, Error> {
        let context = self.arguments.required("model_context")?;
        let strategy = self.arguments.optional_text("strategy").unwrap_or_else(|| "default".to_owned());
        let valid = self.adapter.warehouse.incremental_strategies();
        if BUILT_IN.contains(&strategy.as_str()) && !valid.contains(&strategy.as_str()) {
            return Err(failure_with_help(
                Code::Config,
                format!("{} has no incremental strategy `{strategy}`", self.adapter.warehouse.as_str()),
                format!("use one of {}", valid.join(", ")),
            ));
        }
        let name = format!("get_incremental_{}_sql", strategy.replace('+', "_"));
        let found = context.get_attr(&name)?;
        if found.is_undefined() {
            return Err(failure_with_help(
                Code::UnknownMacro,
                format!("the incremental strategy `{strategy}` needs the macro `{name}`, which does not exist"),
                format!("write that macro, or use one of {}", valid.join(", ")),
            ));
        }
        Ok(found)
    }

    /// What `show grants` gave, as the config `grants` says it: privileges with those who have them.
    pub(super) fn standardize_grants_dict(&mut self) -> Result<Value, Error> {
        let value = self.arguments.required("grants_table")?;
        let Some(table) = TableObject::from_value(&value) else {
            let message = format!("`adapter.standardize_grants_dict` needs a table, not {}", repr(&value));
            return Err(failure(Code::JinjaRender, message));
        };
        let snowflake = self.adapter.warehouse == Warehouse::Snowflake;
        let (grantee, privilege) =
            if snowflake { ("grantee_name", "privilege") } else { ("grantee", "privilege_type") };
        let place = |name: &str| {
            table
                .position(name)
                .ok_or_else(|| failure(Code::JinjaRender, format!("the table of grants has no column `{name}`")))
        };
        let mut grants: IndexMap<String, Vec<Value>> = IndexMap::new();
        let (grantee, privilege) = (place(grantee)?, place(privilege)?);
        let granted_to = if snowflake { Some(place("granted_to")?) } else { None };
        for row in &table.rows {
            let privilege = row[privilege].to_string();
            let to = granted_to.map(|place| row[place].to_string()).unwrap_or_default();
            if snowflake && (privilege == "OWNERSHIP" || to == "SHARE" || to == "DATABASE_ROLE") {
                continue;
            }
            grants.entry(privilege).or_default().push(Value::from(row[grantee].to_string()));
        }
        Ok(dict(grants.into_iter().map(|(privilege, grantees)| (Value::from(privilege), list(grantees)))))
    }

    /// What a snapshot does with rows that are gone: `ignore`, `invalidate` or `new_record`.
    pub(super) fn get_hard_deletes_behavior(&mut self) -> Result<Value, Error> {
        let config = self.arguments.required("config")?;
        let mut read = |key: &str| config.call_method(self.state, "get", &[Value::from(key), Value::from(())]);
        let (legacy, hard_deletes) = (read("invalidate_hard_deletes")?, read("hard_deletes")?);
        if !is_absent(&legacy) && !is_absent(&hard_deletes) {
            return Err(failure_with_help(
                Code::Config,
                "`invalidate_hard_deletes` and `hard_deletes` are both set on one snapshot",
                "keep `hard_deletes` only",
            ));
        }
        if legacy.is_true() {
            return Ok(Value::from("invalidate"));
        }
        if is_absent(&hard_deletes) {
            return Ok(Value::from("ignore"));
        }
        match text(&hard_deletes).as_str() {
            word @ ("invalidate" | "new_record" | "ignore") => Ok(Value::from(word)),
            other => Err(failure_with_help(
                Code::Config,
                format!("`hard_deletes: {other}` is not known"),
                "use ignore, invalidate or new_record",
            )),
        }
    }
}
