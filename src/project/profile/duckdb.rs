//! The settings of a DuckDB target.

use crate::diagnostic::{Code, Diagnostic};
use crate::project::yaml::{Reader, Yaml};
use crate::secret::Secret;
use serde_json::{Map, Value as Json, json};
use std::path::{Path, PathBuf};

/// How to open DuckDB.
#[derive(Debug, Clone)]
pub struct DuckDbSettings {
    /// The database file; none for a database in memory.
    pub path: Option<PathBuf>,
    /// The database's name: the file's name without extension, or `memory`.
    pub database: String,
    /// Extensions to install and load.
    pub extensions: Vec<Extension>,
    /// `SET` on each connection.
    pub settings: Map<String, Json>,
    /// Settings that must be given when the database is opened.
    pub config_options: Map<String, Json>,
    /// `CREATE SECRET` on each connection.
    pub database_secrets: Vec<DuckDbSecret>,
    /// Further databases.
    pub attach: Vec<Attachment>,
    /// Where external materializations are written.
    pub external_root: String,
    /// Whether statements run without transactions.
    pub disable_transactions: bool,
    /// How often opening the file is tried.
    pub connect_attempts: u64,
    path_as_written: String,
}

/// A DuckDB extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    /// Its name.
    pub name: String,
    /// Where it comes from (`community`, `core_nightly`, an address), if not from DuckDB itself.
    pub repository: Option<String>,
}

/// A secret that DuckDB keeps.
#[derive(Debug, Clone, PartialEq)]
pub struct DuckDbSecret {
    /// Its name.
    pub name: String,
    /// Its type: `s3`.
    pub kind: String,
    /// The other options, by name; lists are several values.
    pub options: Vec<(String, Vec<Secret>)>,
    /// Whether it is kept in the database's secret storage.
    pub persistent: bool,
}

/// A further database.
#[derive(Debug, Clone, PartialEq)]
pub struct Attachment {
    /// File, address or connection string.
    pub path: String,
    /// `sqlite`, `postgres`, …; none for DuckDB's own.
    pub kind: Option<String>,
    /// The name under which it is seen.
    pub alias: Option<String>,
    /// The DuckDB secret to use.
    pub secret: Option<String>,
    /// Whether it cannot be written.
    pub read_only: bool,
    /// Further options of `ATTACH`.
    pub options: Map<String, Json>,
}

impl DuckDbSettings {
    /// What templates see.
    pub(super) fn values(&self, schema: &str) -> Map<String, Json> {
        let extensions: Vec<&str> = self.extensions.iter().map(|extension| extension.name.as_str()).collect();
        let attach: Vec<Json> =
            self.attach.iter().map(|one| json!({"path": one.path, "alias": one.alias, "type": one.kind})).collect();
        let values = json!({
            "database": self.database,
            "schema": schema,
            "path": self.path_as_written,
            "config_options": self.config_options,
            "extensions": extensions,
            "settings": self.settings,
            "external_root": self.external_root,
            "attach": attach,
            "disable_transactions": self.disable_transactions,
        });
        match values {
            Json::Object(values) => values,
            _ => Map::new(),
        }
    }

    pub(super) fn secrets(&self) -> Vec<&Secret> {
        self.database_secrets.iter().flat_map(|secret| &secret.options).flat_map(|(_, values)| values).collect()
    }
}

pub(super) fn read(reader: &mut Reader<'_>, root: &Path) -> Option<DuckDbSettings> {
    let path = reader.text("path").unwrap_or_else(|| ":memory:".to_owned());
    if let Some(scheme) = ["md:", "motherduck:", "ducklake:"].iter().find(|scheme| path.starts_with(**scheme)) {
        let place = reader.yaml("path").map(|value| value.span.clone());
        reader.report(
            Diagnostic::error(Code::NotSupported, format!("DuckDB paths with `{scheme}` are not supported"))
                .at_if_known(place, "")
                .help("name a file, or leave `path` out for a database in memory"),
        );
        return None;
    }
    let in_memory = path == ":memory:" || path.is_empty();
    let attach: Vec<Attachment> =
        reader.sequence("attach").iter().filter_map(|yaml| read_attachment(yaml, reader)).collect();
    let derived = if in_memory {
        "memory".to_owned()
    } else {
        Path::new(&path).file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
    };
    let given = reader.placed_text("database");
    if let Some((given, span)) = &given
        && *given != derived
        && !attach.iter().any(|one| one.alias.as_ref() == Some(given))
    {
        reader.report(
            Diagnostic::error(Code::Profile, format!("`database: {given}` is not the database of `path: {path}`"))
                .at((*span).clone(), format!("must be `{derived}`, or the alias of an attached database"))
                .help("leave `database` out"),
        );
    }
    for key in ["use_credential_provider", "filesystems", "remote", "plugins", "module_paths", "is_ducklake"] {
        reader.not_supported(key);
    }
    reader.ignore(&["keep_open"]);
    let connect_attempts = reader.reader("retries", "`retries` of a target").map_or(1, |mut retries| {
        let attempts = retries.count("connect_attempts").unwrap_or(1);
        retries.not_supported("query_attempts");
        retries.not_supported("retryable_exceptions");
        retries.finish();
        attempts
    });
    Some(DuckDbSettings {
        path: (!in_memory).then(|| root.join(&path)),
        database: given.map_or(derived, |(given, _)| given),
        extensions: reader.sequence("extensions").iter().filter_map(|yaml| read_extension(yaml, reader)).collect(),
        settings: reader.mapping("settings").map(Yaml::to_json_map).unwrap_or_default(),
        config_options: reader.mapping("config_options").map(Yaml::to_json_map).unwrap_or_default(),
        database_secrets: reader
            .sequence("secrets")
            .iter()
            .enumerate()
            .filter_map(|(index, yaml)| read_database_secret(index, yaml, reader))
            .collect(),
        attach,
        external_root: reader.text("external_root").unwrap_or_else(|| ".".to_owned()),
        disable_transactions: reader.boolean("disable_transactions").unwrap_or(false),
        connect_attempts,
        path_as_written: path,
    })
}

fn read_extension(yaml: &Yaml, outer: &Reader<'_>) -> Option<Extension> {
    if let Some(name) = yaml.as_str() {
        return Some(Extension { name: name.to_owned(), repository: None });
    }
    let mut reader = Reader::new(yaml, "extension", outer.found());
    let name = reader.required_text("name");
    let repository = reader.text("repo");
    reader.finish();
    Some(Extension { name: name?.0, repository })
}

fn read_database_secret(index: usize, yaml: &Yaml, outer: &Reader<'_>) -> Option<DuckDbSecret> {
    let mut reader = Reader::new(yaml, "secret", outer.found());
    let kind = reader.required_text("type");
    let name = reader.text("name").unwrap_or_else(|| format!("__default_{}", index + 1));
    let persistent = reader.boolean("persistent").unwrap_or(false);
    let mut options = Vec::new();
    for (key, entry) in reader.rest() {
        let items = entry.value.as_sequence().unwrap_or(std::slice::from_ref(&entry.value));
        let values: Option<Vec<Secret>> = items.iter().map(|item| item.scalar_text().map(Secret::new)).collect();
        match values {
            Some(values) => options.push((key.clone(), values)),
            None => reader.report(
                Diagnostic::error(Code::YamlValue, format!("`{key}` of the secret must be a text or a list of texts"))
                    .at(entry.key.clone(), ""),
            ),
        }
    }
    Some(DuckDbSecret { name, kind: kind?.0, options, persistent })
}

fn read_attachment(yaml: &Yaml, outer: &Reader<'_>) -> Option<Attachment> {
    let mut reader = Reader::new(yaml, "attached database", outer.found());
    let path = reader.required_text("path");
    let attachment = Attachment {
        path: String::new(),
        kind: reader.text("type"),
        alias: reader.text("alias"),
        secret: reader.text("secret"),
        read_only: reader.boolean("read_only").unwrap_or(false),
        options: reader.mapping("options").map(Yaml::to_json_map).unwrap_or_default(),
    };
    reader.not_supported("is_ducklake");
    reader.finish();
    Some(Attachment { path: path?.0, ..attachment })
}
