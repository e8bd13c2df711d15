//! A DuckDB file as a test sees it: rows as texts, and dumps of all tables that can be compared.

use duckdb::{AccessMode, Config, Connection};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// One row; NULL is `None`.
pub type Row = Vec<Option<String>>;

/// Rows in their own order under the name of their table, such as `raw.raw_erp_orders`.
pub type Dump = BTreeMap<String, Vec<Row>>;

/// Columns that say when strata itself did something, or are made from that: two runs never agree on them.
const OWN_CLOCK: [&str; 5] = ["extracted_at", "dbt_scd_id", "dbt_updated_at", "dbt_valid_from", "dbt_valid_to"];

/// An open file, never written to.
pub struct Database {
    connection: Connection,
    /// What stands before the layer in the names of schemas: `dev_`.
    prefix: String,
}

impl Database {
    /// The file of a target whose schema has this name.
    pub fn open(path: &Path, schema: &str) -> Self {
        let config = Config::default().access_mode(AccessMode::ReadOnly).expect("a setting of DuckDB");
        let connection = Connection::open_with_flags(path, config).expect("nobody has the file open any more");
        Self { connection, prefix: format!("{schema}_") }
    }

    /// The rows of a query, every value as a text.
    pub fn rows(&self, sql: &str) -> Vec<Row> {
        let sql = format!("select columns(*)::varchar from ({sql})");
        let mut statement = self.connection.prepare(&sql).unwrap_or_else(|error| panic!("{error}\n{sql}"));
        let mut found = statement.query([]).unwrap_or_else(|error| panic!("{error}\n{sql}"));
        let mut rows = Vec::new();
        while let Some(row) = found.next().expect("the next row") {
            let count = row.as_ref().column_count();
            rows.push((0..count).map(|index| row.get(index).expect("a text or NULL")).collect());
        }
        rows
    }

    /// The rows of a query as lines, values parted by `|`, NULL as `-`.
    pub fn lines(&self, sql: &str) -> Vec<String> {
        let cell = |cell: &Option<String>| cell.clone().unwrap_or_else(|| "-".to_owned());
        self.rows(sql).iter().map(|row| row.iter().map(cell).collect::<Vec<_>>().join("|")).collect()
    }

    /// The one value of a query.
    pub fn number(&self, sql: &str) -> u64 {
        let lines = self.lines(sql);
        lines.first().and_then(|line| line.parse().ok()).unwrap_or_else(|| panic!("no number: {lines:?}\n{sql}"))
    }

    /// Every row of every table but the control tables, as it is.
    pub fn everything(&self) -> Dump {
        let mut dump = Dump::new();
        for (schema, table) in self.tables() {
            let rows = self.rows(&format!("select * from {schema}.{table} order by all"));
            dump.insert(format!("{schema}.{table}"), rows);
        }
        dump
    }

    /// What two runs at different times must agree on. Moments at which strata ran are named rather than told, and
    /// so are the keys of versions, which are made from such moments.
    pub fn content(&self) -> Dump {
        let names = self.names();
        let mut dump = Dump::new();
        for (schema, table) in self.tables() {
            let columns = self.columns(&schema, &table);
            let own = |index: usize| OWN_CLOCK.contains(&columns[index].as_str());
            let cell = |(index, cell): (usize, Option<String>)| {
                cell.map(|text| if own(index) { "[set]".to_owned() } else { names.get(&text).cloned().unwrap_or(text) })
            };
            let rows = self.rows(&format!("select * from {schema}.{table}")).into_iter();
            let mut rows: Vec<Row> = rows.map(|row| row.into_iter().enumerate().map(cell).collect()).collect();
            rows.sort();
            let layer = schema.strip_prefix(&self.prefix).unwrap_or(&schema);
            dump.insert(format!("{layer}.{table}"), rows);
        }
        dump
    }

    /// The watermarks, each with its model.
    pub fn watermarks(&self) -> Vec<String> {
        let table = format!("{}strata_control.watermarks", self.prefix);
        self.lines(&format!("select model, field, value, type from {table} order by all"))
    }

    fn tables(&self) -> Vec<(String, String)> {
        let control = format!("{}strata_control", self.prefix);
        let rows = self.rows(&format!(
            "select schema_name, table_name from duckdb_tables() where schema_name <> '{control}' and not temporary"
        ));
        rows.into_iter().map(|row| (row[0].clone().unwrap_or_default(), row[1].clone().unwrap_or_default())).collect()
    }

    fn columns(&self, schema: &str, table: &str) -> Vec<String> {
        self.lines(&format!(
            "select column_name from duckdb_columns() where schema_name = '{schema}' and table_name = '{table}' \
             order by column_index"
        ))
    }

    fn names(&self) -> HashMap<String, String> {
        let prefix = &self.prefix;
        let stamps = self.lines(&format!("select started_at from {prefix}strata_control.runs"));
        let mut names: HashMap<String, String> =
            stamps.into_iter().map(|stamp| (stamp, "[a run]".to_owned())).collect();
        let has_dimension = self.tables().iter().any(|(_, table)| table == "dim_customer");
        if has_dimension {
            let versions = self.rows(&format!(
                "select customer_key, customer_id || ' version ' || version_number from {prefix}presentation.dim_customer"
            ));
            names.extend(versions.into_iter().filter_map(|row| Some((row[0].clone()?, row[1].clone()?))));
        }
        names
    }
}

/// Fails with the first difference between two dumps, table by table.
pub fn assert_same(found: &Dump, expected: &Dump, what: &str) {
    let tables = |dump: &Dump| dump.keys().cloned().collect::<Vec<_>>();
    assert_eq!(tables(found), tables(expected), "{what}: the tables");
    for (table, rows) in expected {
        let difference = found[table].iter().zip(rows).find(|(found, expected)| found != expected);
        if let Some((found, expected)) = difference {
            panic!("{what}: {table} differs\n   found {found:?}\nexpected {expected:?}");
        }
        assert_eq!(found[table].len(), rows.len(), "{what}: the number of rows of {table}");
    }
}
