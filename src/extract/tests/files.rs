//! Tables in files.

use super::*;
use serde_json::json;
use std::time::SystemTime;

fn write(bench: &Bench, name: &str, text: &str, second: u64) {
    let path = bench.directory.path().join(name);
    std::fs::create_dir_all(path.parent().expect("a directory")).expect("created");
    std::fs::write(&path, text).expect("written");
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_707_112_800 + second);
    std::fs::File::options().write(true).open(path).expect("open").set_modified(time).expect("dated");
}

fn files(table: &str) -> ExtractConfig {
    config("type: files\nroot: data\n", table)
}

#[test]
fn csv_is_text_unless_declared() {
    let bench = Bench::new();
    write(&bench, "data/a/one.csv", "\u{feff}id;name;zip\n1;\"Ann; \"\"A\"\"\";00123\n2;\"\";\n", 0);
    write(&bench, "data/b/c/two.csv", "id;name;zip\n3;;9\n", 0);
    write(&bench, "data/.hidden.csv", "id\n4\n", 0);
    let fetched = bench.fetch(&files("path: '**/*.csv'\ndelimiter: ;\ncolumns: {id: bigint}\n"), |_| {}).expect("rows");
    assert_eq!(
        rows(&fetched.batch),
        [
            json!({"id": 1, "name": "Ann; \"A\"", "zip": "00123"}),
            json!({"id": 2, "name": "", "zip": null}),
            json!({"id": 3, "name": null, "zip": "9"})
        ]
    );
    assert_eq!((fetched.pages, fetched.complete), (2, true));
    assert_eq!(fetched.batch.columns[0].1, ColumnType::BigInt);
    write(&bench, "data/bad.csv", "id,name\n1,a,b\n2,x\n", 0);
    let found = failure(bench.fetch(&files("path: bad.csv\n"), |_| {}));
    assert!(found.contains("the record has 3 fields, and there are 2 columns (page 1): 1,a,b"), "{found}");
    let fetched = bench.fetch(&files("path: bad.csv\nheader: false\n"), |request| {
        request.key = &[];
        request.max_reject_percent = 50.0;
    });
    assert_eq!(rows(&fetched.expect("rows").batch)[1], json!({"column_1": "2", "column_2": "x"}));
}

#[test]
fn json_documents_and_lines() {
    let bench = Bench::new();
    write(&bench, "data/a.json", r#"{"rows": [{"id": 1, "p": 1.10}, {"id": 2}]}"#, 0);
    write(&bench, "data/b.ndjson", "{\"id\": 3}\n\n{\"id\": 4}\n", 0);
    let fetched = bench.fetch(&files("path: '*.json'\nrecords: $.rows[*]\n"), |_| {}).expect("rows");
    assert_eq!(rows(&fetched.batch)[0], json!({"id": 1, "p": "1.10"}));
    assert_eq!(ids(&bench.fetch(&files("path: b.ndjson\n"), |_| {}).expect("rows")), [3, 4]);
    let found = failure(bench.fetch(&files("path: a.json\nrecords: $.row[*]\n"), |_| {}));
    assert!(found.contains("data/a.json has nothing at `$.row[*]`"), "{found}");
}

#[test]
fn files_or_rows_that_changed_are_read() {
    let bench = Bench::new();
    for (name, second) in [("1", 1), ("2", 2), ("3", 3)] {
        let text = format!("{{\"id\": {name}, \"at\": \"2024-02-0{name}T00:00:00Z\"}}\n");
        write(&bench, &format!("data/{name}.ndjson"), &text, second);
    }
    let modified = files("path: '*.ndjson'\nincremental: {by: modified}\n");
    let first = bench.fetch(&modified, |_| {}).expect("rows").watermark.expect("a watermark");
    assert_eq!(first.text, "2024-02-05T06:00:03.000000000Z");
    let before = Watermark { text: "2024-02-05T06:00:02Z".to_owned(), ..first.clone() };
    let fetched = bench.fetch(&modified, |request| request.watermark = Some(before)).expect("rows");
    assert_eq!((ids(&fetched), fetched.watermark, fetched.complete), (vec![2, 3], Some(first.clone()), false));
    let later = Watermark { text: "2024-02-05T06:00:09Z".to_owned(), ..first };
    let none = bench.fetch(&modified, |request| request.watermark = Some(later.clone())).expect("no rows");
    assert_eq!((none.rows, none.watermark), (0, Some(later)));
    let by_field = files("path: '*.ndjson'\nincremental: {field: at, type: timestamptz}\n");
    let fetched =
        bench.fetch(&by_field, |request| request.watermark = Some(watermark("2024-02-02T00:00:00Z"))).expect("rows");
    assert_eq!((ids(&fetched), fetched.watermark), (vec![2, 3], Some(watermark("2024-02-03T00:00:00Z"))));
}

#[test]
fn missing_files_are_told() {
    let bench = Bench::new();
    std::fs::create_dir_all(bench.directory.path().join("data")).expect("created");
    let elsewhere = config("type: files\nroot: date\n", "path: '*.csv'\n");
    let found = [files("path: 2024/*.csv\n"), elsewhere, files("path: ../*.csv\n")]
        .map(|config| failure(bench.fetch(&config, |_| {})));
    insta::assert_snapshot!(found.join("\n\n").replace(&bench.directory.path().display().to_string(), "ROOT"));
}

#[test]
fn recorded_files_replay_as_they_were() {
    let bench = Bench::new();
    write(&bench, "data/x/1.ndjson", "{\"id\": 1}\n", 1);
    write(&bench, "data/x/2.ndjson", "{\"id\": 2}\n", 2);
    let recordings = bench.directory.path().join("recordings");
    let config = files("path: x/*.ndjson\nincremental: {by: modified}\n");
    let live = bench
        .fetch(&config, |request| request.mode = SourcesMode::Live { record: Some(recordings.clone()) })
        .expect("rows");
    let live = (ids(&live), live.watermark);
    let replayed = bench.fetch(&config, |request| request.mode = SourcesMode::Replay(recordings)).expect("rows");
    assert_eq!((ids(&replayed), replayed.watermark), live);
}
