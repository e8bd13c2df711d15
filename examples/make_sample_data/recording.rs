//! Writes a world as the systems would show it: recordings of both (see docs/recordings.md), or the ERP as `SQLite`.

use crate::customer::{Customer, System};
use crate::world::{Order, World, extraction_time};
use chrono::NaiveDateTime;
use serde_json::{Value, json};
use std::fs;
use std::io;
use std::path::Path;

/// Rows on a page of the CRM.
const PAGE_SIZE: usize = 1_000;

/// A moment as the CRM writes it.
pub fn crm_stamp(moment: NaiveDateTime) -> String {
    moment.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// A moment as the ERP writes it.
pub fn erp_stamp(moment: NaiveDateTime) -> String {
    moment.format("%Y-%m-%d %H:%M:%S").to_string()
}

/// Writes `crm/customers`, `erp/customers` and `erp/orders` into a directory, which is emptied first.
pub fn write_recordings(world: &World, directory: &Path) -> io::Result<()> {
    if directory.exists() {
        fs::remove_dir_all(directory)?;
    }
    write_crm(world, &directory.join("crm/customers"))?;
    let customers: Vec<Value> = records(world, System::Erp).map(erp_customer).collect();
    write_table(&directory.join("erp/customers"), ERP_CUSTOMERS, &customers)?;
    let orders: Vec<Value> = world.orders.iter().map(erp_order).collect();
    write_table(&directory.join("erp/orders"), ERP_ORDERS, &orders)
}

fn records(world: &World, system: System) -> impl Iterator<Item = &Customer> {
    world.customers.values().filter(move |record| record.system == system)
}

fn write_crm(world: &World, directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    let rows: Vec<Value> = world.repeated.iter().chain(records(world, System::Crm)).map(crm_customer).collect();
    let pages: Vec<&[Value]> = rows.chunks(PAGE_SIZE).collect();
    for (index, page) in pages.iter().enumerate() {
        let number = index + 1;
        let exchange = json!({
            "request": format!("GET /v2/customers?page={number}&page_size={PAGE_SIZE}"),
            "status": 200,
            "headers": {
                "Date": extraction_time(world.day).format("%a, %d %b %Y %H:%M:%S GMT").to_string(),
                "Content-Type": "application/json",
            },
            "body": format!("{number:04}.body.json"),
        });
        fs::write(directory.join(format!("{number:04}.json")), format!("{exchange:#}\n"))?;
        // A row a line, so that a difference between two recordings can be read.
        let rows: Vec<String> = page.iter().map(Value::to_string).collect();
        let body = format!(
            "{{\"data\":[\n{}\n],\"page\":{number},\"has_next\":{}}}\n",
            rows.join(",\n"),
            number < pages.len()
        );
        fs::write(directory.join(format!("{number:04}.body.json")), body)?;
    }
    Ok(())
}

fn crm_customer(record: &Customer) -> Value {
    if record.is_bare {
        return json!({
            "id": record.id, "first_name": null, "last_name": null, "email": null, "phone": null, "address_json": null,
            "is_deleted": true, "created_at": null, "last_modified": crm_stamp(record.modified),
        });
    }
    json!({
        "id": record.id,
        "first_name": record.delivered.first_name,
        "last_name": record.delivered.last_name,
        "email": record.delivered.email,
        "phone": record.delivered.phone,
        "address_json": record.delivered_address,
        "is_deleted": record.is_deleted,
        "created_at": record.created.date().to_string(),
        "last_modified": crm_stamp(record.modified),
    })
}

/// A table of the ERP: its name and its columns with their types.
type Columns = &'static [(&'static str, &'static str)];

const ERP_CUSTOMERS: Columns = &[
    ("customer_id", "text"),
    ("customer_name", "text"),
    ("email", "text"),
    ("phone", "text"),
    ("address", "text"),
    ("credit_limit", "bigint"),
    ("status", "text"),
    ("created_date", "text"),
    ("modified_date", "text"),
];

const ERP_ORDERS: Columns = &[
    ("order_id", "text"),
    ("customer_id", "text"),
    ("order_date", "text"),
    ("amount", "text"),
    ("status", "text"),
    ("modified_date", "text"),
];

fn erp_customer(record: &Customer) -> Value {
    let last = record.delivered.last_name.as_deref().unwrap_or_default();
    let name = record.delivered.first_name.as_ref().map_or_else(|| last.to_owned(), |first| format!("{last}, {first}"));
    json!({
        "customer_id": record.id,
        "customer_name": name,
        "email": record.delivered.email,
        "phone": record.delivered.phone,
        "address": record.delivered_address,
        "credit_limit": record.credit_limit.map(|cents| cents / 100),
        "status": if record.is_deleted { "closed" } else { "active" },
        "created_date": record.created.date().to_string(),
        "modified_date": erp_stamp(record.modified),
    })
}

fn erp_order(order: &Order) -> Value {
    json!({
        "order_id": order.id,
        "customer_id": order.customer_id,
        "order_date": erp_stamp(order.ordered_at),
        "amount": order.amount.map_or("#REF!".to_owned(), |cents| format!("{}.{:02}", cents / 100, cents % 100)),
        "status": order.status,
        "modified_date": erp_stamp(order.modified),
    })
}

fn write_table(directory: &Path, columns: Columns, rows: &[Value]) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    let columns: Vec<Value> =
        columns.iter().map(|(name, data_type)| json!({"name": name, "type": data_type})).collect();
    fs::write(directory.join("meta.json"), format!("{:#}\n", json!({"type": "sqlite", "columns": columns})))?;
    let lines: Vec<String> = rows.iter().map(|row| format!("{row}\n")).collect();
    fs::write(directory.join("rows.ndjson"), lines.concat())
}

/// Writes the ERP's tables into a new `SQLite` file.
pub fn write_sqlite(world: &World, file: &Path) -> rusqlite::Result<()> {
    let mut connection = rusqlite::Connection::open(file)?;
    let transaction = connection.transaction()?;
    for (table, columns, rows) in [
        ("customers", ERP_CUSTOMERS, records(world, System::Erp).map(erp_customer).collect::<Vec<_>>()),
        ("orders", ERP_ORDERS, world.orders.iter().map(erp_order).collect()),
    ] {
        let declared: Vec<String> = columns.iter().map(|(name, data_type)| format!("{name} {data_type}")).collect();
        transaction.execute_batch(&format!(
            "drop table if exists {table}; create table {table} ({}, primary key ({}))",
            declared.join(", "),
            columns[0].0
        ))?;
        let marks = vec!["?"; columns.len()].join(", ");
        let mut insert = transaction.prepare(&format!("insert into {table} values ({marks})"))?;
        for row in &rows {
            let values = columns.iter().map(|(name, _)| match &row[*name] {
                Value::String(text) => rusqlite::types::Value::Text(text.clone()),
                Value::Number(number) => {
                    number.as_i64().map_or(rusqlite::types::Value::Null, rusqlite::types::Value::Integer)
                }
                _ => rusqlite::types::Value::Null,
            });
            insert.execute(rusqlite::params_from_iter(values))?;
        }
    }
    transaction.commit()
}
