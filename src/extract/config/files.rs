//! `type: files`: a pattern of paths, and how the files are read.

use super::super::document::Path as JsonPath;
use super::super::position::WatermarkKind;
use super::rest::path_of;
use super::{Incremental, read_incremental, unknown_word};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::project::yaml::Reader;

/// Files that hold the rows of one table.
#[derive(Debug, Clone)]
pub struct FilesConfig {
    /// The directory below which files are looked for, relative to the project's root.
    pub root: String,
    /// The pattern of their paths below the root; `*`, `?`, `[…]` within a name, `**` for any directories.
    pub path: String,
    /// Where the pattern stands.
    pub path_place: Span,
    /// How the files are read.
    pub format: FileFormat,
    /// How only what changed is read.
    pub incremental: Option<FileIncremental>,
}

/// How files are read.
#[derive(Debug, Clone, PartialEq)]
pub enum FileFormat {
    /// Delimited text.
    Csv {
        /// The character between fields.
        delimiter: u8,
        /// Whether the first line has the names; else columns are called `column_1`, `column_2`, …
        header: bool,
    },
    /// One JSON document, with its records at this path.
    Json(JsonPath),
    /// One JSON object a line.
    JsonLines,
    /// Parquet.
    Parquet,
}

/// How only what changed is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileIncremental {
    /// Whole files, by the time of their last change.
    Modified,
    /// All files, and of them the rows that changed.
    Field(Incremental),
}

impl FileIncremental {
    pub(super) fn by(&self) -> Incremental {
        match self {
            Self::Modified => {
                Incremental { field: super::super::files::MODIFIED.to_owned(), kind: WatermarkKind::TimestampTz }
            }
            Self::Field(incremental) => incremental.clone(),
        }
    }
}

const FORMATS: [&str; 4] = ["csv", "json", "ndjson", "parquet"];

pub(super) fn read(mut connector: Reader<'_>, mut table: Reader<'_>) -> Option<FilesConfig> {
    let root = connector.text("root").unwrap_or_default();
    let path = table.required_text("path");
    for text in path.iter().map(|(path, _)| path).chain([&root]) {
        if let Some((scheme, _)) = text.split_once("://") {
            table.report(
                Diagnostic::error(Code::NotSupported, format!("files behind `{scheme}://` are not supported yet"))
                    .at(table.span().clone(), "in this table")
                    .help("local files are"),
            );
        }
    }
    let format = path.as_ref().and_then(|(path, place)| read_format(&mut table, path, place));
    let incremental = table.reader("incremental", "`incremental` of a table").map(|mut reader| {
        let read = match reader.placed_text("by") {
            None => read_incremental(&mut reader).map(FileIncremental::Field),
            Some((word, _)) if word == "modified" => Some(FileIncremental::Modified),
            Some((word, place)) => {
                reader.report(unknown_word("way to find what changed", &word, &["modified"], place));
                None
            }
        };
        reader.finish();
        read
    });
    if matches!((&format, &incremental), (Some(FileFormat::Parquet), Some(Some(FileIncremental::Field(_))))) {
        table.report(
            Diagnostic::error(Code::NotSupported, "rows of Parquet files cannot be picked by a field yet")
                .at(table.span().clone(), "in this table")
                .help("write `incremental: {by: modified}` to read the files that changed"),
        );
    }
    connector.finish();
    table.finish();
    let (path, path_place) = path?;
    Some(FilesConfig {
        root,
        path,
        path_place: path_place.clone(),
        format: format?,
        incremental: match incremental {
            Some(incremental) => Some(incremental?),
            None => None,
        },
    })
}

fn read_format(table: &mut Reader<'_>, path: &str, place: &Span) -> Option<FileFormat> {
    let given = table.placed_text("format");
    let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension).to_ascii_lowercase();
    let (word, place) = given.unwrap_or((extension, place));
    Some(match word.as_str() {
        "csv" | "tsv" => {
            let standard = if word == "tsv" { b'\t' } else { b',' };
            let delimiter = match table.placed_text("delimiter") {
                None => standard,
                Some((text, _)) if text == "\\t" => b'\t',
                Some((text, place)) => match text.as_bytes() {
                    [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r') => *byte,
                    _ => {
                        table.report(
                            Diagnostic::error(Code::YamlValue, format!("`{text}` is no delimiter"))
                                .at(place.clone(), "expected one ASCII character"),
                        );
                        return None;
                    }
                },
            };
            FileFormat::Csv { delimiter, header: table.boolean("header").unwrap_or(true) }
        }
        "json" => FileFormat::Json(path_of(table, "records").or_else(|| JsonPath::parse("$[*]").ok())?),
        "ndjson" | "jsonl" => FileFormat::JsonLines,
        "parquet" => FileFormat::Parquet,
        _ => {
            table.report(unknown_word("format of files", &word, &FORMATS, place).help("name it: `format: csv`"));
            return None;
        }
    })
}
