//! What a profile's target says of a DuckDB database.

use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::name::{quote_identifier, quote_literal};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
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

/// The keys of a target that are read here.
const READ: [&str; 9] =
    ["path", "database", "schema", "read_only", "settings", "config_options", "extensions", "attach", "lock_wait"];
/// The keys that other parts read.
const KNOWN: [&str; 3] = ["type", "threads", "extract"];
/// What dbt-duckdb has and this adapter has not.
const UNSUPPORTED: [&str; 10] = [
    "plugins",
    "filesystems",
    "secrets",
    "module_paths",
    "remote",
    "use_credential_provider",
    "is_ducklake",
    "disable_transactions",
    "keep_open",
    "retries",
];

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
    /// The settings of a rendered profile target (`type: duckdb`). A relative `path` counts from `directory`.
    /// The second value are warnings: keys that nothing reads.
    pub fn from_target(target: &Map<String, Value>, directory: &Path) -> Result<(Self, Vec<Diagnostic>), Diagnostic> {
        let mut settings = Self::default();
        if let Some(key) = UNSUPPORTED.iter().find(|key| target.get(**key).is_some_and(|value| !value.is_null())) {
            return Err(Diagnostic::error(Code::NotSupported, format!("the DuckDB target's `{key}` is not supported"))
                .help("remove it, or create what it stands for with an `on-run-start` hook"));
        }
        if let Some(path) = text(target, "path")? {
            settings.path = resolve(&path, directory);
        }
        if let Some(schema) = text(target, "schema")? {
            settings.schema = schema;
        }
        settings.read_only = flag(target, "read_only")?;
        settings.settings = pairs(target, "settings")?;
        settings.config_options = pairs(target, "config_options")?;
        settings.extensions = list(target, "extensions")?.iter().map(extension).collect::<Result<_, _>>()?;
        settings.attach =
            list(target, "attach")?.iter().map(|value| attachment(value, directory)).collect::<Result<_, _>>()?;
        if let Some(value) = target.get("lock_wait").filter(|value| !value.is_null()) {
            let seconds = value.as_f64().filter(|seconds| (0.0..1e9).contains(seconds));
            settings.lock_wait =
                seconds.map(Duration::from_secs_f64).ok_or_else(|| wrong("lock_wait", "a number of seconds"))?;
        }
        settings.check_database(text(target, "database")?.as_deref())?;
        Ok((settings, unknown_keys(target)))
    }

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

    /// A `database` in the profile must be one that will be there.
    fn check_database(&self, database: Option<&str>) -> Result<(), Diagnostic> {
        let Some(database) = database else { return Ok(()) };
        let name = self.database_name();
        let attached = self.attach.iter().any(|attached| attached.alias.as_deref() == Some(database));
        if database.eq_ignore_ascii_case(&name) || attached {
            return Ok(());
        }
        Err(Diagnostic::error(
            Code::Profile,
            format!("the target says `database: {database}`, but DuckDB names the database of {} `{name}`", self.path),
        )
        .help(format!("write `database: {name}`, or leave it out")))
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

/// A path of a file system, from `directory` if it is relative; URLs and `:memory:` stay.
fn resolve(path: &str, directory: &Path) -> String {
    if path.is_empty() || path.contains(':') {
        return path.to_owned();
    }
    let joined: PathBuf = directory.join(path);
    joined.to_string_lossy().into_owned()
}

fn wrong(key: &str, wanted: &str) -> Diagnostic {
    Diagnostic::error(Code::Profile, format!("the DuckDB target's `{key}` must be {wanted}"))
}

fn text(target: &Map<String, Value>, key: &str) -> Result<Option<String>, Diagnostic> {
    match target.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(_) => Err(wrong(key, "a text")),
    }
}

fn flag(target: &Map<String, Value>, key: &str) -> Result<bool, Diagnostic> {
    match target.get(key) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(value)) => Ok(*value),
        Some(_) => Err(wrong(key, "true or false")),
    }
}

fn list(target: &Map<String, Value>, key: &str) -> Result<Vec<Value>, Diagnostic> {
    match target.get(key) {
        None | Some(Value::Null) => Ok(vec![]),
        Some(Value::Array(items)) => Ok(items.clone()),
        Some(_) => Err(wrong(key, "a list")),
    }
}

fn pairs(target: &Map<String, Value>, key: &str) -> Result<Vec<(String, String)>, Diagnostic> {
    match target.get(key) {
        None | Some(Value::Null) => Ok(vec![]),
        Some(Value::Object(map)) => Ok(map.iter().map(|(name, value)| (name.clone(), scalar(value))).collect()),
        Some(_) => Err(wrong(key, "a mapping of names to values")),
    }
}

fn scalar(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn extension(value: &Value) -> Result<Extension, Diagnostic> {
    match value {
        Value::String(name) => Ok(Extension { name: name.clone(), repository: None }),
        Value::Object(map) => match map.get("name").and_then(Value::as_str) {
            Some(name) => Ok(Extension {
                name: name.to_owned(),
                repository: map.get("repo").or_else(|| map.get("repository")).map(scalar),
            }),
            None => Err(wrong("extensions", "a list of names, or of `{name: …, repo: …}`")),
        },
        _ => Err(wrong("extensions", "a list of names, or of `{name: …, repo: …}`")),
    }
}

fn attachment(value: &Value, directory: &Path) -> Result<Attachment, Diagnostic> {
    let wanted = || wrong("attach", "a list of `{path: …, alias: …, type: …, read_only: …}`");
    let map = value.as_object().ok_or_else(wanted)?;
    if let Some(key) = map.keys().find(|key| !["path", "alias", "type", "read_only"].contains(&key.as_str())) {
        return Err(Diagnostic::error(Code::NotSupported, format!("`{key}` of an attached database is not supported")));
    }
    let path = text(map, "path")?.ok_or_else(wanted)?;
    let kind = text(map, "type")?;
    let path = if kind.as_deref().is_none_or(|kind| kind == "duckdb" || kind == "sqlite") {
        resolve(&path, directory)
    } else {
        path
    };
    Ok(Attachment { path, alias: text(map, "alias")?, kind, read_only: flag(map, "read_only")? })
}

fn unknown_keys(target: &Map<String, Value>) -> Vec<Diagnostic> {
    let known = || READ.iter().chain(&KNOWN).chain(&UNSUPPORTED).copied();
    target
        .keys()
        .filter(|key| !known().any(|one| one == key.as_str()))
        .map(|key| {
            let found = Diagnostic::warning(Code::UnknownKey, format!("nothing reads `{key}` of a DuckDB target"));
            match nearest(key, known()) {
                Some(meant) => found.help(format!("did you mean `{meant}`?")),
                None => found,
            }
        })
        .collect()
}
