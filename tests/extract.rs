//! From a source into DuckDB: what arrives there, live and replayed.

use crate::crm_api::{CLIENT_ID, CLIENT_SECRET, Crm, Settings};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use strata::adapter::ColumnType::{
    BigInt, Binary, Boolean, Date, Decimal, Double, Json, Text, Time, Timestamp, TimestampTz,
};
use strata::adapter::{Adapter as _, Batch, Cell, ColumnType, DuckDb, DuckDbSettings, Table};
use strata::diagnostic::{Style, render};
use strata::extract::{ExtractConfig, Fetched, Request, SourcesMode, SystemClock, fetch, parse_config};
use strata::name::{Quoting, RelationName};
use strata::project::yaml::parse_text;
use strata::secret::Scrubber;

fn config(connector: &str, table: &str) -> ExtractConfig {
    let yaml = |text: &str| parse_text(text, "sources.yml").expect("YAML");
    parse_config(&yaml(connector), &yaml(table), "customers").expect("a config")
}

struct Bench(tempfile::TempDir);

impl Bench {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn fetch(&self, config: &ExtractConfig, name: &str, mode: SourcesMode) -> Fetched {
        let fetched = fetch(&Request {
            config,
            source: "crm",
            table: "customers",
            watermark: None,
            lookback: None,
            full_refresh: false,
            key: &["id".to_owned()],
            known_columns: &[],
            max_reject_percent: 0.0,
            staging_directory: self.path().join(name),
            mode,
            project_root: self.path(),
            proxy: None,
            scrubber: &Scrubber::default(),
            clock: &SystemClock::new(),
            cancel: &AtomicBool::new(false),
            progress: &|_| {},
        });
        fetched.unwrap_or_else(|found| {
            panic!("{}", found.iter().map(|one| render(one, Style::Plain)).collect::<Vec<_>>().join("\n\n"))
        })
    }

    /// The batch as DuckDB has it once it is loaded.
    fn loaded(&self, batch: &Batch) -> Table {
        let path = self.path().join("stage.duckdb").to_string_lossy().into_owned();
        let settings = DuckDbSettings { path, lock_wait: Duration::ZERO, ..DuckDbSettings::default() };
        let adapter = DuckDb::open(settings).expect("the database opens");
        let mut connection = adapter.connect("test").expect("a connection");
        let columns: Vec<String> =
            batch.columns.iter().map(|(name, found)| format!("\"{name}\" {}", adapter.type_word(found))).collect();
        connection.execute(&format!("create or replace table batch ({})", columns.join(", "))).expect("a table");
        connection.load(&RelationName::new(None, "main", "batch", Quoting::NONE), batch).expect("rows");
        connection.execute("from batch order by id").expect("rows").table
    }
}

fn live() -> SourcesMode {
    SourcesMode::Live { record: None }
}

#[test]
fn the_example_api_gives_what_its_recording_gives() {
    let data = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("project_template/sample_data/day_1");
    let settings = Settings { port: 0, token_lifetime: Duration::from_secs(3600), data: vec![data.clone()] };
    let crm = Crm::start(&settings).expect("a server");
    let connector = format!(
        "type: rest\nbase_url: http://{}\n\
         auth: {{type: oauth2_client_credentials, token_url: /oauth/token, client_id: {CLIENT_ID}, client_secret: {CLIENT_SECRET}}}\n",
        crm.address()
    );
    let config = config(
        &connector,
        "path: /v2/customers\nrecords: $.data[*]\nparams: {page_size: 1000}\n\
         paginate: {type: page, param: page, more: $.has_next, total: none}\n\
         incremental: {param: modified_since, field: last_modified, type: timestamptz}\n",
    );
    let bench = Bench::new();
    let asked = bench.fetch(&config, "live", live());
    let replayed = bench.fetch(&config, "replay", SourcesMode::Replay(data));
    assert_eq!(bench.loaded(&asked.batch), bench.loaded(&replayed.batch));
    assert_eq!((asked.rows, &asked.watermark), (replayed.rows, &replayed.watermark));
    assert_eq!(asked.rows, crm.count() as u64);
    assert!(asked.watermark.is_some());
}

#[test]
fn values_arrive_exactly() {
    let bench = Bench::new();
    let rows = r#"
        {"id": 9223372036854775807, "price": 0.10, "big": 123456789012345678901234567890.12, "double": 1e-7, "flag": true, "tags": ["a", {"b": 1}], "empty": "", "mixed": 1.10, "at": "2024-02-05T06:00:00.123456+01:00", "day": "2024-02-29", "ts": "2024-02-05T06:00", "t": "23:59:59.5", "bytes": "AP8="}
        {"id": 1, "price": 12.345, "double": 0.1, "mixed": "x", "late": "\u00e9\ud83d\ude00 \"q\" \u0000.", "wide": 1}
        {"id": 2, "wide": 18446744073709551616, "tags": "none"}"#;
    std::fs::write(bench.path().join("rows.ndjson"), rows).expect("written");
    let config = config(
        "type: files",
        "path: rows.ndjson\ncolumns: {at: timestamptz, day: date, ts: timestamp, t: time, bytes: binary, mixed: text}\n",
    );
    let table = bench.loaded(&bench.fetch(&config, "staging", live()).batch);
    let cell = |row: usize, name: &str| table.rows[row][table.position(name).expect("a column")].clone();
    let text = |text: &str| Cell::Text(text.to_owned());
    assert_eq!(cell(2, "id"), Cell::Integer(i128::from(i64::MAX)));
    assert_eq!(cell(2, "price"), Cell::Decimal("0.100".to_owned()));
    assert_eq!(cell(0, "price"), Cell::Decimal("12.345".to_owned()));
    assert_eq!(cell(2, "big"), Cell::Decimal("123456789012345678901234567890.12".to_owned()));
    assert_eq!((cell(2, "double"), cell(0, "double")), (Cell::Float(1e-7), Cell::Float(0.1)));
    assert_eq!((cell(2, "flag"), cell(0, "flag")), (Cell::Boolean(true), Cell::Null));
    assert_eq!((cell(2, "empty"), cell(0, "empty")), (text(""), Cell::Null));
    assert_eq!((cell(2, "mixed"), cell(0, "mixed")), (text("1.10"), text("x")));
    assert_eq!(cell(2, "at").to_string(), "2024-02-05 05:00:00.123456+00:00");
    assert_eq!(cell(2, "ts").to_string(), "2024-02-05 06:00:00");
    assert_eq!(cell(2, "day").to_string(), "2024-02-29");
    assert_eq!(cell(2, "t").to_string(), "23:59:59.500");
    assert_eq!(cell(2, "bytes"), Cell::Binary(vec![0, 255]));
    assert_eq!(cell(0, "late"), text("é😀 \"q\" \0."));
    assert_eq!(cell(1, "wide").to_string(), "18446744073709551616");
    assert_eq!(cell(2, "tags"), text(r#"["a",{"b":1}]"#));
    assert_eq!(cell(1, "tags"), text(r#""none""#));
}

#[test]
fn parquet_files_are_loaded_as_they_are() {
    let bench = Bench::new();
    let adapter = DuckDb::open(DuckDbSettings::default()).expect("a database in memory");
    let sql = format!(
        "copy (select 1::bigint as id, 2::integer as n, 'a' as name, 1.5::decimal(10, 2) as price, 0.5::double as d, true as flag,
            date '2024-02-05' as day, timestamp '2024-02-05 06:00:00' as ts, timestamptz '2024-02-05 06:00:00+00' as tz,
            [1, 2] as list, {{'a': 1}} as struct, 'ab'::blob as bytes, time '06:00:00' as t
         union all by name select 2 as id) to '{}' (format parquet)",
        bench.path().join("a.parquet").display()
    );
    adapter.connect("setup").expect("a connection").execute(&sql).expect("a file");
    let fetched = bench.fetch(&config("type: files", "path: a.parquet\n"), "staging", live());
    assert_eq!((fetched.rows, fetched.complete), (2, true));
    let types: Vec<ColumnType> = fetched.batch.columns.iter().map(|(_, found)| found.clone()).collect();
    assert_eq!(
        types,
        [BigInt, BigInt, Text, Decimal(10, 2), Double, Boolean, Date, Timestamp, TimestampTz, Json, Json, Binary, Time]
    );
    let table = bench.loaded(&fetched.batch);
    let shown: Vec<String> = table.rows[0].iter().map(ToString::to_string).collect();
    assert_eq!(shown[..6], ["1", "2", "a", "1.50", "0.5", "true"]);
    assert_eq!(shown[9..11], ["[1,2]", r#"{"a":1}"#]);
}
