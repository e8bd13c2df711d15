//! `profiles.yml`: which warehouse, with which settings.

mod duckdb;
mod snowflake;

pub use duckdb::{Attachment, DuckDbSecret, DuckDbSettings, Extension};
pub use snowflake::SnowflakeSettings;

use super::environment::Environment;
use super::files::read_text;
use super::yaml::{self, Found, Reader, Yaml};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Label, Result, Severity, nearest};
use crate::name::Quoting;
use crate::secret::Secret;
use crate::template::{Templates, has_jinja};
use serde_json::{Map, Value as Json};
use std::path::{Path, PathBuf};

/// The chosen target of the chosen profile.
#[derive(Debug, Clone)]
pub struct Target {
    /// The profile's name.
    pub profile_name: String,
    /// The target's name.
    pub name: String,
    /// The database in which relations are made if nothing else is said.
    pub database: Option<String>,
    /// The schema in which relations are made if nothing else is said.
    pub schema: String,
    /// How many nodes run at once.
    pub threads: usize,
    /// The warehouse's own settings.
    pub warehouse: Warehouse,
    /// A directory whose recorded answers take the place of the sources' (`extract: {replay: DIR}`).
    pub replay: Option<PathBuf>,
    /// What templates see as `target`: no secrets.
    pub values: Map<String, Json>,
    /// Where the profile was found.
    pub profiles_path: PathBuf,
}

/// The settings of one kind of warehouse.
#[derive(Debug, Clone)]
pub enum Warehouse {
    /// DuckDB, within this process.
    DuckDb(Box<DuckDbSettings>),
    /// Snowflake.
    Snowflake(Box<SnowflakeSettings>),
}

impl Warehouse {
    /// The word after `type:`.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::DuckDb(_) => "duckdb",
            Self::Snowflake(_) => "snowflake",
        }
    }

    /// Which parts of relation names are quoted if the project says nothing.
    pub fn default_quoting(&self) -> Quoting {
        match self {
            Self::DuckDb(_) => Quoting::ALL,
            Self::Snowflake(_) => Quoting::NONE,
        }
    }
}

impl Target {
    /// The word after `type:`.
    pub fn type_name(&self) -> &'static str {
        self.warehouse.type_name()
    }

    /// Everything in the target that must never be shown.
    pub fn secrets(&self) -> Vec<&Secret> {
        match &self.warehouse {
            Warehouse::DuckDb(settings) => settings.secrets(),
            Warehouse::Snowflake(settings) => settings.secrets(),
        }
    }
}

/// What to look for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The project's root: relative paths start here.
    pub root: &'a Path,
    /// The directory given with `--profiles-dir`.
    pub profiles_dir: Option<&'a Path>,
    /// The profile's name.
    pub profile: &'a str,
    /// The target given with `--target`.
    pub target: Option<&'a str>,
}

/// Finds the profile and reads the target. The first `profiles.yml` counts: the directory given (as a flag or in
/// `DBT_PROFILES_DIR`) and no other; else the project's own directory, then `~/.dbt`.
pub fn load(wanted: Wanted<'_>, environment: &Environment, templates: &Templates) -> Result<(Target, Diagnostics)> {
    match load_target(wanted, environment, templates) {
        Ok((target, warnings)) => Ok((target, conceal(warnings))),
        Err(found) => Err(conceal(found)),
    }
}

/// Words in keys whose values must not be shown.
const SECRET_WORDS: [&str; 6] = ["password", "passphrase", "passcode", "secret", "token", "private_key"];

/// Findings without the lines that may hold a secret: only their numbers are told.
fn conceal(found: Diagnostics) -> Diagnostics {
    found.into_iter().map(concealed).collect()
}

fn concealed(finding: Diagnostic) -> Diagnostic {
    let shows_secret = |label: &Label| {
        let text = label.span.file().text();
        let range = label.span.range();
        let start = text[..range.start].rfind('\n').map_or(0, |at| at + 1);
        let end = text[range.end..].find('\n').map_or(text.len(), |at| range.end + at);
        let shown = text[start..end].to_lowercase();
        SECRET_WORDS.iter().any(|word| shown.contains(word))
    };
    if !finding.labels().iter().any(shows_secret) {
        return finding;
    }
    let mut bare = match finding.severity() {
        Severity::Error => Diagnostic::error(finding.code(), finding.message()),
        Severity::Warning => Diagnostic::warning(finding.code(), finding.message()),
    };
    for label in finding.labels() {
        let (line, _) = label.span.line_and_column();
        bare = bare.note(format!("in {}, line {line}, which may hold a secret", label.span.file().path().display()));
    }
    match finding.advice() {
        Some(advice) => bare.help(advice),
        None => bare,
    }
}

fn load_target(wanted: Wanted<'_>, environment: &Environment, templates: &Templates) -> Result<(Target, Diagnostics)> {
    let path = find_file(wanted, environment)?;
    let file = read_text(&path, &path)?;
    let (tree, warnings) = yaml::parse(&file)?;
    let entries = tree.as_mapping().map(|entries| entries.keys().map(String::as_str)).into_iter().flatten();
    let Some(profile) = tree.entry(wanted.profile).filter(|_| wanted.profile != "config") else {
        let known: Vec<&str> = entries.filter(|name| *name != "config").collect();
        let found =
            Diagnostic::error(Code::Profile, format!("there is no profile `{}` in {}", wanted.profile, path.display()));
        return Err(with_choice(found, "profiles", wanted.profile, &known).into());
    };
    let found = Found::new(warnings);
    let mut reader = Reader::new(&profile.value, "profile", &found);
    let Some(outputs) = reader.mapping("outputs") else {
        return Err(Diagnostic::error(Code::Profile, format!("the profile `{}` has no `outputs`", wanted.profile))
            .at(profile.key.clone(), "")
            .help("add `outputs:` with one target, such as `dev: {type: duckdb, path: dev.duckdb}`")
            .into());
    };
    let default = reader.yaml("target").map(|value| render(value, templates)).transpose()?;
    let name = match (wanted.target, default.and_then(|value| value.scalar_text())) {
        (Some(name), _) => name.to_owned(),
        (None, Some(name)) => name,
        (None, None) => "default".to_owned(),
    };
    let Some(output) = outputs.entry(&name) else {
        let known: Vec<&str> = outputs.as_mapping().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
        let found =
            Diagnostic::error(Code::Profile, format!("the profile `{}` has no target `{name}`", wanted.profile))
                .at(profile.key.clone(), "this profile");
        return Err(with_choice(found, "targets", &name, &known).into());
    };
    let rendered = render(&output.value, templates)?;
    let target = read_target(wanted, &name, &rendered, &found, &path);
    let found = found.into_inner();
    match target {
        Some(target) => found.into_result(target),
        None => Err(found),
    }
}

fn find_file(wanted: Wanted<'_>, environment: &Environment) -> std::result::Result<PathBuf, Diagnostic> {
    let given =
        wanted.profiles_dir.map(Path::to_path_buf).or_else(|| environment.get("DBT_PROFILES_DIR").map(PathBuf::from));
    let places = match given {
        Some(given) => vec![given],
        None => std::iter::once(wanted.root.to_path_buf())
            .chain(environment.home.iter().map(|home| home.join(".dbt")))
            .collect(),
    };
    let files: Vec<PathBuf> = places.iter().map(|place| place.join("profiles.yml")).collect();
    files.iter().find(|file| file.is_file()).cloned().ok_or_else(|| {
        let searched: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
        Diagnostic::error(Code::Profile, format!("there is no profiles.yml with the profile `{}`", wanted.profile))
            .note(format!("searched: {}", searched.join(", ")))
            .help("write one beside dbt_project.yml, or name its directory with `--profiles-dir`")
    })
}

fn with_choice(found: Diagnostic, what: &str, given: &str, known: &[&str]) -> Diagnostic {
    let found = match known {
        [] => found.note(format!("there are no {what}")),
        _ => found.note(format!("available {what}: {}", known.join(", "))),
    };
    match nearest(given, known.iter().copied()) {
        Some(name) => found.help(format!("did you mean `{name}`?")),
        None => found,
    }
}

fn render(value: &Yaml, templates: &Templates) -> std::result::Result<Yaml, Diagnostic> {
    value.render_texts(&mut Vec::new(), &mut |path, text, span| {
        if !has_jinja(text) {
            return Ok(None);
        }
        let secret = path.last().is_some_and(|key| key.contains("password"));
        match templates.render(text, span) {
            Ok(value) => Ok(Some(value)),
            // Passwords may hold braces that are no Jinja.
            Err(error) if secret && error.code() == Code::JinjaSyntax => Ok(None),
            Err(error) => Err(error),
        }
    })
}

fn read_target(wanted: Wanted<'_>, name: &str, yaml: &Yaml, found: &Found, path: &Path) -> Option<Target> {
    let mut reader = Reader::new(yaml, "target", found);
    let (kind, kind_span) = reader.required_text("type")?;
    let threads = reader.count("threads").unwrap_or(1);
    let threads = usize::try_from(threads).unwrap_or(1).max(1);
    let schema = reader.text("schema");
    let replay = reader.reader("extract", "`extract` of a target").and_then(|mut extract| {
        let replay = extract.text("replay").map(|directory| wanted.root.join(directory));
        extract.finish();
        replay
    });
    let (warehouse, database, schema, mut values) = match kind.as_str() {
        "duckdb" => {
            let settings = duckdb::read(&mut reader, wanted.root)?;
            let schema = schema.unwrap_or_else(|| "main".to_owned());
            let values = settings.values(&schema);
            (Warehouse::DuckDb(Box::new(settings.clone())), Some(settings.database), schema, values)
        }
        "snowflake" => {
            let settings = snowflake::read(&mut reader, wanted.root)?;
            let Some(schema) = schema else {
                reader.report(
                    Diagnostic::error(Code::Profile, "a Snowflake target needs a `schema`").at(yaml.span.clone(), ""),
                );
                return None;
            };
            let values = settings.values(&schema);
            let database = Some(settings.database.clone());
            (Warehouse::Snowflake(Box::new(settings)), database, schema, values)
        }
        other => {
            let found = Diagnostic::error(Code::Profile, format!("strata has no adapter for `{other}`"))
                .at(kind_span.clone(), "")
                .note("available adapters: duckdb, snowflake");
            reader.report(match nearest(other, ["duckdb", "snowflake"]) {
                Some(near) => found.help(format!("did you mean `{near}`?")),
                None => found,
            });
            return None;
        }
    };
    reader.finish();
    let own = [
        ("type", Json::from(kind)),
        ("threads", Json::from(threads)),
        ("name", Json::from(name)),
        ("target_name", Json::from(name)),
        ("profile_name", Json::from(wanted.profile)),
    ];
    values.extend(own.map(|(key, value)| (key.to_owned(), value)));
    Some(Target {
        profile_name: wanted.profile.to_owned(),
        name: name.to_owned(),
        database,
        schema,
        threads,
        warehouse,
        replay,
        values,
        profiles_path: path.to_path_buf(),
    })
}

/// A value that must not be shown: neither is it when it is of the wrong kind.
fn read_secret(reader: &mut Reader<'_>, key: &'static str) -> Option<Secret> {
    let entry = reader.entry(key)?;
    let text = entry.value.scalar_text();
    if text.is_none() {
        reader.report(
            Diagnostic::error(Code::YamlValue, format!("`{key}` must be a text, not {}", entry.value.kind()))
                .at(entry.key.clone(), "expected a text"),
        );
    }
    text.map(Secret::new)
}
