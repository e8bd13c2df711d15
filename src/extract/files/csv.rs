//! Delimited text. It is read here and not by a library, since NULL and the empty text differ only by quotes:
//! an empty field without quotes is NULL, one with quotes is an empty text.

use super::super::Request;
use super::super::batch::Build;
use super::super::infer::Kind;
use super::super::record::Field;
use super::listing::Listed;
use super::unreadable;
use crate::diagnostic::{Code, Diagnostic, Result};
use rustc_hash::FxHashSet;
use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufRead, BufReader};

/// The longest record, in bytes: beyond it a quote was not closed.
const LONGEST: usize = 64 << 20;

/// Reads a file; all columns are texts, unless `columns:` declares types.
pub fn read(
    request: &Request<'_>,
    build: &mut Build<'_>,
    file: &Listed,
    page: u64,
    (delimiter, header): (u8, bool),
) -> Result<()> {
    let unreadable = |cause: io::Error| unreadable(&file.path, &cause);
    let mut lines = BufReader::with_capacity(1 << 18, File::open(&file.path).map_err(unreadable)?);
    let mut names: Option<Vec<String>> = None;
    let (mut record, mut count) = (Vec::new(), 0_u64);
    while next_record(&mut lines, &mut record).map_err(unreadable)? {
        let Ok(text) = std::str::from_utf8(&record) else {
            build.reject("the record is no UTF-8".to_owned(), page, String::from_utf8_lossy(&record).into_owned())?;
            continue;
        };
        let text = if count == 0 { text.trim_start_matches('\u{feff}') } else { text };
        count += 1;
        if text.is_empty() {
            continue;
        }
        let values = match split(text, delimiter) {
            Ok(values) => values,
            Err(reason) => {
                build.reject(reason.to_owned(), page, text.to_owned())?;
                continue;
            }
        };
        let Some(names) = &names else {
            let found = column_names(&values, header);
            if let Some(twice) = repeated(&found) {
                return Err(Diagnostic::error(Code::Extract, format!("{} has the column `{twice}` twice", file.shown))
                    .at(request.config.place.clone(), "for this table")
                    .into());
            }
            for name in &found {
                build.expect_column(name);
            }
            if !header {
                take(build, &found, &values, page, text)?;
            }
            names = Some(found);
            continue;
        };
        take(build, names, &values, page, text)?;
        if count % 10_000 == 0 {
            request.check_cancelled()?;
            build.tell(page);
        }
    }
    Ok(())
}

fn take(build: &mut Build<'_>, names: &[String], values: &[Option<Cow<'_, str>>], page: u64, text: &str) -> Result<()> {
    if values.len() != names.len() {
        let reason = format!("the record has {} fields, and there are {} columns", values.len(), names.len());
        return build.reject(reason, page, text.to_owned());
    }
    let field = |(name, value): (&'_ String, &Option<Cow<'_, str>>)| {
        let (raw, kind) = match value {
            Some(text) => (serde_json::Value::from(text.as_ref()).to_string(), Kind::Text),
            None => ("null".to_owned(), Kind::Null),
        };
        Field { name: Cow::Owned(name.clone()), raw: Cow::Owned(raw), kind }
    };
    build.fields(names.iter().zip(values).map(field).collect(), page)
}

fn column_names(values: &[Option<Cow<'_, str>>], header: bool) -> Vec<String> {
    let name = |(index, value): (usize, &Option<Cow<'_, str>>)| match value {
        Some(name) if header && !name.trim().is_empty() => name.trim().to_owned(),
        _ => format!("column_{}", index + 1),
    };
    values.iter().enumerate().map(name).collect()
}

fn repeated(names: &[String]) -> Option<&String> {
    let mut seen = FxHashSet::default();
    names.iter().find(|name| !seen.insert(name.to_lowercase()))
}

/// Reads one record, which may have line ends within quotes, without its own line end. False at the end.
fn next_record(lines: &mut impl BufRead, record: &mut Vec<u8>) -> io::Result<bool> {
    record.clear();
    let mut in_quotes = false;
    loop {
        let start = record.len();
        if lines.read_until(b'\n', record)? == 0 {
            break;
        }
        for byte in &record[start..] {
            in_quotes ^= *byte == b'"';
        }
        if !in_quotes || record.len() > LONGEST {
            break;
        }
    }
    if record.is_empty() {
        return Ok(false);
    }
    while let Some(b'\n' | b'\r') = record.last() {
        record.pop();
    }
    Ok(true)
}

/// The fields of a record; none for NULL.
fn split(text: &str, delimiter: u8) -> Result<Vec<Option<Cow<'_, str>>>, &'static str> {
    let bytes = text.as_bytes();
    let mut values = Vec::new();
    let mut at = 0;
    loop {
        if bytes.get(at) == Some(&b'"') {
            let (value, end) = quoted(text, at)?;
            at = end;
            if bytes.get(at).is_some_and(|byte| *byte != delimiter) {
                return Err("something stands behind a closing quote");
            }
            values.push(Some(value));
        } else {
            let end = bytes[at..].iter().position(|byte| *byte == delimiter).map_or(bytes.len(), |length| at + length);
            values.push(Some(&text[at..end]).filter(|value| !value.is_empty()).map(Cow::Borrowed));
            at = end;
        }
        if at >= bytes.len() {
            return Ok(values);
        }
        at += 1;
    }
}

/// The value whose opening quote stands at `start`, and where it ends.
fn quoted(text: &str, start: usize) -> Result<(Cow<'_, str>, usize), &'static str> {
    let bytes = text.as_bytes();
    let mut at = start + 1;
    let mut doubled = false;
    loop {
        match bytes.get(at) {
            None => return Err("a quote is not closed"),
            Some(b'"') if bytes.get(at + 1) == Some(&b'"') => {
                doubled = true;
                at += 2;
            }
            Some(b'"') => break,
            Some(_) => at += 1,
        }
    }
    let value = &text[start + 1..at];
    Ok((if doubled { Cow::Owned(value.replace("\"\"", "\"")) } else { Cow::Borrowed(value) }, at + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fields(text: &str) -> Result<Vec<Option<String>>, &'static str> {
        Ok(split(text, b',')?.into_iter().map(|value| value.map(Cow::into_owned)).collect())
    }

    #[test]
    fn null_and_the_empty_text_differ() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(fields("a,,\"\",\"x\"\"y,\nz\","), Ok(vec![some("a"), None, some(""), some("x\"y,\nz"), None]));
        assert_eq!(fields("\"a"), Err("a quote is not closed"));
        assert_eq!(fields("\"a\"b,c"), Err("something stands behind a closing quote"));
        assert_eq!(fields("it\"s,b"), Ok(vec![some("it\"s"), some("b")]));
    }

    #[test]
    fn records_end_at_line_ends_outside_of_quotes() {
        let mut lines = "a,b\r\n\"x\ny\",2\n\nlast".as_bytes();
        let mut records = Vec::new();
        let mut record = Vec::new();
        while next_record(&mut lines, &mut record).expect("bytes") {
            records.push(String::from_utf8(record.clone()).expect("UTF-8"));
        }
        assert_eq!(records, ["a,b", "\"x\ny\",2", "", "last"]);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(rows in proptest::collection::vec(proptest::option::of("[a-z\"\n, é]{0,6}"), 2..6)) {
            let write = |value: &Option<String>| value.as_ref().map_or(String::new(), |text| format!("\"{}\"", text.replace('"', "\"\"")));
            let written = rows.iter().map(write).collect::<Vec<_>>().join(",");
            prop_assert_eq!(fields(&written), Ok(rows));
        }
    }
}
