//! Rows that come as JSON: every value a text, in the server's own spelling.

use super::column::{Column, Kind};
use super::value::{Instant, date, fixed};
use crate::adapter::Cell;
use serde_json::Value as Json;

/// Reads rows; a row of another width than the columns is an error.
pub(super) fn read(rows: &[Json], columns: &[Column]) -> Result<Vec<Vec<Cell>>, String> {
    rows.iter()
        .map(|row| {
            let values = row.as_array().filter(|values| values.len() == columns.len());
            let values = values.ok_or_else(|| format!("a row of the answer has not {} values", columns.len()))?;
            Ok(values.iter().zip(columns).map(|(value, column)| cell(value, column)).collect())
        })
        .collect()
}

/// Reads a part of a result: rows with commas between them, without the list's brackets.
pub(super) fn read_part(part: &[u8], columns: &[Column]) -> Result<Vec<Vec<Cell>>, String> {
    let mut document = Vec::with_capacity(part.len() + 2);
    document.push(b'[');
    document.extend_from_slice(part);
    document.push(b']');
    let rows: Vec<Json> = serde_json::from_slice(&document).map_err(|error| format!("a part is no JSON: {error}"))?;
    read(&rows, columns)
}

fn cell(value: &Json, column: &Column) -> Cell {
    let text = match value {
        Json::Null => return Cell::Null,
        Json::String(text) => std::borrow::Cow::Borrowed(text.as_str()),
        other => std::borrow::Cow::Owned(other.to_string()),
    };
    let read = match column.kind {
        Kind::Fixed => number(&text, column.scale),
        Kind::Real => text.parse().ok().map(Cell::Float),
        Kind::DecimalFloat => Some(Cell::Decimal(text.to_string())),
        Kind::Boolean => match text.to_ascii_lowercase().as_str() {
            "1" | "true" => Some(Cell::Boolean(true)),
            "0" | "false" => Some(Cell::Boolean(false)),
            _ => None,
        },
        Kind::Date => text.parse().ok().and_then(date),
        Kind::Time => seconds(&text).and_then(Instant::time_of_day),
        Kind::TimestampNtz => seconds(&text).and_then(Instant::without_zone),
        Kind::TimestampLtz => seconds(&text).and_then(Instant::in_session_zone),
        Kind::TimestampTz => {
            let (instant, offset) = text.split_once(' ').unwrap_or((&text, "1440"));
            seconds(instant).zip(offset.parse().ok()).and_then(|(instant, offset)| instant.with_offset(offset))
        }
        Kind::Binary => bytes(&text).map(Cell::Binary),
        Kind::Text | Kind::Semistructured | Kind::Other => Some(Cell::Text(text.to_string())),
    };
    // A value that is not written as its type says is shown as it came, never lost.
    read.unwrap_or_else(|| Cell::Text(text.into_owned()))
}

/// `12.50`; numbers of more than 128 bits stay texts.
fn number(text: &str, scale: u32) -> Option<Cell> {
    if scale == 0 && !text.contains(['.', 'e', 'E']) {
        return text.parse().ok().map(|value| fixed(value, 0));
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    plain.then(|| Cell::Decimal(text.to_owned()))
}

/// `-1.500000000`: seconds and their fraction.
fn seconds(text: &str) -> Option<Instant> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = fraction.get(..fraction.len().min(9))?;
    let nanoseconds: u32 = if digits.is_empty() { 0 } else { format!("{digits:0<9}").parse().ok()? };
    let seconds: i64 = whole.parse().ok()?;
    let total = i128::from(seconds.unsigned_abs()) * 1_000_000_000 + i128::from(nanoseconds);
    Instant::scaled(if whole.starts_with('-') { -total } else { total }, 9)
}

/// Two hexadecimal digits a byte.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shown(word: &str, scale: u32, value: &str) -> String {
        let column = Column::read(&json!({"name": "c", "type": word, "scale": scale}));
        let rows = read(&[json!([value])], &[column]).expect("a row");
        format!("{:?}", rows[0][0])
    }

    #[test]
    fn every_type_is_read_from_its_spelling() {
        assert_eq!(shown("FIXED", 0, "-170141183460469231731687303715884105728"), format!("Integer({})", i128::MIN));
        assert_eq!(shown("fixed", 2, "-12.50"), r#"Decimal("-12.50")"#);
        assert_eq!(shown("real", 0, "1.5e300"), "Float(1.5e300)");
        assert_eq!(shown("real", 0, "NaN"), "Float(NaN)");
        assert_eq!(shown("boolean", 0, "1"), "Boolean(true)");
        assert_eq!(shown("date", 0, "-1"), "Date(1969-12-31)");
        assert_eq!(shown("time", 9, "3661.500000000"), "Time(01:01:01.500)");
        assert_eq!(shown("timestamp_ntz", 9, "-0.500000000"), "Timestamp(1969-12-31T23:59:59.500)");
        assert_eq!(shown("timestamp_ltz", 3, "86400.000"), "TimestampTz(1970-01-02T00:00:00+00:00)");
        assert_eq!(shown("timestamp_tz", 9, "0.000000000 1500"), "TimestampTz(1970-01-01T01:00:00+01:00)");
        assert_eq!(shown("binary", 0, "00FF"), "Binary([0, 255])");
        assert_eq!(shown("vector", 0, "[1,2]"), r#"Text("[1,2]")"#);
    }

    #[test]
    fn nothing_is_lost_that_cannot_be_read() {
        assert_eq!(shown("date", 0, "soon"), r#"Text("soon")"#);
        assert_eq!(shown("binary", 0, "0FF"), r#"Text("0FF")"#);
        let columns = [Column::read(&json!({"name": "c", "type": "text"}))];
        assert!(read(&[json!(["a", "b"])], &columns).is_err());
        let part = read_part(br#"["a"],[null]"#, &columns).expect("rows");
        assert_eq!(part, [[Cell::Text("a".into())], [Cell::Null]]);
        assert_eq!(read_part(b"", &columns).expect("no rows").len(), 0);
    }
}
