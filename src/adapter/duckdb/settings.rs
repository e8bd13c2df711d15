//! What a profile's target says of a DuckDB database.

use crate::name::{quote_identifier, quote_literal};
use std::path::Path;
use std::time::Duration;

/// How a DuckDB database is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DuckDbSettings {
    /// The file, or `:memory:`.
    pub path: String,
    /// The schema in which models land by default.
    pub schema: String,
    /// Open without the right to change anything.
    pub read_only: bool,
    /// Session settings, applied to each connection: name and value.
    pub settings: Vec<(String, String)>,
    /// Settings that DuckDB wants when the database is opened: name and value.
    pub config_options: Vec<(String, String)>,
    /// Extensions to load.
    pub extensions: Vec<Extension>,
    /// Other databases to attach.
    pub attach: Vec<Attachment>,
    /// How long to wait for a database that another process has open.
    pub lock_wait: Duration,
}

/// An extension of DuckDB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    /// Its name.
    pub name: String,
    /// Where it is installed from, if not DuckDB's own repository.
    pub repository: Option<String>,
}

/// Another database that is attached beside the main one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// Its file or connection string.
    pub path: String,
    /// The name under which it is reached; DuckDB derives one if there is none.
    pub alias: Option<String>,
    /// `sqlite`, `postgres`, …; a DuckDB file if there is none.
    pub kind: Option<String>,
    /// Without the right to change anything.
    pub read_only: bool,
}

impl Default for DuckDbSettings {
    fn default() -> Self {
        Self {
            path: ":memory:".into(),
            schema: "main".into(),
            read_only: false,
            settings: vec![],
            config_options: vec![],
            extensions: vec![],
            attach: vec![],
            lock_wait: Duration::from_secs(30),
        }
    }
}

impl DuckDbSettings {
    /// The name that DuckDB gives the database: the file's name up to its first dot.
    pub fn database_name(&self) -> String {
        if self.is_in_memory() {
            return "memory".into();
        }
        let file =
            Path::new(&self.path).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let name = file.split('.').next().unwrap_or_default().to_owned();
        // DuckDB keeps these names for itself.
        if matches!(name.as_str(), "temp" | "system" | "main") { format!("{name}_db") } else { name }
    }

    fn is_in_memory(&self) -> bool {
        self.path.is_empty() || self.path == ":memory:"
    }

    /// One attempt at opening the file.
    pub(super) fn open_once(&self) -> duckdb::Result<duckdb::Connection> {
        // Nothing is downloaded unless the profile asks for an extension by name.
        let mut config = duckdb::Config::default()
            .with("autoinstall_known_extensions", "false")?
            .custom_user_agent(concat!("strata/", env!("CARGO_PKG_VERSION")))?;
        for (name, value) in &self.config_options {
            config = config.with(name, value)?;
        }
        if self.is_in_memory() {
            return duckdb::Connection::open_in_memory_with_flags(config);
        }
        if self.read_only {
            config = config.access_mode(duckdb::AccessMode::ReadOnly)?;
        }
        duckdb::Connection::open_with_flags(&self.path, config)
    }

    pub(super) fn describe(&self, database: &str) -> Vec<(&'static str, String)> {
        let mut lines =
            vec![("path", self.path.clone()), ("database", database.to_owned()), ("schema", self.schema.clone())];
        if self.read_only {
            lines.push(("read_only", "true".into()));
        }
        if !self.extensions.is_empty() {
            lines.push((
                "extensions",
                self.extensions.iter().map(|one| one.name.as_str()).collect::<Vec<_>>().join(", "),
            ));
        }
        // Paths of attached databases may hold passwords: their names are enough.
        let attached: Vec<&str> = self.attach.iter().filter_map(|one| one.alias.as_deref()).collect();
        if !attached.is_empty() {
            lines.push(("attached", attached.join(", ")));
        }
        lines
    }
}

impl Attachment {
    pub(super) fn statement(&self) -> String {
        let mut options = Vec::new();
        if let Some(kind) = &self.kind {
            options.push(format!("type {kind}"));
        }
        if self.read_only {
            options.push("read_only".to_owned());
        }
        let alias = self.alias.as_ref().map_or(String::new(), |alias| format!(" as {}", quote_identifier(alias)));
        let options = if options.is_empty() { String::new() } else { format!(" ({})", options.join(", ")) };
        format!("attach if not exists {}{alias}{options}", quote_literal(&self.path))
    }
}
