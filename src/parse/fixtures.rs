//! The rows of unit tests, from wherever they stand: the entry itself, a file below `fixtures`, a seed.

use super::drafts::trimmed;
use crate::diagnostic::{Code, Diagnostic, SourceFile, Span, nearest};
use crate::manifest::{Fixture, Node, Records, Rows};
use crate::name::ResourceType;
use crate::project::properties::{FixtureFormat, FixtureProperties};
use crate::project::yaml::Yaml;
use crate::project::{FileKind, Package, Project, read_text};
use serde_json::{Map, Value as Json};
use std::path::Path;
use std::sync::Arc;

/// Reads the fixtures of a package's unit tests.
pub struct Fixtures<'a> {
    pub(super) project: &'a Project,
    pub(super) package: &'a Package,
}

impl Fixtures<'_> {
    /// The rows of an entry. `input` is what they stand for; none for the rows that are expected. A seed needs no
    /// rows: those of its file are taken.
    pub(super) fn read(
        &self,
        given: &FixtureProperties,
        input: Option<(&str, Option<&Node>)>,
    ) -> Result<Fixture, Diagnostic> {
        let what = match input {
            Some((input, _)) => format!("the input `{input}`"),
            None => "the expected rows".to_owned(),
        };
        let mut span = given.rows.as_ref().map_or(&given.span, |rows| &rows.span);
        let rows = match (given.format, &given.fixture, &given.rows) {
            (FixtureFormat::Dict, Some((_, span)), None) => {
                let message = format!("{what} cannot come from a file and have the format `dict`");
                let found = Diagnostic::error(Code::YamlValue, message).at(span.clone(), "the name of a file");
                return Err(found.help("add `format: csv` or `format: sql`, as the file is"));
            }
            (FixtureFormat::Dict, _, Some(rows)) => Rows::Records(records(rows, &what)?),
            (FixtureFormat::Dict, None, None) => Rows::Records(self.of_seed(given, input, &what)?),
            (format, Some((name, place)), _) => {
                span = place;
                self.of_file(name, place, format)?
            }
            (format, None, rows) => of_text(rows.as_ref(), given, format, &what)?,
        };
        let rows = match rows {
            Rows::Records(records) => Rows::Records(fullest_first(records)),
            query @ Rows::Query(..) => query,
        };
        let file_name = given.fixture.as_ref().map(|(name, _)| name.clone());
        Ok(Fixture { format: given.format, rows, file_name, span: span.clone() })
    }

    /// The rows of a file below `fixtures` in one of the package's test directories.
    fn of_file(&self, name: &str, place: &Span, format: FixtureFormat) -> Result<Rows, Diagnostic> {
        let stem = |path: &'_ str| {
            let path = path.rsplit_once('.').map_or(path, |(stem, _)| stem);
            path.rsplit('/').next().unwrap_or(path).to_owned()
        };
        let files = || self.package.files(FileKind::Fixture);
        let is_of = |path: &str| path.rsplit_once('.').is_some_and(|(_, ending)| ending == format.as_str());
        let Some(file) = files().find(|file| stem(&file.path) == name && is_of(&file.path)) else {
            let message = format!("there is no fixture `{name}`");
            let found = Diagnostic::error(Code::YamlValue, message).at(place.clone(), "no such file");
            if let Some(other) = files().find(|file| stem(&file.path) == name) {
                let path = &other.original_file_path;
                return Err(found.help(format!("`{path}` is not {}: change `format`", format.as_str())));
            }
            let names: Vec<String> = files().map(|file| stem(&file.path)).collect();
            let tests = self.package.config.paths.get("test-paths").and_then(|paths| paths.first());
            return Err(match nearest(name, names.iter().map(String::as_str)) {
                Some(near) => found.help(format!("did you mean `{near}`?")),
                None => found.help(format!(
                    "write it to `{}/fixtures/{name}.{}`",
                    tests.map_or("tests", String::as_str),
                    format.as_str()
                )),
            });
        };
        let text = file.source.text();
        match format {
            FixtureFormat::Sql => Ok(Rows::Query(Arc::clone(&file.source), trimmed(text))),
            _ => of_csv(text, b',', &Span::whole(&file.source)).map(Rows::Records),
        }
    }

    /// The rows of a seed's file.
    fn of_seed(
        &self,
        given: &FixtureProperties,
        input: Option<(&str, Option<&Node>)>,
        what: &str,
    ) -> Result<Records, Diagnostic> {
        let seed = input.and_then(|(_, node)| node).filter(|node| node.resource_type == ResourceType::Seed);
        let Some(seed) = seed else {
            let message = match input {
                Some(_) => format!("{what} has no rows"),
                None => "the unit test says nothing of the rows that it expects".to_owned(),
            };
            let found = Diagnostic::error(Code::YamlValue, message).at(given.span.clone(), "`rows` is missing here");
            return Err(found.help("write `rows: []` where there are none; only a seed brings its own"));
        };
        let root = self.project.package(&seed.package_name).map_or(self.project.root.as_path(), |found| &found.root);
        let file = read_text(&root.join(&seed.original_file_path), Path::new(&seed.original_file_path))?;
        let delimiter = seed.config.text("delimiter").and_then(|text| text.bytes().next()).unwrap_or(b',');
        of_csv(file.text(), delimiter, &given.span)
    }
}

/// A list of mappings.
fn records(rows: &Yaml, what: &str) -> Result<Records, Diagnostic> {
    let wrong = |yaml: &Yaml, message: String| {
        Diagnostic::error(Code::YamlValue, message).at(yaml.span.clone(), "expected columns and values")
    };
    let Some(items) = rows.as_sequence() else {
        let found = wrong(rows, format!("{what} must be a list of rows, not {}", rows.kind()));
        return Err(match rows.as_str() {
            Some(_) => found.help("for CSV or a query, add `format: csv` or `format: sql`"),
            None => found,
        });
    };
    let row = |row: &Yaml| match row.as_mapping() {
        Some(_) => Ok(row.to_json_map()),
        None => Err(wrong(row, format!("a row of {what} must be a mapping, not {}", row.kind()))),
    };
    items.iter().map(row).collect()
}

/// CSV or a query, written in the entry.
fn of_text(
    rows: Option<&Yaml>,
    given: &FixtureProperties,
    format: FixtureFormat,
    what: &str,
) -> Result<Rows, Diagnostic> {
    let word = format.as_str();
    let Some(rows) = rows else {
        let found = Diagnostic::error(Code::YamlValue, format!("{what} has neither `rows` nor `fixture`"));
        return Err(found.at(given.span.clone(), format!("expected {word}")));
    };
    let Some(text) = rows.as_str() else {
        let message = format!("{what} must be a text with the format `{word}`, not {}", rows.kind());
        return Err(Diagnostic::error(Code::YamlValue, message).at(rows.span.clone(), format!("expected {word}")));
    };
    if format == FixtureFormat::Csv {
        return of_csv(text, b',', &rows.span).map(Rows::Records);
    }
    let file = SourceFile::new(format!("({what})"), text);
    let range = trimmed(text);
    Ok(Rows::Query(file, range))
}

/// Rows of texts; an empty field is NULL, and so is one that is missing at the end of a row.
fn of_csv(text: &str, delimiter: u8, place: &Span) -> Result<Records, Diagnostic> {
    let wrong = |message: String| Diagnostic::error(Code::YamlValue, message).at(place.clone(), "read as CSV");
    let unreadable = |error: csv::Error| wrong(format!("the rows are not readable as CSV: {error}"));
    let mut reader = csv::ReaderBuilder::new().flexible(true).delimiter(delimiter).from_reader(text.as_bytes());
    let header = reader.headers().map_err(unreadable)?.clone();
    let mut records = Records::new();
    for record in reader.records() {
        let record = record.map_err(unreadable)?;
        if record.len() > header.len() {
            let line = record.position().map_or(0, csv::Position::line);
            let (fields, columns) = (record.len(), header.len());
            return Err(wrong(format!("line {line} of the CSV has {fields} fields, its header has {columns}"))
                .help("quote fields that contain a comma"));
        }
        let value = |at: usize| match record.get(at) {
            None | Some("") => Json::Null,
            Some(text) => Json::from(text),
        };
        records.push(header.iter().enumerate().map(|(at, name)| (name.to_owned(), value(at))).collect::<Map<_, _>>());
    }
    Ok(records)
}

/// The rows with the first one that has no NULL in front, as in dbt: some warehouses take a column's type from there.
fn fullest_first(mut records: Records) -> Records {
    if let Some(full) = records.iter().position(|row| row.values().all(|value| !value.is_null())) {
        records.swap(0, full);
    }
    records
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn csv(text: &str) -> Result<Records, String> {
        let file = SourceFile::new("schema.yml", text);
        of_csv(text, b',', &Span::whole(&file)).map_err(|found| found.message().to_owned())
    }

    #[test]
    fn csv_is_read_as_python_reads_it() {
        let rows = csv("id,name\n1,\"a, b\"\n\n2,\n3\n").expect("readable");
        assert_eq!(
            json!(rows),
            json!([{"id": "1", "name": "a, b"}, {"id": "2", "name": null}, {"id": "3", "name": null}])
        );
        assert_eq!(csv("id\n1,2\n").expect_err("too long"), "line 2 of the CSV has 2 fields, its header has 1");
    }

    #[test]
    fn the_first_row_without_null_comes_first() {
        let rows = fullest_first(csv("a,b\n,1\n2,\n3,4\n5,6\n").expect("readable"));
        let first: Vec<&Json> = rows.iter().map(|row| &row["a"]).collect();
        assert_eq!(first, [&json!("3"), &json!("2"), &Json::Null, &json!("5")]);
    }
}
