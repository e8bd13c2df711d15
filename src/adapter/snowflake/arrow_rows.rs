//! Rows that come as Arrow. The width of integers is chosen by the server for each part of a result, so batches are
//! read one by one, each by the types that it has.

use super::column::{Column, Kind};
use super::value::{Instant, date, decimal_float, fixed};
use crate::adapter::Cell;
use arrow::array::{
    Array, ArrayRef, AsArray as _, Decimal128Array, PrimitiveArray, RecordBatch, StructArray, cast::as_primitive_array,
};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Date64Type, Decimal128Type, Float16Type, Float32Type, Float64Type,
    Int8Type, Int16Type, Int32Type, Int64Type,
};
use arrow::ipc::reader::StreamReader;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use bytes::{Buf as _, Bytes};

/// Reads the rows of one part of a result: a stream of batches.
pub(super) fn read_part(part: Bytes, columns: &[Column], rows: &mut Vec<Vec<Cell>>) -> Result<(), String> {
    if part.is_empty() {
        return Ok(());
    }
    let unreadable = |error: arrow::error::ArrowError| format!("a part of the answer is no Arrow stream: {error}");
    for batch in StreamReader::try_new(part.reader(), None).map_err(unreadable)? {
        read_batch(&batch.map_err(unreadable)?, columns, rows)?;
    }
    Ok(())
}

fn read_batch(batch: &RecordBatch, columns: &[Column], rows: &mut Vec<Vec<Cell>>) -> Result<(), String> {
    if batch.num_columns() != columns.len() {
        return Err(format!("a part of the answer has {} columns instead of {}", batch.num_columns(), columns.len()));
    }
    let first = rows.len();
    rows.resize_with(first + batch.num_rows(), || Vec::with_capacity(columns.len()));
    for (array, column) in batch.columns().iter().zip(columns) {
        let reader = Reader::new(array, column)?;
        for (index, row) in rows[first..].iter_mut().enumerate() {
            row.push(if array.is_null(index) { Cell::Null } else { reader.cell(index) });
        }
    }
    Ok(())
}

/// Reads the values of one array.
struct Reader<'a> {
    array: &'a ArrayRef,
    column: &'a Column,
    /// For what is not read in any other way.
    formatter: ArrayFormatter<'a>,
}

impl<'a> Reader<'a> {
    fn new(array: &'a ArrayRef, column: &'a Column) -> Result<Self, String> {
        let formatter = ArrayFormatter::try_new(array, &FormatOptions::default())
            .map_err(|error| format!("the column `{}` cannot be read: {error}", column.name))?;
        Ok(Self { array, column, formatter })
    }

    /// A value that is not NULL. What is not encoded as its type says is shown as text, never lost.
    fn cell(&self, index: usize) -> Cell {
        let scale = self.column.scale;
        let read = match self.column.kind {
            Kind::Fixed => self.fixed(index),
            Kind::Real => self.real(index),
            Kind::DecimalFloat => self.decimal_float(index),
            Kind::Boolean => self.array.as_boolean_opt().map(|array| Cell::Boolean(array.value(index))),
            Kind::Date => self.days(index).and_then(date),
            Kind::Time => self.integer(index).and_then(|value| Instant::scaled(value, scale)?.time_of_day()),
            Kind::TimestampNtz => self.instant(index).and_then(Instant::without_zone),
            Kind::TimestampLtz => self.instant(index).and_then(Instant::in_session_zone),
            Kind::TimestampTz => self.with_offset(index),
            Kind::Binary => self.bytes(index).map(|bytes| Cell::Binary(bytes.to_vec())),
            Kind::Text | Kind::Semistructured | Kind::Other => None,
        };
        read.unwrap_or_else(|| Cell::Text(self.text(index)))
    }

    fn text(&self, index: usize) -> String {
        match self.array.data_type() {
            DataType::Utf8 => self.array.as_string::<i32>().value(index).to_owned(),
            DataType::LargeUtf8 => self.array.as_string::<i64>().value(index).to_owned(),
            _ => self.formatter.value(index).to_string(),
        }
    }

    /// A whole number of any width.
    fn integer(&self, index: usize) -> Option<i128> {
        integer(self.array.as_ref(), index)
    }

    fn fixed(&self, index: usize) -> Option<Cell> {
        match self.array.data_type() {
            // The array's own scale counts: it says where the point stands in these digits.
            DataType::Decimal128(_, scale) => {
                let value = as_primitive_array::<Decimal128Type>(self.array).value(index);
                match u32::try_from(*scale) {
                    Ok(scale) => Some(fixed(value, scale)),
                    Err(_) => {
                        Some(Cell::Integer(value.checked_mul(10_i128.checked_pow(u32::from(scale.unsigned_abs()))?)?))
                    }
                }
            }
            DataType::Float64 => self.real(index),
            _ => self.integer(index).map(|value| fixed(value, self.column.scale)),
        }
    }

    fn real(&self, index: usize) -> Option<Cell> {
        let value = match self.array.data_type() {
            DataType::Float64 => as_primitive_array::<Float64Type>(self.array).value(index),
            DataType::Float32 => as_primitive_array::<Float32Type>(self.array).value(index).into(),
            DataType::Float16 => as_primitive_array::<Float16Type>(self.array).value(index).to_f64(),
            DataType::Decimal128(..) => return self.formatter.value(index).to_string().parse().ok().map(Cell::Float),
            _ => return None,
        };
        Some(Cell::Float(value))
    }

    fn days(&self, index: usize) -> Option<i64> {
        match self.array.data_type() {
            DataType::Date32 => Some(as_primitive_array::<Date32Type>(self.array).value(index).into()),
            DataType::Date64 => Some(as_primitive_array::<Date64Type>(self.array).value(index).div_euclid(86_400_000)),
            _ => self.integer(index)?.try_into().ok(),
        }
    }

    /// A count of units, or seconds and nanoseconds.
    fn instant(&self, index: usize) -> Option<Instant> {
        let Some(parts) = self.array.as_struct_opt() else {
            return Instant::scaled(self.integer(index)?, self.column.scale);
        };
        let seconds = part(parts, "epoch", index)?;
        match part(parts, "fraction", index) {
            Some(fraction) => {
                Some(Instant { seconds: seconds.try_into().ok()?, nanoseconds: fraction.try_into().ok()? })
            }
            // Without a fraction of its own the epoch counts the units of the scale.
            None => Instant::scaled(seconds, self.column.scale),
        }
    }

    fn with_offset(&self, index: usize) -> Option<Cell> {
        let instant = self.instant(index)?;
        let offset = self.array.as_struct_opt().and_then(|parts| part(parts, "timezone", index));
        match offset {
            Some(minutes) => instant.with_offset(minutes.try_into().ok()?),
            None => instant.in_session_zone(),
        }
    }

    fn bytes(&self, index: usize) -> Option<&[u8]> {
        bytes(self.array.as_ref(), index)
    }

    fn decimal_float(&self, index: usize) -> Option<Cell> {
        let parts = self.array.as_struct_opt()?;
        let exponent = part(parts, "exponent", index)?.try_into().ok()?;
        let significand = parts.column_by_name("significand")?;
        // Big-endian, in as many bytes as it takes.
        let digits = bytes(significand.as_ref(), index)?;
        let start = if digits.first().is_some_and(|byte| *byte >= 0x80) { -1 } else { 0 };
        let value = match digits.len() {
            0..=16 => digits.iter().fold(start, |value, byte| (value << 8) | i128::from(*byte)),
            _ => return None,
        };
        Some(decimal_float(value, exponent))
    }
}

fn bytes(array: &dyn Array, index: usize) -> Option<&[u8]> {
    match array.data_type() {
        DataType::Binary => Some(array.as_binary::<i32>().value(index)),
        DataType::LargeBinary => Some(array.as_binary::<i64>().value(index)),
        DataType::FixedSizeBinary(_) => Some(array.as_fixed_size_binary().value(index)),
        _ => None,
    }
}

/// A whole number of any width; times and timestamps of Arrow's own are counts as well.
fn integer(array: &dyn Array, index: usize) -> Option<i128> {
    fn value<T: ArrowPrimitiveType>(array: &dyn Array, index: usize) -> Option<i128>
    where
        T::Native: Into<i128>,
    {
        let array: &PrimitiveArray<T> = array.as_any().downcast_ref()?;
        Some(array.value(index).into())
    }
    match array.data_type() {
        DataType::Int8 => value::<Int8Type>(array, index),
        DataType::Int16 => value::<Int16Type>(array, index),
        DataType::Int32 => value::<Int32Type>(array, index),
        DataType::Int64 => value::<Int64Type>(array, index),
        DataType::Decimal128(_, 0) => {
            let array: &Decimal128Array = array.as_any().downcast_ref()?;
            Some(array.value(index))
        }
        _ => None,
    }
}

/// A field of a value that has several.
fn part(parts: &StructArray, name: &str, index: usize) -> Option<i128> {
    let array = parts.column_by_name(name)?;
    if array.is_null(index) { None } else { integer(array.as_ref(), index) }
}
