//! The footer of a Parquet file: how many rows, which columns. The rows themselves are read by the warehouse.
//!
//! The footer is a struct in Thrift's compact encoding, of which only three fields count here.

use crate::adapter::ColumnType;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

/// What a footer says.
#[derive(Debug, Clone, PartialEq)]
pub struct Footer {
    /// Rows of the file.
    pub rows: u64,
    /// Its columns at the top; nested ones are JSON.
    pub columns: Vec<(String, ColumnType)>,
}

/// The largest footer that is read, in bytes.
const LARGEST: u64 = 256 << 20;
const MAGIC: &[u8] = b"PAR1";

/// Reads the footer of a file; the error is the reason, in words.
pub fn read_footer(path: &Path) -> Result<Footer, String> {
    let failed = |cause: std::io::Error| cause.to_string();
    let mut file = File::open(path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    let end = length.checked_sub(8).ok_or("it is no Parquet file")?;
    let mut tail = [0; 8];
    file.seek(SeekFrom::Start(end)).map_err(failed)?;
    file.read_exact(&mut tail).map_err(failed)?;
    let size = u64::from(u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]));
    if &tail[4..] != MAGIC || size > end || size > LARGEST {
        return Err("it is no Parquet file".to_owned());
    }
    file.seek(SeekFrom::Start(end - size)).map_err(failed)?;
    let mut footer = Vec::new();
    file.take(size).read_to_end(&mut footer).map_err(failed)?;
    decode(&footer).ok_or_else(|| "its footer is broken".to_owned())
}

fn decode(footer: &[u8]) -> Option<Footer> {
    let footer = Thrift { bytes: footer, at: 0 }.structure(0)?;
    let rows = u64::try_from(footer.get(3)?.number()?).ok()?;
    let schema = footer.get(2)?.list()?;
    let mut elements = schema.iter().skip(1);
    let mut columns = Vec::new();
    while let Some(element) = elements.next() {
        let name = String::from_utf8(element.get(4)?.bytes()?.to_vec()).ok()?;
        let children = element.get(5).and_then(Thing::number).unwrap_or(0);
        let mut below = children;
        while below > 0 {
            below += elements.next()?.get(5).and_then(Thing::number).unwrap_or(0) - 1;
        }
        // Repetition 2 is a list that is not wrapped in a group.
        let nested = children > 0 || element.get(3).and_then(Thing::number) == Some(2);
        columns.push((name, if nested { ColumnType::Json } else { column_type(element) }));
    }
    Some(Footer { rows, columns })
}

/// The type of a column: by its logical or converted type, else by how it is stored.
fn column_type(element: &Thing) -> ColumnType {
    let number = |field: i64| element.get(field).and_then(Thing::number);
    let decimal = || {
        let (scale, precision) = (number(7).unwrap_or(0), number(8)?);
        Some(ColumnType::Decimal(u8::try_from(precision).ok()?, u8::try_from(scale).ok()?))
    };
    // The logical type is a union: one field, whose number says which.
    if let Some((kind, content)) = element.get(10).and_then(Thing::only_field) {
        let utc = matches!(content.get(1), Some(Thing::Boolean(true)));
        match kind {
            1 | 4 | 14 => return ColumnType::Text,
            5 => return decimal().unwrap_or(ColumnType::Double),
            6 => return ColumnType::Date,
            7 => return ColumnType::Time,
            8 if utc => return ColumnType::TimestampTz,
            8 => return ColumnType::Timestamp,
            12 => return ColumnType::Json,
            _ => {}
        }
    }
    match number(6) {
        Some(0 | 4) => return ColumnType::Text,
        Some(5) => return decimal().unwrap_or(ColumnType::Double),
        Some(6) => return ColumnType::Date,
        Some(7 | 8) => return ColumnType::Time,
        Some(9 | 10) => return ColumnType::TimestampTz,
        // Unsigned 64 bits do not fit into BIGINT.
        Some(14) => return ColumnType::Decimal(20, 0),
        Some(19) => return ColumnType::Json,
        _ => {}
    }
    match number(1) {
        Some(0) => ColumnType::Boolean,
        Some(1 | 2) => ColumnType::BigInt,
        Some(3) => ColumnType::Timestamp,
        Some(4 | 5) => ColumnType::Double,
        _ => ColumnType::Binary,
    }
}

/// A value in Thrift's compact encoding.
enum Thing {
    Boolean(bool),
    Number(i64),
    Bytes(Vec<u8>),
    List(Vec<Thing>),
    Structure(Vec<(i64, Thing)>),
}

impl Thing {
    fn get(&self, field: i64) -> Option<&Self> {
        match self {
            Self::Structure(fields) => fields.iter().find(|(number, _)| *number == field).map(|(_, thing)| thing),
            _ => None,
        }
    }

    fn only_field(&self) -> Option<(i64, &Self)> {
        match self {
            Self::Structure(fields) => fields.first().map(|(number, thing)| (*number, thing)),
            _ => None,
        }
    }

    fn number(&self) -> Option<i64> {
        if let Self::Number(number) = self { Some(*number) } else { None }
    }

    fn bytes(&self) -> Option<&[u8]> {
        if let Self::Bytes(bytes) = self { Some(bytes) } else { None }
    }

    fn list(&self) -> Option<&[Self]> {
        if let Self::List(items) = self { Some(items) } else { None }
    }
}

/// How deep a footer may nest.
const DEEPEST: usize = 32;

struct Thrift<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Thrift<'_> {
    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn zigzag(&mut self) -> Option<i64> {
        let number = self.varint()?;
        Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    fn structure(&mut self, depth: usize) -> Option<Thing> {
        let mut fields = Vec::new();
        let mut number = 0;
        loop {
            let head = self.byte()?;
            if head == 0 {
                return Some(Thing::Structure(fields));
            }
            number = match head >> 4 {
                0 => self.zigzag()?,
                delta => number + i64::from(delta),
            };
            fields.push((number, self.thing(head & 0x0f, depth + 1, false)?));
        }
    }

    fn thing(&mut self, kind: u8, depth: usize, in_list: bool) -> Option<Thing> {
        if depth > DEEPEST {
            return None;
        }
        Some(match kind {
            // In a list a truth value is a byte of its own; as a field it is the kind.
            1 | 2 if in_list => Thing::Boolean(self.byte()? == 1),
            1 | 2 => Thing::Boolean(kind == 1),
            3 => Thing::Number(i64::from(self.byte()?.cast_signed())),
            4..=6 => Thing::Number(self.zigzag()?),
            7 => {
                self.at = self.at.checked_add(8).filter(|end| *end <= self.bytes.len())?;
                Thing::Bytes(vec![])
            }
            8 => {
                let length = usize::try_from(self.varint()?).ok()?;
                let bytes = self.bytes.get(self.at..self.at.checked_add(length)?)?.to_vec();
                self.at += length;
                Thing::Bytes(bytes)
            }
            9 | 10 => {
                let head = self.byte()?;
                let length = match head >> 4 {
                    15 => usize::try_from(self.varint()?).ok()?,
                    length => usize::from(length),
                };
                // Each item has at least one byte: a length beyond the rest is a lie.
                if length > self.bytes.len() - self.at {
                    return None;
                }
                let items: Option<Vec<Thing>> = (0..length).map(|_| self.thing(head & 0x0f, depth + 1, true)).collect();
                Thing::List(items?)
            }
            12 => self.structure(depth)?,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_parquet_file_says_so() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("a.parquet");
        for content in [&b""[..], b"PAR1", b"some text that is long enough", b"\xff\xff\xff\xffPAR1"] {
            std::fs::write(&path, content).expect("written");
            assert_eq!(read_footer(&path), Err("it is no Parquet file".to_owned()));
        }
        std::fs::write(&path, b"PAR1xxxx\x04\0\0\0PAR1").expect("written");
        assert_eq!(read_footer(&path), Err("its footer is broken".to_owned()));
    }

    proptest! {
        #[test]
        fn any_footer_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&bytes);
        }
    }
}
