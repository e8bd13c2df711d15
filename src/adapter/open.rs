//! From a profile's target to an open warehouse.

use super::snowflake::{self, Machine, Snowflake};
use super::{Adapter, Attachment, DuckDb, DuckDbSettings, Extension};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Result};
use crate::project::profile::{DuckDbSettings as Written, Warehouse};
use crate::project::{Environment, Target, builtin};
use serde_json::Value as Json;
use std::sync::Arc;
use std::time::Duration;

/// How long to wait for a database that another process has open, for each attempt that the target allows.
const WAIT_FOR_ATTEMPT: Duration = Duration::from_secs(10);

/// Opens the warehouse of a target. With `snowflake_functions`, models written for Snowflake find its functions
/// there. A Snowflake account is not asked before the first connection.
pub fn open(target: &Target, snowflake_functions: bool, environment: &Environment) -> Result<Arc<dyn Adapter>> {
    match &target.warehouse {
        Warehouse::DuckDb(written) => {
            let settings = duckdb_settings(target, written)?;
            let adapter = DuckDb::open(settings).map_err(|error| unreachable(target, &error.message))?;
            if snowflake_functions {
                adapter
                    .install_functions(builtin::snowflake_functions())
                    .map_err(|error| unreachable(target, &error.message))?;
            }
            Ok(Arc::new(adapter))
        }
        Warehouse::Snowflake(written) => {
            let settings = snowflake::settings_of(target, written, environment)?;
            let adapter =
                Snowflake::open(settings, Machine::default()).map_err(|error| unreachable(target, &error.message))?;
            Ok(Arc::new(adapter))
        }
    }
}

fn unreachable(target: &Target, reason: &str) -> Diagnostic {
    Diagnostic::error(Code::Connection, format!("cannot open the target `{}`: {reason}", target.name))
        .note(format!("the target is described in {}", target.profiles_path.display()))
        .help("`strata debug` shows what it tries to connect to")
}

fn duckdb_settings(target: &Target, written: &Written) -> Result<DuckDbSettings> {
    let mut found = Diagnostics::new();
    let mut refuse = |asked: bool, what: &str| {
        if asked {
            let message =
                format!("the DuckDB target `{}` has `{what}`, which strata does not support yet", target.name);
            found.push(
                Diagnostic::error(Code::NotSupported, message)
                    .help("remove it, or do the same in an `on-run-start` hook"),
            );
        }
    };
    refuse(!written.database_secrets.is_empty(), "secrets");
    refuse(written.disable_transactions, "disable_transactions");
    refuse(written.attach.iter().any(|attachment| attachment.secret.is_some()), "attach: secret");
    refuse(written.attach.iter().any(|attachment| !attachment.options.is_empty()), "attach: options");
    if found.has_errors() {
        return Err(found);
    }
    let pairs =
        |map: &serde_json::Map<String, Json>| map.iter().map(|(key, value)| (key.clone(), plain(value))).collect();
    Ok(DuckDbSettings {
        path: written.path.as_ref().map_or_else(|| ":memory:".to_owned(), |path| path.to_string_lossy().into_owned()),
        schema: target.schema.clone(),
        read_only: false,
        settings: pairs(&written.settings),
        config_options: pairs(&written.config_options),
        extensions: written
            .extensions
            .iter()
            .map(|extension| Extension { name: extension.name.clone(), repository: extension.repository.clone() })
            .collect(),
        attach: written
            .attach
            .iter()
            .map(|attachment| Attachment {
                path: attachment.path.clone(),
                alias: attachment.alias.clone(),
                kind: attachment.kind.clone(),
                read_only: attachment.read_only,
            })
            .collect(),
        lock_wait: WAIT_FOR_ATTEMPT * u32::try_from(written.connect_attempts.max(1)).unwrap_or(u32::MAX),
    })
}

/// A setting's value as DuckDB reads it: texts without quotes.
fn plain(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
