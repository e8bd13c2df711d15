//! The ERP that the template reads, as an `SQLite` file that holds what the recordings of a day hold.

use serde_json::Value;
use std::fs;
use std::path::Path;

/// Writes the ERP's database as it is on a day, in place of the one before.
pub fn write_erp(recordings: &Path, file: &Path) -> rusqlite::Result<()> {
    let mut connection = rusqlite::Connection::open(file)?;
    let transaction = connection.transaction()?;
    for table in ["customers", "orders"] {
        let read = |name: &str| fs::read_to_string(recordings.join("erp").join(table).join(name)).expect("a recording");
        let meta: Value = serde_json::from_str(&read("meta.json")).expect("recordings are JSON");
        let columns: Vec<(&str, &str)> = meta["columns"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|column| Some((column["name"].as_str()?, column["type"].as_str()?)))
            .collect();
        let declared: Vec<String> = columns.iter().map(|(name, kind)| format!("{name} {kind}")).collect();
        let marks = vec!["?"; columns.len()].join(", ");
        transaction
            .execute_batch(&format!("drop table if exists {table}; create table {table} ({})", declared.join(", ")))?;
        let mut insert = transaction.prepare(&format!("insert into {table} values ({marks})"))?;
        for line in read("rows.ndjson").lines() {
            let row: Value = serde_json::from_str(line).expect("recordings are JSON");
            let values = columns.iter().map(|(name, _)| match &row[*name] {
                Value::String(text) => rusqlite::types::Value::Text(text.clone()),
                Value::Number(number) => rusqlite::types::Value::Integer(number.as_i64().expect("a whole number")),
                other => {
                    assert!(other.is_null(), "the ERP has texts, whole numbers and NULL, not {other}");
                    rusqlite::types::Value::Null
                }
            });
            insert.execute(rusqlite::params_from_iter(values))?;
        }
    }
    transaction.commit()
}
