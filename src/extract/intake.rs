//! What happens to each record on its way into a batch: checked, typed, counted for the watermark, written as a line.

use super::document::scalar;
use super::infer::{Kind, Seen};
use super::position::{Position, WatermarkKind};
use super::record::{Field, fields, fit, write_fields, write_line};
use crate::adapter::ColumnType;
use crate::diagnostic::{Code, Diagnostic, Span};
use rustc_hash::{FxHashMap, FxHasher};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::hash::{Hash as _, Hasher as _};

/// The keys that a page walk remembers to notice that rows moved under it. Beyond this number only the first
/// ones are watched, so that memory stays bounded.
const MOST_KEYS: usize = 2_000_000;

/// What the rows of a table must be.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// Fields that every row must have, not NULL.
    pub key: Vec<String>,
    /// Types that win over what is inferred.
    pub declared: Vec<(String, ColumnType)>,
    /// Types that a recording has kept of its columns: values are read as these, and known types may be wider.
    pub recorded: Vec<(String, ColumnType)>,
    /// Columns and types that earlier batches had.
    pub known: Vec<(String, ColumnType)>,
    /// The field that orders rows by their time of change, and its type.
    pub incremental: Option<(String, WatermarkKind)>,
    /// Rows before this position are left out: a recording holds more than was asked for.
    pub since: Option<Position>,
    /// Whether a row that comes twice in different versions says that the rows moved while they were read.
    pub watch_keys: bool,
}

/// Takes in the records of one table.
pub struct Intake {
    rules: Rules,
    /// The types that values have to fit: the declared ones, and those of a recording.
    read_as: FxHashMap<String, ColumnType>,
    columns: Vec<Column>,
    index: FxHashMap<String, usize>,
    highest: Option<(String, Position)>,
    bound: Option<Position>,
    keys: FxHashMap<u64, u64>,
    moved: bool,
    row: u64,
}

struct Column {
    name: String,
    seen: Seen,
    /// Whether values have to fit a type that is known, so that they say nothing about it.
    is_typed: bool,
    /// The row that had this column last, to notice two fields of one name.
    last_row: u64,
}

/// What of an intake a crashed run needs to go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    columns: Vec<(String, Seen)>,
    highest: Option<String>,
}

/// What became of a record.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its line was written.
    Row,
    /// It lies before what was asked for.
    LeftOut,
    /// It cannot be a row, for this reason.
    Rejected(String),
}

impl Intake {
    /// An intake that has seen nothing.
    pub fn new(rules: Rules) -> Self {
        let mut read_as: FxHashMap<String, ColumnType> = rules.recorded.iter().cloned().collect();
        read_as.extend(rules.declared.iter().cloned());
        let mut intake = Self {
            rules,
            read_as,
            columns: Vec::new(),
            index: FxHashMap::default(),
            highest: None,
            bound: None,
            keys: FxHashMap::default(),
            moved: false,
            row: 0,
        };
        for (name, known) in intake.rules.known.clone() {
            let at = intake.position(&name);
            intake.columns[at].seen = Seen::of_type(&known);
        }
        for (name, recorded) in intake.rules.recorded.clone() {
            let at = intake.position(&name);
            intake.columns[at].seen = intake.columns[at].seen.join(Seen::of_type(&recorded));
        }
        intake
    }

    /// Rows beyond this position do not move the watermark: they are dated after the walk began.
    pub fn set_bound(&mut self, bound: Option<Position>) {
        self.bound = bound;
    }

    /// Makes a column known that the source declares, with the type it has if all its values are NULL.
    pub fn expect_column(&mut self, name: &str) -> usize {
        self.position(name)
    }

    /// Takes one record, given as JSON text; a row is appended to `line`.
    pub fn take(&mut self, record: &str, line: &mut Vec<u8>) -> Outcome {
        match fields(record) {
            Ok(fields) => self.take_read(Some(record), fields, line),
            Err(reason) => Outcome::Rejected(reason),
        }
    }

    /// Takes one record whose fields are known already.
    pub fn take_fields(&mut self, fields: Vec<Field<'_>>, line: &mut Vec<u8>) -> Outcome {
        self.take_read(None, fields, line)
    }

    fn take_read(&mut self, record: Option<&str>, mut fields: Vec<Field<'_>>, line: &mut Vec<u8>) -> Outcome {
        if let Err(reason) = self.check(&mut fields) {
            return Outcome::Rejected(reason);
        }
        match self.place(&fields) {
            Ok(Some(position)) if self.is_before(&position.1) => return Outcome::LeftOut,
            Ok(Some((text, position))) => self.raise(text, position),
            Ok(None) => {}
            Err(reason) => return Outcome::Rejected(reason),
        }
        self.row += 1;
        let repeated_names = self.see(&fields);
        let start = line.len();
        match record {
            Some(record) => write_line(record, &fields, repeated_names, line),
            None => write_fields(&fields, repeated_names, line),
        }
        if self.rules.watch_keys {
            self.watch(&fields, line[start..].trim_ascii_end());
        }
        Outcome::Row
    }

    /// Watches the key of a row that an earlier run staged, so that a resumed walk notices what moved.
    pub fn rewatch(&mut self, line: &str) {
        if self.rules.watch_keys
            && let Ok(fields) = fields(line)
        {
            self.watch(&fields, line.as_bytes());
        }
    }

    fn check(&self, fields: &mut [Field<'_>]) -> Result<(), String> {
        for key in &self.rules.key {
            match find(fields, key) {
                None => return Err(format!("the key `{key}` is missing")),
                Some(field) if field.kind == Kind::Null => return Err(format!("the key `{key}` is NULL")),
                Some(_) => {}
            }
        }
        if self.read_as.is_empty() {
            return Ok(());
        }
        for field in fields {
            if let Some(read_as) = self.read_as.get(field.name.as_ref())
                && !fit(field, read_as)
            {
                return Err(format!("`{}` is no {}: {}", field.name, type_word(read_as), shortened(&field.raw)));
            }
        }
        Ok(())
    }

    /// The row's text and position of the incremental field; none if it is NULL or missing.
    fn place(&self, fields: &[Field<'_>]) -> Result<Option<(String, Position)>, String> {
        let Some((name, kind)) = &self.rules.incremental else { return Ok(None) };
        let Some(field) = find(fields, name).filter(|field| field.kind != Kind::Null) else { return Ok(None) };
        let text = scalar(&field.raw).unwrap_or_else(|| field.raw.to_string());
        if let Some((highest, position)) = &self.highest
            && *highest == text
        {
            return Ok(Some((text, position.clone())));
        }
        match kind.read(&text) {
            Some(position) => Ok(Some((text, position))),
            None => Err(format!("`{name}` is no {}: {}", kind.as_str(), shortened(&field.raw))),
        }
    }

    fn is_before(&self, position: &Position) -> bool {
        self.rules.since.as_ref().is_some_and(|since| position.compare(since) == Ordering::Less)
    }

    fn raise(&mut self, text: String, position: Position) {
        let beyond = self.bound.as_ref().is_some_and(|bound| position.compare(bound) == Ordering::Greater);
        let higher = self.highest.as_ref().is_none_or(|(_, highest)| position.compare(highest) == Ordering::Greater);
        if higher && !beyond {
            self.highest = Some((text, position));
        }
    }

    /// Remembers which version of a row came; another version of a row that came before says that rows moved.
    fn watch(&mut self, fields: &[Field<'_>], line: &[u8]) {
        if self.rules.key.is_empty() {
            return;
        }
        let mut key = FxHasher::default();
        for name in &self.rules.key {
            if let Some(field) = find(fields, name) {
                // A number that was staged in quotes is still the same key.
                field.raw.trim_matches('"').hash(&mut key);
            }
        }
        let mut version = FxHasher::default();
        line.hash(&mut version);
        let (key, version) = (key.finish(), version.finish());
        match self.keys.get(&key) {
            Some(known) => self.moved |= *known != version,
            None if self.keys.len() < MOST_KEYS => {
                self.keys.insert(key, version);
            }
            None => {}
        }
    }

    /// Takes the fields of a row into the types of columns; says whether two fields have one name.
    fn see(&mut self, fields: &[Field<'_>]) -> bool {
        let mut repeated = false;
        for (index, field) in fields.iter().enumerate() {
            // Rows of a source mostly have the same fields in the same order.
            let at = match self.columns.get(index) {
                Some(column) if column.name == field.name => index,
                _ => self.position(&field.name),
            };
            let row = self.row;
            let column = &mut self.columns[at];
            repeated |= column.last_row == row;
            column.last_row = row;
            if !column.is_typed {
                column.seen.see(field.kind, &field.raw);
            }
        }
        repeated
    }

    fn position(&mut self, name: &str) -> usize {
        if let Some(at) = self.index.get(name) {
            return *at;
        }
        self.columns.push(Column {
            name: name.to_owned(),
            seen: Seen::default(),
            is_typed: self.read_as.contains_key(name),
            last_row: 0,
        });
        self.index.insert(name.to_owned(), self.columns.len() - 1);
        self.columns.len() - 1
    }

    /// Whether a row came twice in different versions.
    pub fn moved(&self) -> bool {
        self.moved
    }

    /// The highest value of the incremental field among the rows taken, in the source's own text.
    pub fn highest(&self) -> Option<&str> {
        self.highest.as_ref().map(|(text, _)| text.as_str())
    }

    /// Names and types of the columns: those of earlier batches, those of the rows, then those that are declared
    /// and never came. `empty_type` gives the type of a column that has only NULLs.
    pub fn columns(&self, empty_type: impl Fn(&str) -> ColumnType) -> Vec<(String, ColumnType)> {
        let declared = |name: &str| {
            self.rules.declared.iter().find(|(column, _)| column == name).map(|(_, declared)| declared.clone())
        };
        let column_type = |column: &Column| {
            declared(&column.name).or_else(|| column.seen.column_type()).unwrap_or_else(|| empty_type(&column.name))
        };
        let seen = self.columns.iter().map(|column| (column.name.clone(), column_type(column)));
        let missing = self.rules.declared.iter().filter(|(name, _)| !self.index.contains_key(name));
        seen.chain(missing.cloned()).collect()
    }

    /// What is wrong with the columns as a whole: names that only differ by case, a key or an incremental field
    /// whose type is another one than before.
    pub fn drift(&self, columns: &[(String, ColumnType)], table: &str, place: &Span) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        let mut folded: FxHashMap<String, &str> = FxHashMap::default();
        for (name, _) in columns {
            if let Some(other) = folded.insert(name.to_lowercase(), name) {
                found.push(
                    Diagnostic::error(
                        Code::Extract,
                        format!(
                            "`{table}` has the columns `{other}` and `{name}`, which a warehouse cannot tell apart"
                        ),
                    )
                    .at(place.clone(), "extracted here"),
                );
            }
        }
        let watched = self.rules.key.iter().chain(self.rules.incremental.iter().map(|(name, _)| name));
        for name in watched {
            let of = |columns: &[(String, ColumnType)]| {
                columns.iter().find(|(column, _)| column.eq_ignore_ascii_case(name)).map(|(_, found)| found.clone())
            };
            if let (Some(before), Some(now)) = (of(&self.rules.known), of(columns))
                && std::mem::discriminant(&before) != std::mem::discriminant(&now)
            {
                found.push(
                    Diagnostic::error(
                        Code::Extract,
                        format!("`{name}` of `{table}` was {} and is {} now", type_word(&before), type_word(&now)),
                    )
                    .at(place.clone(), "extracted here")
                    .note("rows are matched by this field: with another type old and new rows would not meet")
                    .help(format!("declare its type in `columns: {{{name}: …}}`, or run with --full-refresh")),
                );
            }
        }
        found
    }

    /// What a crashed run needs to go on.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            columns: self.columns.iter().map(|column| (column.name.clone(), column.seen)).collect(),
            highest: self.highest().map(str::to_owned),
        }
    }

    /// Goes on where a crashed run stopped. False if the snapshot does not fit the rules.
    pub fn restore(&mut self, snapshot: &Snapshot) -> bool {
        for (name, seen) in &snapshot.columns {
            let at = self.position(name);
            self.columns[at].seen = *seen;
        }
        if let Some(text) = &snapshot.highest {
            let position = self.rules.incremental.as_ref().and_then(|(_, kind)| kind.read(text));
            let Some(position) = position else { return false };
            self.highest = Some((text.clone(), position));
        }
        true
    }
}

/// The last field of a name, its case not regarded: warehouses fold names.
fn find<'f, 'a>(fields: &'f [Field<'a>], name: &str) -> Option<&'f Field<'a>> {
    fields.iter().rev().find(|field| field.name.eq_ignore_ascii_case(name))
}

/// A value as shown in a reason.
fn shortened(raw: &str) -> String {
    match raw.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &raw[..end]),
        None => raw.to_owned(),
    }
}

/// The word for a type in `columns:` and in messages.
pub fn type_word(column_type: &ColumnType) -> String {
    match column_type {
        ColumnType::Boolean => "boolean".to_owned(),
        ColumnType::BigInt => "bigint".to_owned(),
        ColumnType::Decimal(precision, scale) => format!("decimal({precision},{scale})"),
        ColumnType::Double => "double".to_owned(),
        ColumnType::Text => "text".to_owned(),
        ColumnType::Date => "date".to_owned(),
        ColumnType::Time => "time".to_owned(),
        ColumnType::Timestamp => "timestamp".to_owned(),
        ColumnType::TimestampTz => "timestamptz".to_owned(),
        ColumnType::Binary => "binary".to_owned(),
        ColumnType::Json => "json".to_owned(),
        ColumnType::Other(word) => word.clone(),
    }
}

/// The type that a word of `columns:` means.
pub fn type_from_word(word: &str) -> Option<ColumnType> {
    let folded = word.trim().to_ascii_lowercase();
    Some(match folded.as_str() {
        "boolean" | "bool" => ColumnType::Boolean,
        "bigint" | "integer" | "int" => ColumnType::BigInt,
        "double" | "float" => ColumnType::Double,
        "text" | "varchar" | "string" => ColumnType::Text,
        "date" => ColumnType::Date,
        "time" => ColumnType::Time,
        "timestamp" | "timestamp_ntz" => ColumnType::Timestamp,
        "timestamptz" | "timestamp_tz" => ColumnType::TimestampTz,
        "binary" | "blob" => ColumnType::Binary,
        "json" | "variant" => ColumnType::Json,
        _ => {
            let arguments = folded.strip_prefix("decimal").or_else(|| folded.strip_prefix("numeric"))?.trim();
            let (precision, scale) = arguments.strip_prefix('(')?.strip_suffix(')')?.split_once(',')?;
            let (precision, scale) = (precision.trim().parse().ok()?, scale.trim().parse().ok()?);
            if !(1..=38).contains(&precision) || scale > precision {
                return None;
            }
            ColumnType::Decimal(precision, scale)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::SourceFile;

    fn rules() -> Rules {
        Rules {
            key: vec!["id".to_owned()],
            incremental: Some(("at".to_owned(), WatermarkKind::TimestampTz)),
            ..Rules::default()
        }
    }

    fn take(intake: &mut Intake, record: &str) -> Outcome {
        intake.take(record, &mut Vec::new())
    }

    #[test]
    fn poison_is_rejected_with_a_reason_and_leaves_no_trace() {
        let declared = vec![("n".to_owned(), ColumnType::BigInt)];
        let mut intake = Intake::new(Rules { declared, ..rules() });
        for (record, reason) in [
            ("7", "the record is a number, not an object"),
            (r#"{"n": 1}"#, "the key `id` is missing"),
            (r#"{"id": null, "new": 1}"#, "the key `id` is NULL"),
            (r#"{"id": 1, "n": "x", "new": 1}"#, "`n` is no bigint: \"x\""),
            (r#"{"id": 1, "at": "soon", "new": 1}"#, "`at` is no timestamptz: \"soon\""),
        ] {
            assert_eq!(take(&mut intake, record), Outcome::Rejected(reason.to_owned()));
        }
        assert_eq!(intake.columns(|_| ColumnType::Text), [("n".to_owned(), ColumnType::BigInt)]);
        assert_eq!(intake.highest(), None);
    }

    #[test]
    fn the_watermark_is_the_highest_value_read_and_not_beyond_the_bound() {
        let mut intake = Intake::new(rules());
        intake.set_bound(WatermarkKind::TimestampTz.read("2024-01-03T00:00:00Z"));
        for at in ["\"2024-01-02T00:00:00.5Z\"", "\"2024-01-01T00:00:00Z\"", "null", "\"2099-01-01T00:00:00Z\""] {
            assert_eq!(take(&mut intake, &format!("{{\"id\": 1, \"at\": {at}}}")), Outcome::Row);
        }
        assert_eq!(intake.highest(), Some("2024-01-02T00:00:00.5Z"));
    }

    #[test]
    fn rows_before_the_question_are_left_out_of_a_recording() {
        let since = WatermarkKind::TimestampTz.read("2024-01-02T00:00:00Z");
        let mut intake = Intake::new(Rules { since, ..rules() });
        assert_eq!(take(&mut intake, r#"{"id": 1, "at": "2024-01-01T23:59:59Z"}"#), Outcome::LeftOut);
        assert_eq!(take(&mut intake, r#"{"id": 1, "at": "2024-01-02T00:00:00Z"}"#), Outcome::Row);
        assert_eq!(take(&mut intake, r#"{"id": 2}"#), Outcome::Row);
    }

    #[test]
    fn a_row_in_two_versions_says_that_rows_moved() {
        let mut intake = Intake::new(Rules { watch_keys: true, ..rules() });
        take(&mut intake, r#"{"id": 1, "v": 1}"#);
        take(&mut intake, r#"{"id": 1, "v": 1}"#);
        assert!(!intake.moved());
        take(&mut intake, r#"{"id": 1, "v": 2}"#);
        assert!(intake.moved());
    }

    #[test]
    fn a_snapshot_is_all_that_is_needed_to_go_on() {
        let records = [r#"{"id": 1, "a": 1.5, "at": "2024-01-02T00:00:00Z"}"#, r#"{"id": 2, "b": {}, "a": 1}"#];
        let mut whole = Intake::new(rules());
        for record in records {
            take(&mut whole, record);
        }
        let mut first = Intake::new(rules());
        take(&mut first, records[0]);
        let written = serde_json::to_string(&first.snapshot()).expect("JSON");
        let mut second = Intake::new(rules());
        assert!(second.restore(&serde_json::from_str(&written).expect("JSON")));
        take(&mut second, records[1]);
        assert_eq!(second.snapshot(), whole.snapshot());
    }

    #[test]
    fn names_that_differ_by_case_and_keys_that_change_type_are_refused() {
        let known = vec![("id".to_owned(), ColumnType::BigInt), ("a".to_owned(), ColumnType::BigInt)];
        let mut intake = Intake::new(Rules { known, ..rules() });
        take(&mut intake, r#"{"id": "x", "A": 1.5}"#);
        let columns = intake.columns(|_| ColumnType::Text);
        let place = Span::whole(&SourceFile::new("schema.yml", "path: /x"));
        let messages: Vec<String> =
            intake.drift(&columns, "customers", &place).iter().map(|found| found.message().to_owned()).collect();
        assert_eq!(
            messages,
            [
                "`customers` has the columns `a` and `A`, which a warehouse cannot tell apart",
                "`id` of `customers` was bigint and is text now"
            ]
        );
    }

    #[test]
    fn types_have_words() {
        for word in ["boolean", "bigint", "decimal(12,2)", "double", "text", "date", "time", "timestamptz", "json"] {
            assert_eq!(type_from_word(word).map(|found| type_word(&found)).as_deref(), Some(word));
        }
        assert_eq!(type_from_word("Numeric( 10 , 0 )"), Some(ColumnType::Decimal(10, 0)));
        for wrong in ["decimal", "decimal(39,0)", "decimal(2,3)", "money"] {
            assert_eq!(type_from_word(wrong), None, "{wrong}");
        }
    }
}
