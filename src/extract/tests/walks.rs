//! Walks over sets that change, watermarks, types of whole batches.

use super::server::{Reply, Seen, Server};
use super::*;
use crate::adapter::ColumnType::{BigInt, Boolean, Decimal, Double, Json, Text};
use proptest::prelude::*;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

const PAGED: &str = "path: /c\nrecords: $.data[*]\n\
    paginate: {type: page, param: page, more: $.more}\n\
    incremental: {param: since, field: at, type: timestamptz}\n";

fn rest(server: &Server, rest: &str) -> String {
    format!("type: rest\nbase_url: {}\n{rest}", server.url())
}

fn page(seen: &Seen) -> u64 {
    seen.number("page")
}

/// A server whose first `bad` walks answer `odd` on page 2, and whose further ones are fine.
fn moving(bad: usize, odd: serde_json::Value) -> Server {
    let walks = AtomicUsize::new(0);
    Server::start(move |seen| {
        let walk =
            if page(seen) == 1 { walks.fetch_add(1, Ordering::Relaxed) } else { walks.load(Ordering::Relaxed) - 1 };
        let number = page(seen);
        if number == 2 && walk < bad {
            return Reply::json(&odd);
        }
        Reply::json(json!({"data": [{"id": number, "v": 0}], "more": number < 3, "total": 300}))
    })
}

#[test]
fn a_walk_that_does_not_fit_together_is_made_again() {
    for odd in [
        json!({"data": [{"id": 1, "v": 0}], "more": true, "total": 300}),
        json!({"data": [{"id": 2, "v": 0}], "more": true, "total": 299}),
        json!({"data": [{"id": 1, "v": 1}], "more": true, "total": 300}),
    ] {
        let server = moving(2, odd.clone());
        let bench = Bench::new();
        let fetched = bench.fetch(&config(&rest(&server, ""), PAGED), |_| {}).expect("the third walk is fine");
        assert_eq!((ids(&fetched), fetched.pages, fetched.complete), (vec![1, 2, 3], 3, true));
        let server = moving(3, odd);
        let found = failure(Bench::new().fetch(&config(&rest(&server, ""), PAGED), |_| {}));
        assert!(found.contains("`customers` changes while it is read"), "{found}");
        assert_eq!(server.seen().len(), 6, "three walks of two pages");
    }
}

#[test]
fn endless_pages_end() {
    let empty = Server::start(|seen| {
        Reply::json(json!({"data": if page(seen) == 1 { vec![json!({"id": 1})] } else { vec![] }, "more": true}))
    });
    insta::assert_snapshot!(failure(Bench::new().fetch(&config(&rest(&empty, ""), PAGED), |_| {})));
    assert_eq!(empty.seen().len(), 3 * 5);
    let endless = Server::start(|seen| Reply::json(json!({"data": [{"id": page(seen)}], "more": true})));
    let connector = rest(&endless, "limits: {max_pages: 4}\n");
    insta::assert_snapshot!(failure(Bench::new().fetch(&config(&connector, PAGED), |_| {})));
    let back = Server::start(|seen| {
        let after = seen.number("after");
        Reply::json(json!({"data": [{"id": after}], "cursor": (after + 1) % 3}))
    });
    let table = "path: /c\nrecords: $.data[*]\npaginate: {type: cursor, param: after, cursor: $.cursor}\n";
    let found = failure(Bench::new().fetch(&config(&rest(&back, ""), table), |_| {}));
    assert!(found.contains("changes while it is read"), "{found}");
}

#[test]
fn all_rows_that_the_server_counts_must_come() {
    let server =
        Server::start(|seen| Reply::json(json!({"data": [{"id": page(seen)}], "more": page(seen) < 2, "count": 3})));
    let table = "path: /c\nrecords: $.data[*]\npaginate: {type: page, param: page, more: $.more, total: $.count}\n";
    let found = failure(Bench::new().fetch(&config(&rest(&server, ""), table), |_| {}));
    assert!(found.contains("2 rows came, and the server counts 3"), "{found}");
}

#[test]
fn a_wrong_path_of_more_is_no_early_end() {
    let server = Server::start(|_| Reply::json(json!({"data": [{"id": 1}], "has_more": true})));
    insta::assert_snapshot!(failure(Bench::new().fetch(&config(&rest(&server, ""), PAGED), |_| {})));
}

#[test]
fn the_watermark_follows_the_source_and_not_our_clock() {
    let rows = |rows: serde_json::Value| {
        Server::start(move |_| {
            Reply::json(json!({"data": rows, "more": false})).header("Date", "Mon, 05 Feb 2024 06:00:00 GMT")
        })
    };
    let read = |server: &Server, before: Option<&str>, full_refresh: bool| {
        let fetched = Bench::new().fetch(&config(&rest(server, ""), PAGED), |request| {
            request.watermark = before.map(watermark);
            request.full_refresh = full_refresh;
        });
        fetched.expect("rows").watermark.map(|watermark| watermark.text)
    };
    let server = rows(json!([
        {"id": 1, "at": "2024-02-05T05:59:59.123456789Z"},
        {"id": 2, "at": "2024-02-05T06:59:59.1+01:00"},
        {"id": 3, "at": null}, {"id": 4},
        {"id": 5, "at": "2031-01-01T00:00:00Z"},
    ]));
    let highest = Some("2024-02-05T05:59:59.123456789Z".to_owned());
    assert_eq!(read(&server, None, false), highest);
    assert_eq!(read(&server, Some("2023-01-01T00:00:00Z"), false), highest);
    let later = Some("2024-02-05T05:59:59.2Z");
    assert_eq!(read(&server, later, false).as_deref(), later, "it never goes back");
    assert_eq!(read(&server, later, true), highest, "unless everything is read again");
    assert_eq!(read(&rows(json!([])), later, false).as_deref(), later);
    assert_eq!(read(&rows(json!([])), None, false), None);
}

#[test]
fn a_watermark_of_another_field_is_refused() {
    let server = Server::start(|_| Reply::json(json!({"data": [], "more": false})));
    insta::assert_snapshot!(failure(Bench::new().fetch(&config(&rest(&server, ""), PAGED), |request| {
        request.watermark = Some(Watermark { field: "modified".to_owned(), ..watermark("2024-02-05T05:59:59Z") });
    })));
    let found = failure(Bench::new().fetch(&config(&rest(&server, ""), PAGED), |request| {
        request.watermark = Some(watermark("2024-02-05T05:59:59Z"));
        request.lookback = Some(Lookback::Units(5));
    }));
    assert!(found.contains("does not fit its watermark"), "{found}");
}

#[test]
fn values_are_held_exactly() {
    let body = r#"{"data": [
        {"id": 9223372036854775807, "price": 0.10, "big": 123456789012345678901234567890.12, "tags": ["a", 1.50], "empty": "", "none": null},
        {"id": -9223372036854775808, "price": 1234567.891, "rate": 1e-7, "ok": true, "mixed": 1.10}, {"id": 2, "mixed": "x", "late": 1}
    ], "more": false}"#;
    let server = Server::start(move |_| Reply::json(body));
    let bench = Bench::new();
    let fetched = bench.fetch(&config(&rest(&server, ""), PAGED), |_| {}).expect("rows");
    let columns: Vec<(&str, ColumnType)> =
        fetched.batch.columns.iter().map(|(name, found)| (name.as_str(), found.clone())).collect();
    assert_eq!(
        columns,
        [
            ("id", BigInt),
            ("price", Decimal(10, 3)),
            ("big", Decimal(32, 2)),
            ("tags", Json),
            ("empty", Text),
            ("none", Text),
            ("rate", Double),
            ("ok", Boolean),
            ("mixed", Text),
            ("late", BigInt)
        ]
    );
    let staged = rows(&fetched.batch);
    assert_eq!(staged[0]["big"], json!("123456789012345678901234567890.12"));
    assert_eq!((&staged[0]["empty"], &staged[0]["none"], staged[0].get("ok")), (&json!(""), &json!(null), None));
    assert_eq!(staged[1]["mixed"], json!("1.10"));
}

#[test]
fn poison_rows_are_put_aside_with_a_reason() {
    let server = Server::start(|_| {
        Reply::json(json!({"data": [{"id": 1, "n": 5}, "x", {"n": 1}, {"id": 2, "n": "y"}], "more": false}))
    });
    let config = config(&rest(&server, ""), &format!("{PAGED}columns: {{n: bigint}}\n"));
    let bench = Bench::new();
    insta::assert_snapshot!(failure(bench.fetch(&config, |_| {})));
    assert!(!bench.directory.path().join("staging").exists(), "the next run asks again");
    let fetched = bench.fetch(&config, |request| request.max_reject_percent = 75.0).expect("within the limit");
    assert_eq!((fetched.rows, fetched.rejected, fetched.complete), (1, 3, false));
    let rejects = rows(&fetched.rejects.clone().expect("rejects"));
    assert_eq!(rejects[0], json!({"reason": "the record is a text, not an object", "page": 1, "record": "\"x\""}));
    fetched.discard().expect("removed");
    assert!(!fetched.staging_directory.exists());
}

#[test]
fn columns_of_earlier_batches_stay_and_only_widen() {
    let server = Server::start(|_| Reply::json(json!({"data": [{"id": 1, "n": 0.5}], "more": false})));
    let mut bench = Bench::new();
    bench.known_columns = vec![
        ("id".to_owned(), ColumnType::BigInt),
        ("n".to_owned(), ColumnType::BigInt),
        ("gone".to_owned(), ColumnType::Date),
    ];
    let fetched = bench.fetch(&config(&rest(&server, ""), PAGED), |_| {}).expect("rows");
    let types: Vec<ColumnType> = fetched.batch.columns.into_iter().map(|(_, found)| found).collect();
    assert_eq!(types, [ColumnType::BigInt, ColumnType::Decimal(20, 1), ColumnType::Text]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// However the rows are split into pages, and however many pages are asked for at once: the same rows, columns
    /// and watermark.
    #[test]
    fn the_split_into_pages_does_not_matter(
        values in proptest::collection::vec(("[0-9]{1,3}(\\.[0-9]{1,3})?", 0u32..500), 1..30),
        size in 1usize..12,
        concurrency in 1usize..4,
    ) {
        let rows: Arc<Vec<String>> = Arc::new(values.iter().enumerate().map(|(id, (value, second))| {
            let value = value.trim_start_matches('0');
            let value = if value.is_empty() || value.starts_with('.') { format!("0{value}") } else { value.to_owned() };
            format!(r#"{{"id": {id}, "v": {value}, "at": "2024-02-05T06:{:02}:{:02}Z"}}"#, second / 60, second % 60)
        }).collect());
        let serve = |size: usize| {
            let rows = Arc::clone(&rows);
            Server::start(move |seen: &Seen| {
                let start = (usize::try_from(page(seen)).expect("a small number") - 1) * size;
                let end = rows.len().min(start + size);
                let data = rows.get(start..end).unwrap_or_default().join(",");
                Reply::json(format!(r#"{{"data": [{data}], "more": {}, "total": {}}}"#, end < rows.len(), rows.len()))
            })
        };
        let read = |server: &Server, concurrency: usize| {
            let connector = rest(server, &format!("limits: {{concurrency: {concurrency}}}\n"));
            let bench = Bench::new();
            let fetched = bench.fetch(&config(&connector, PAGED), |_| {}).expect("rows");
            (super::rows(&fetched.batch), fetched.batch.columns, fetched.watermark, fetched.rows)
        };
        let (whole, split) = (serve(1000), serve(size));
        prop_assert_eq!(read(&whole, 1), read(&split, concurrency));
    }
}

#[test]
fn progress_is_told() {
    let server = Server::start(|seen| Reply::json(json!({"data": [{"id": page(seen)}], "more": page(seen) < 3})));
    let bench = Bench::new();
    bench.fetch(&config(&rest(&server, ""), PAGED), |_| {}).expect("rows");
    assert_eq!(*bench.told.lock().expect("no panic"), Some(Progress { rows: 3, pages: 3 }));
}
