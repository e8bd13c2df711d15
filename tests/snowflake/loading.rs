//! Files into tables, with values that must arrive as they are.

use super::{connect, rows, table};
use crate::support::stage::stage;
use std::io::Write as _;
use strata::adapter::{Batch, BatchFormat, ColumnType};

fn columns() -> Vec<(String, ColumnType)> {
    let columns = [
        ("id", ColumnType::BigInt),
        ("price", ColumnType::Decimal(12, 2)),
        ("note", ColumnType::Text),
        ("stamp", ColumnType::Timestamp),
        ("day", ColumnType::Date),
        ("ok", ColumnType::Boolean),
    ];
    columns.map(|(name, column_type)| (name.to_owned(), column_type)).to_vec()
}

fn batch(directory: &std::path::Path, count: usize, padding: usize) -> Batch {
    let path = directory.join("batch.jsonl");
    let mut file = std::io::BufWriter::new(std::fs::File::create(&path).expect("a file"));
    for id in 0..count {
        let note = match id % 3 {
            0 => "null".to_owned(),
            1 => "\"\"".to_owned(),
            _ => format!("\"a \\\"b\\\", 'c'\\n\\\\ü{}\"", "x".repeat(padding)),
        };
        let line = format!(
            r#"{{"id": {id}, "price": "{id}.50", "note": {note}, "stamp": "2024-05-01T10:00:00.25Z", "day": "2024-05-01", "ok": true}}"#
        );
        writeln!(file, "{line}").expect("written");
    }
    file.into_inner().expect("written");
    Batch { format: BatchFormat::JsonLines, files: vec![path], columns: columns() }
}

fn check(database: &str, count: usize, padding: usize) -> Vec<String> {
    let directory = tempfile::tempdir().expect("a directory");
    let mut session = connect(database);
    let create =
        "create table t (id number(38,0), price number(12,2), note varchar, stamp timestamp_ntz, day date, ok boolean)";
    session.execute(create).expect("a table");
    stage().statements(database);
    let loaded = session.load(&table(database, "T"), &batch(directory.path(), count, padding)).expect("loaded");
    assert_eq!(loaded, count as u64);
    let found = rows(
        session.as_mut(),
        "select count(*), count(note), count_if(note = ''), sum(id), sum(price)::number(38,2), min(ok) from t",
    );
    let (count, sum) = (count as u64, (0..count as u64).sum::<u64>());
    let (empty, others) = ((count + 1) / 3, count / 3);
    assert_eq!(
        found,
        [format!("{count}|{}|{empty}|{sum}|{}.{}0|true", empty + others, sum + count / 2, count % 2 * 5)]
    );
    let third = rows(session.as_mut(), "select note, stamp, day from t where id = 2");
    assert_eq!(third, [format!("a \"b\", 'c'\n\\ü{}|2024-05-01 10:00:00.250|2024-05-01", "x".repeat(padding))]);
    let left: Vec<_> = std::fs::read_dir(directory.path()).expect("a directory").flatten().collect();
    assert_eq!(left.len(), 1, "{left:?}");
    stage().statements(database).iter().filter_map(|sql| sql.split_whitespace().next().map(str::to_owned)).collect()
}

#[test]
fn a_few_rows_are_bound() {
    let sent = check("LOAD_FEW_DB", 50, 3);
    assert_eq!(sent.iter().filter(|verb| *verb == "insert").count(), 1, "{sent:?}");
}

#[test]
fn many_rows_go_through_a_stage_that_is_cleaned_up() {
    let sent = check("LOAD_MANY_DB", 3000, 4000);
    let verbs: Vec<&str> = sent.iter().map(String::as_str).filter(|verb| *verb != "select").collect();
    assert_eq!(verbs, ["create", "create", "put", "copy", "insert", "drop", "drop"]);
}
