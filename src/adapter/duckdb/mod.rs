//! The DuckDB inside strata: one process, one database, a session for each worker.

mod connection;
mod error;
mod load;
mod settings;
mod texts;
mod value;

pub use settings::{Attachment, DuckDbSettings, Extension};
pub(in crate::adapter) use texts::{TextRows, write_texts};

use super::{Adapter, ColumnType, Connection, DatabaseError, DatabaseErrorKind};
use crate::name::{quote_identifier, quote_literal};
use connection::DuckDbConnection;
use md5::{Digest, Md5};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long to sleep between two attempts at a database that another process holds.
const LOCK_POLL: Duration = Duration::from_millis(100);

/// An open DuckDB database. It is closed when the adapter and all its connections are gone.
pub struct DuckDb {
    settings: DuckDbSettings,
    database: String,
    /// The session that others are cloned from.
    root: Mutex<duckdb::Connection>,
}

impl DuckDb {
    /// Opens (or creates) the database, loads extensions, attaches other databases.
    ///
    /// A database that another process has open is waited for up to [`DuckDbSettings::lock_wait`]; then the error
    /// names that process.
    pub fn open(settings: DuckDbSettings) -> Result<Self, DatabaseError> {
        let root = open_patiently(&settings)?;
        for extension in &settings.extensions {
            load_extension(&root, extension)?;
        }
        for attachment in &settings.attach {
            root.execute_batch(&attachment.statement()).map_err(|failure| {
                let failure = error::from_client(&failure, None);
                let message = format!("cannot attach {}: {}", attachment.path, failure.message);
                DatabaseError { message, kind: DatabaseErrorKind::Connection, ..failure }
            })?;
        }
        let database = root
            .query_row("select current_database()", [], |row| row.get(0))
            .map_err(|failure| error::from_client(&failure, None))?;
        Ok(Self { settings, database, root: Mutex::new(root) })
    }

    /// The name of the main database, as DuckDB derives it from the file's name.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// Makes the schema `snowflake` hold the functions of a SQL script (`create or replace macro snowflake.…`),
    /// all or none. Nothing happens if the same script was installed before, or if the database is read-only.
    pub fn install_functions(&self, script: &str) -> Result<(), DatabaseError> {
        if self.settings.read_only {
            return Ok(());
        }
        let digest = u128::from_be_bytes(Md5::digest(script.as_bytes()).into());
        let mut session = self.session()?;
        let installed = format!(
            "select count(*) from duckdb_functions() where database_name = {} and schema_name = 'snowflake' \
             and function_name = 'installed_{digest:032x}'",
            quote_literal(&self.database)
        );
        if session.execute(&installed)?.table.scalar() == Some(&super::Cell::Integer(1)) {
            return Ok(());
        }
        session.begin()?;
        let script = format!(
            "create schema if not exists snowflake;\n{script};\ncreate or replace macro snowflake.installed_{digest:032x}() as true"
        );
        match session.execute(&script) {
            Ok(_) => session.commit(),
            Err(failure) => {
                session.rollback()?;
                Err(failure)
            }
        }
    }

    fn session(&self) -> Result<DuckDbConnection, DatabaseError> {
        let root = self.root.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = root.try_clone().map_err(|failure| error::from_client(&failure, None))?;
        // Only the ICU extension knows time zones; without it DuckDB works in UTC anyway.
        let _ = connection.execute_batch("set TimeZone = 'UTC'");
        // DuckDB 1.5.6 turns `row_number() over (…) = 1` into `arg_max`, which forgets the greatest DECIMAL after a NULL.
        // The conformance suite has the query; without it this line goes.
        let _ = connection.execute_batch("set disabled_optimizers = 'top_n_window_elimination'");
        for (name, value) in &self.settings.settings {
            let statement = format!("set {} = {}", quote_identifier(name), quote_literal(value));
            connection.execute_batch(&statement).map_err(|failure| {
                let failure = error::from_client(&failure, None);
                DatabaseError { message: format!("setting `{name}`: {}", failure.message), ..failure }
            })?;
        }
        Ok(DuckDbConnection::new(connection))
    }
}

impl Adapter for DuckDb {
    fn type_name(&self) -> &'static str {
        "duckdb"
    }

    fn connect(&self, _: &str) -> Result<Box<dyn Connection>, DatabaseError> {
        Ok(Box::new(self.session()?))
    }

    fn type_word(&self, column_type: &ColumnType) -> String {
        value::type_name(column_type)
    }

    fn describe(&self) -> Vec<(&'static str, String)> {
        self.settings.describe(&self.database)
    }
}

/// Tries until the lock is free or the time is over.
fn open_patiently(settings: &DuckDbSettings) -> Result<duckdb::Connection, DatabaseError> {
    let deadline = Instant::now() + settings.lock_wait;
    loop {
        let refused = match settings.open_once() {
            Ok(connection) => return Ok(connection),
            Err(failure) => error::from_client(&failure, None),
        };
        let holder = error::lock_holder(&refused.message);
        if holder.is_none() || Instant::now() >= deadline {
            let message = match holder {
                Some(holder) => format!("{} is opened by {holder}: stop it or wait", settings.path),
                None => format!("cannot open {}: {}", settings.path, refused.message),
            };
            return Err(DatabaseError { message, kind: DatabaseErrorKind::Connection, ..refused });
        }
        std::thread::sleep(LOCK_POLL);
    }
}

/// Loads an extension, which is downloaded only if it is not there.
fn load_extension(root: &duckdb::Connection, extension: &Extension) -> Result<(), DatabaseError> {
    let load = format!("load {}", quote_literal(&extension.name));
    if root.execute_batch(&load).is_ok() {
        return Ok(());
    }
    let from = extension
        .repository
        .as_ref()
        .map_or(String::new(), |repository| format!(" from {}", quote_literal(repository)));
    root.execute_batch(&format!("install {}{from}; {load}", quote_literal(&extension.name))).map_err(|failure| {
        let failure = error::from_client(&failure, None);
        let message = format!("cannot load the extension `{}`: {}", extension.name, failure.message);
        DatabaseError { message, kind: DatabaseErrorKind::Connection, ..failure }
    })
}
