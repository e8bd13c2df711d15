//! Arrow answers made by hand, in every encoding that servers use.

use super::super::arrow_rows::read_part;
use super::super::column::Column;
use super::{Json, connect, script, settings, success, texts};
use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int8Array, Int16Array, Int32Array,
    Int64Array, RecordBatch, StringArray, StructArray,
};
use arrow::datatypes::{Field, Schema};
use arrow::ipc::writer::StreamWriter;
use base64::Engine as _;
use serde_json::json;
use std::sync::Arc;

/// A stream of batches of one column each.
fn stream(arrays: &[ArrayRef]) -> Vec<u8> {
    let schema = |array: &ArrayRef| Arc::new(Schema::new(vec![Field::new("C", array.data_type().clone(), true)]));
    let mut bytes = Vec::new();
    let mut writer = StreamWriter::try_new(&mut bytes, &schema(&arrays[0])).expect("a writer");
    for array in arrays {
        let batch = RecordBatch::try_new(schema(array), vec![Arc::clone(array)]).expect("a batch");
        writer.write(&batch).expect("written");
    }
    writer.finish().expect("finished");
    drop(writer);
    bytes
}

fn shown(word: &str, scale: u32, array: impl arrow::array::Array + 'static) -> String {
    let columns = [Column::read(&json!({"name": "C", "type": word, "scale": scale}))];
    let mut rows = Vec::new();
    read_part(stream(&[Arc::new(array)]).into(), &columns, &mut rows).expect("rows");
    rows.iter().map(|row| format!("{:?}", row[0])).collect::<Vec<_>>().join(" ")
}

fn parts(fields: Vec<(&str, ArrayRef)>) -> StructArray {
    let (fields, arrays): (Vec<_>, Vec<_>) = fields
        .into_iter()
        .map(|(name, array)| (Arc::new(Field::new(name, array.data_type().clone(), true)), array))
        .unzip();
    StructArray::new(fields.into(), arrays, Some(vec![true, false].into()))
}

fn long(values: [i64; 2]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

fn int(values: [i32; 2]) -> ArrayRef {
    Arc::new(Int32Array::from(values.to_vec()))
}

#[test]
fn whole_numbers_of_every_width_have_the_scale_of_their_column() {
    assert_eq!(shown("fixed", 0, Int8Array::from(vec![Some(-1), None])), "Integer(-1) Null");
    assert_eq!(shown("fixed", 2, Int8Array::from(vec![-1])), r#"Decimal("-0.01")"#);
    assert_eq!(shown("fixed", 1, Int16Array::from(vec![1234])), r#"Decimal("123.4")"#);
    assert_eq!(shown("fixed", 3, Int32Array::from(vec![-1500])), r#"Decimal("-1.500")"#);
    assert_eq!(shown("fixed", 0, Int64Array::from(vec![i64::MAX])), "Integer(9223372036854775807)");
    let wide = Decimal128Array::from(vec![10_i128.pow(37)]).with_precision_and_scale(38, 0).expect("it fits");
    assert_eq!(shown("fixed", 0, wide), format!("Integer({})", 10_i128.pow(37)));
    let scaled = Decimal128Array::from(vec![-105_i128]).with_precision_and_scale(38, 2).expect("it fits");
    assert_eq!(shown("fixed", 2, scaled), r#"Decimal("-1.05")"#);
}

#[test]
fn widths_change_from_part_to_part() {
    let columns = [Column::read(&json!({"name": "C", "type": "fixed", "scale": 0}))];
    let mut rows = Vec::new();
    let arrays: [ArrayRef; 2] = [Arc::new(Int8Array::from(vec![1])), Arc::new(Int64Array::from(vec![1 << 40]))];
    for array in arrays {
        read_part(stream(&[array]).into(), &columns, &mut rows).expect("rows");
    }
    assert_eq!(format!("{rows:?}"), format!("[[Integer(1)], [Integer({})]]", 1_i64 << 40));
}

#[test]
fn timestamps_of_every_scale() {
    assert_eq!(shown("timestamp_ntz", 0, Int64Array::from(vec![-1])), "Timestamp(1969-12-31T23:59:59)");
    assert_eq!(shown("timestamp_ntz", 3, Int64Array::from(vec![1500])), "Timestamp(1970-01-01T00:00:01.500)");
    assert_eq!(
        shown("timestamp_ntz", 7, Int64Array::from(vec![15_000_001])),
        "Timestamp(1970-01-01T00:00:01.500000100)"
    );
    let nine = || parts(vec![("epoch", long([1, 0])), ("fraction", int([123_456_789, 0]))]);
    assert_eq!(shown("timestamp_ntz", 9, nine()), "Timestamp(1970-01-01T00:00:01.123456789) Null");
    assert_eq!(shown("timestamp_ltz", 9, nine()), "TimestampTz(1970-01-01T00:00:01.123456789+00:00) Null");
    assert_eq!(shown("timestamp_ltz", 6, Int64Array::from(vec![1_000_000])), "TimestampTz(1970-01-01T00:00:01+00:00)");
    let two = parts(vec![("epoch", long([1500, 0])), ("timezone", int([1440 + 90, 0]))]);
    assert_eq!(shown("timestamp_tz", 3, two), "TimestampTz(1970-01-01T01:30:01.500+01:30) Null");
    let three = parts(vec![("epoch", long([0, 0])), ("fraction", int([1, 0])), ("timezone", int([1440 - 60, 0]))]);
    assert_eq!(shown("timestamp_tz", 9, three), "TimestampTz(1969-12-31T23:00:00.000000001-01:00) Null");
}

#[test]
fn all_other_types() {
    assert_eq!(shown("date", 0, Date32Array::from(vec![-1])), "Date(1969-12-31)");
    assert_eq!(shown("time", 0, Int32Array::from(vec![3661])), "Time(01:01:01)");
    assert_eq!(shown("time", 9, Int64Array::from(vec![3_661_000_000_001])), "Time(01:01:01.000000001)");
    assert_eq!(shown("boolean", 0, BooleanArray::from(vec![Some(true), None])), "Boolean(true) Null");
    assert_eq!(shown("real", 0, Float64Array::from(vec![0.1, f64::INFINITY])), "Float(0.1) Float(inf)");
    assert_eq!(shown("text", 0, StringArray::from(vec![Some("ü\n"), None])), r#"Text("ü\n") Null"#);
    assert_eq!(shown("variant", 0, StringArray::from(vec!["{\"a\": 1}"])), r#"Text("{\"a\": 1}")"#);
    assert_eq!(shown("binary", 0, BinaryArray::from(vec![&[0_u8, 255][..]])), "Binary([0, 255])");
    let digits: ArrayRef = Arc::new(BinaryArray::from(vec![&[0xff_u8, 0x85][..], &[][..]]));
    let exponent: ArrayRef = Arc::new(Int16Array::from(vec![-1, 0]));
    let number = parts(vec![("exponent", exponent), ("significand", digits)]);
    assert_eq!(shown("decfloat", 0, number), r#"Decimal("-12.3") Null"#);
    assert_eq!(shown("something new", 0, Int32Array::from(vec![7])), r#"Text("7")"#);
}

#[test]
fn what_is_no_stream_is_an_error_and_no_panic() {
    let columns = [Column::read(&json!({"name": "C", "type": "text"}))];
    assert!(read_part(bytes::Bytes::from_static(b"[1,2]"), &columns, &mut Vec::new()).is_err());
    let two = stream(&[Arc::new(StringArray::from(vec!["a"]))]);
    let error = read_part(two.clone().into(), &[], &mut Vec::new()).expect_err("no columns were told");
    assert_eq!(error, "a part of the answer has 1 columns instead of 0");
    assert!(read_part(bytes::Bytes::copy_from_slice(&two[..two.len() / 2]), &columns, &mut Vec::new()).is_err());
}

#[test]
fn rows_of_the_answer_itself_pass_through_the_client_library() {
    let packed = base64::engine::general_purpose::STANDARD.encode(stream(&[Arc::new(Int8Array::from(vec![1, 2]))]));
    let data: Json = json!({
        "rowtype": [{"name": "N", "type": "fixed", "scale": 0, "precision": 1, "nullable": false}],
        "rowsetBase64": packed, "total": 2, "returned": 2, "queryId": "01-q", "queryResultFormat": "arrow",
    });
    let server = script(vec![success(&data)]);
    let mut connection = connect(settings(&server)).expect("a session");
    assert_eq!(texts(connection.as_mut(), "select n from t"), ["1", "2"]);
    let answer = connection.execute("select n from t").expect("an answer");
    assert_eq!(answer.response.message, "SUCCESS 2");
    assert_eq!(answer.response.query_id.as_deref(), Some("01-q"));
}
