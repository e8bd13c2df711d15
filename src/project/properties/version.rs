//! `versions:` of a model: one entry in a properties file, several models.

use super::constraint::{self, Level};
use super::{ColumnProperties, NodeProperties, optional_tests, read_column, read_config, unrendered_config};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::project::yaml::{Found, Reader, Yaml, YamlValue};
use serde_json::{Map, Value as Json};
use std::cmp::Ordering;

/// The number or name of a model's version, as written: `2`, `1.5` or `beta`.
#[derive(Debug, Clone, PartialEq)]
pub struct VersionNumber(Json);

impl VersionNumber {
    /// As it is shown, and asked for by `ref('orders', v=…)`.
    pub fn text(&self) -> String {
        self.0.as_str().map_or_else(|| self.0.to_string(), str::to_owned)
    }

    /// As artifacts show it: a number if it was written as one.
    pub fn json(&self) -> &Json {
        &self.0
    }

    /// The order of versions: by number where both are numbers, else by text.
    pub fn order(&self, other: &Self) -> Ordering {
        let (own, others) = (self.text(), other.text());
        match (own.parse::<f64>(), others.parse::<f64>()) {
            (Ok(own), Ok(others)) => own.total_cmp(&others),
            _ => own.cmp(&others),
        }
    }

    fn read(value: &Yaml) -> Option<Self> {
        match &value.value {
            YamlValue::Integer(_) | YamlValue::Float(_) => Some(Self(value.to_json())),
            YamlValue::String(text) if !text.is_empty() => Some(Self(value.to_json())),
            _ => None,
        }
    }
}

/// Which version of a model a node is.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelVersion {
    /// Its own version.
    pub number: VersionNumber,
    /// The one that `ref()` means where no version is asked for.
    pub latest: VersionNumber,
}

impl ModelVersion {
    /// Whether `ref()` without a version means this one.
    pub fn is_latest(&self) -> bool {
        self.number.text() == self.latest.text()
    }

    /// The last part of the node's id and full name: `v2`.
    pub fn suffix(&self) -> String {
        format!("v{}", self.number.text())
    }
}

/// An entry under `versions:`.
#[derive(Debug, Clone)]
pub struct VersionProperties {
    /// Which version it is.
    pub version: ModelVersion,
    /// The file that holds it, without directories and ending.
    pub defined_in: String,
}

/// What is said of each version: what the model's own entry says, and on top of it what the version's does.
pub fn expand(
    model: &NodeProperties,
    versions: &[Yaml],
    written: &Yaml,
    latest: Option<&Yaml>,
    found: &Found,
) -> Vec<NodeProperties> {
    let numbers: Vec<Option<VersionNumber>> = versions.iter().map(|entry| number(entry, found)).collect();
    let mut seen: Vec<String> = Vec::with_capacity(numbers.len());
    for (number, entry) in numbers.iter().zip(versions) {
        let Some(text) = number.as_ref().map(VersionNumber::text) else { continue };
        if seen.contains(&text) {
            let message = format!("the model `{}` has the version {text} twice", model.name);
            found.borrow_mut().push(Diagnostic::error(Code::YamlValue, message).at(entry.span.clone(), "here again"));
        }
        seen.push(text);
    }
    let newest = numbers.iter().flatten().max_by(|one, other| one.order(other)).cloned();
    let latest = match latest {
        Some(value) => VersionNumber::read(value).filter(|latest| seen.contains(&latest.text())).or_else(|| {
            let message = format!("`latest_version` of `{}` is none of its versions", model.name);
            let known = Diagnostic::error(Code::YamlValue, message).at(value.span.clone(), "");
            found.borrow_mut().push(known.help(format!("its versions are {}", seen.join(", "))));
            newest
        }),
        None => newest,
    };
    let Some(latest) = latest else { return vec![] };
    let written = written.get("versions").and_then(Yaml::as_sequence).unwrap_or(&[]);
    let entries = versions.iter().zip(written).zip(numbers);
    entries
        .filter_map(|((entry, written), number)| {
            let version = ModelVersion { number: number?, latest: latest.clone() };
            Some(one(model, entry, written, version, found))
        })
        .collect()
}

fn number(entry: &Yaml, found: &Found) -> Option<VersionNumber> {
    let value = entry.get("v");
    let number = value.and_then(VersionNumber::read);
    if number.is_none() {
        let message = "a version needs `v`, a number or a text";
        let place = value.map_or(&entry.span, |value| &value.span).clone();
        found.borrow_mut().push(Diagnostic::error(Code::YamlValue, message).at(place, ""));
    }
    number
}

fn one(model: &NodeProperties, entry: &Yaml, written: &Yaml, version: ModelVersion, found: &Found) -> NodeProperties {
    let mut reader = Reader::new(entry, "version", found);
    reader.ignore(&["v"]);
    let (config, places) = read_config(&mut reader);
    let mut merged = model.clone();
    merge(&mut merged.config, config);
    merge(&mut merged.unrendered_config, unrendered_config(written));
    merged.config_places.extend(places);
    if let Some(description) = reader.text("description").filter(|text| !text.is_empty()) {
        merged.description = description;
    }
    merged.columns = columns(&model.columns, reader.sequence("columns"), found);
    if let Some(tests) = optional_tests(&mut reader) {
        merged.data_tests = tests;
    }
    merged.span = entry.span.clone();
    let defined_in = reader.text("defined_in").unwrap_or_else(|| format!("{}_{}", model.name, version.suffix()));
    merged.version = Some(VersionProperties { version, defined_in });
    let constraints = constraint::read_all(&mut reader, Level::Model);
    if !constraints.is_empty() {
        merged.constraints = constraints;
    }
    reader.not_supported("deprecation_date");
    reader.finish();
    merged
}

/// Mappings are merged key by key, anything else is replaced.
fn merge(into: &mut Map<String, Json>, from: Map<String, Json>) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Json::Object(known)), Json::Object(more)) => merge(known, more),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

/// The model's columns that the version takes over (`include`, `exclude`), and its own.
fn columns(of_model: &[ColumnProperties], entries: &[Yaml], found: &Found) -> Vec<ColumnProperties> {
    let (choices, own): (Vec<&Yaml>, Vec<&Yaml>) =
        entries.iter().partition(|entry| entry.get("include").is_some() || entry.get("exclude").is_some());
    if let Some(second) = choices.get(1) {
        let message = "the columns of a version have at most one `include` or `exclude`";
        found.borrow_mut().push(Diagnostic::error(Code::YamlValue, message).at(second.span.clone(), "the second one"));
    }
    let choice = choices.first().map(|entry| Choice::read(entry, found)).unwrap_or_default();
    let taken = of_model.iter().filter(|column| choice.includes(&column.name)).cloned();
    taken.chain(own.into_iter().filter_map(|column| read_column(column, found))).collect()
}

/// Which columns of the model a version has.
#[derive(Default)]
struct Choice {
    /// None: all of them.
    include: Option<Vec<String>>,
    exclude: Vec<String>,
}

impl Choice {
    fn read(entry: &Yaml, found: &Found) -> Self {
        let mut reader = Reader::new(entry, "choice of columns", found);
        let wrong = |span: &Span, what: &str| {
            found.borrow_mut().push(Diagnostic::error(Code::YamlValue, what.to_owned()).at(span.clone(), ""));
        };
        let include = match entry.get("include") {
            Some(value) if matches!(value.scalar_text().as_deref(), Some("all" | "*")) => {
                reader.ignore(&["include"]);
                None
            }
            Some(value) if value.as_sequence().is_some() => Some(reader.texts("include").unwrap_or_default()),
            Some(value) => {
                reader.ignore(&["include"]);
                wrong(&value.span, "`include` is `all`, `*` or a list of columns");
                None
            }
            None => {
                wrong(&entry.span, "`exclude` needs `include: all` beside it");
                None
            }
        };
        let exclude = reader.texts("exclude").unwrap_or_default();
        if include.is_some() && !exclude.is_empty() {
            wrong(&entry.span, "`exclude` stands only beside `include: all`");
        }
        reader.finish();
        Self { include, exclude }
    }

    fn includes(&self, column: &str) -> bool {
        let has = |names: &[String]| names.iter().any(|name| name == column);
        self.include.as_ref().is_none_or(|names| has(names)) && !has(&self.exclude)
    }
}
