//! Runs that stop in the middle, and go on.

use super::server::{Reply, Seen, Server};
use super::*;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

const PAGES: u64 = 5;

fn connector(server: &Server) -> String {
    format!("type: rest\nbase_url: {}\n", server.url())
}

fn table(paginate: &str) -> String {
    format!(
        "path: /c\nrecords: $.data[*]\npaginate: {paginate}\nincremental: {{param: since, field: at, type: timestamptz}}\n"
    )
}

const PAGED: &str = "{type: page, param: page, more: $.more}";
const CURSOR: &str = "{type: cursor, param: after, cursor: $.cursor}";

/// Five pages of two rows; `version` changes what is on them.
fn serve(version: Arc<AtomicU64>) -> Server {
    Server::start(move |seen: &Seen| {
        let page = seen.number("page").max(seen.number("after") + 1);
        let version = version.load(Ordering::Relaxed);
        let row = |id: u64| json!({"id": id, "v": version, "price": 1.25, "at": format!("2024-02-05T06:00:{id:02}Z")});
        let mut body = json!({"data": [row(page * 2), row(page * 2 + 1)], "more": page < PAGES, "total": 2 * PAGES});
        if page < PAGES {
            body["cursor"] = json!(page);
        }
        Reply::json(body).header("Date", "Mon, 05 Feb 2024 06:00:07 GMT")
    })
}

/// All of a batch that must not depend on how it came together.
fn outcome(fetched: &Fetched) -> (Vec<serde_json::Value>, Fetched) {
    let neutral = Fetched {
        batch: Batch { files: vec![], ..fetched.batch.clone() },
        batch_id: String::new(),
        staging_directory: PathBuf::new(),
        ..fetched.clone()
    };
    (rows(&fetched.batch), neutral)
}

#[test]
fn a_run_goes_on_where_another_stopped() {
    for paginate in [PAGED, CURSOR] {
        let server = serve(Arc::default());
        let config = config(&connector(&server), &table(paginate));
        let bench = Bench::new();
        let whole = outcome(&bench.fetch(&config, |_| {}).expect("rows"));
        for stop in 1..PAGES {
            let mut bench = Bench::new();
            bench.cancel_after = Some(stop);
            let found = failure(bench.fetch(&config, |_| {}));
            assert!(found.contains("was cancelled"), "{found}");
            bench.cancel_after = None;
            let before = server.seen().len() as u64;
            let resumed = bench.fetch(&config, |_| {}).expect("rows");
            assert_eq!(outcome(&resumed), whole, "stopped after page {stop}");
            assert_eq!(server.seen().len() as u64 - before, PAGES - stop + 1, "the last page is asked for again");
        }
    }
}

#[test]
fn a_finished_batch_that_was_not_loaded_is_taken_up() {
    let server = serve(Arc::default());
    let config = config(&connector(&server), &table(PAGED));
    let bench = Bench::new();
    let first = bench.fetch(&config, |_| {}).expect("rows");
    let before = server.seen().len();
    let second = bench.fetch(&config, |_| {}).expect("rows");
    assert_eq!(first, second);
    assert_eq!(server.seen().len() - before, 1);
    second.discard().expect("removed");
    let third = bench.fetch(&config, |_| {}).expect("rows");
    assert_ne!(third.batch_id, second.batch_id);
}

#[test]
fn a_source_that_changed_in_between_is_read_from_the_start() {
    let version = Arc::new(AtomicU64::new(1));
    let server = serve(Arc::clone(&version));
    let config = config(&connector(&server), &table(PAGED));
    let mut bench = Bench::new();
    bench.cancel_after = Some(3);
    failure(bench.fetch(&config, |_| {}));
    bench.cancel_after = None;
    version.store(2, Ordering::Relaxed);
    let fetched = bench.fetch(&config, |_| {}).expect("rows");
    assert!(rows(&fetched.batch).iter().all(|row| row["v"] == 2));
    assert_eq!(fetched.rows, 2 * PAGES);
}

#[test]
fn another_question_does_not_take_up_what_is_there() {
    let server = serve(Arc::default());
    let first = config(&connector(&server), &table(PAGED));
    let mut bench = Bench::new();
    bench.cancel_after = Some(3);
    failure(bench.fetch(&first, |_| {}));
    bench.cancel_after = None;
    let asked = server.seen().len();
    let fetched =
        bench.fetch(&first, |request| request.watermark = Some(watermark("2024-02-05T06:00:00Z"))).expect("rows");
    assert_eq!(fetched.rows, 2 * PAGES);
    assert_eq!(server.seen()[asked].param("page"), Some("1"));
}

#[test]
fn a_cursor_that_the_server_forgot_leads_back_to_the_start() {
    let forgot = Arc::new(AtomicBool::new(false));
    let forgets = Arc::clone(&forgot);
    let server = Server::start(move |seen: &Seen| {
        let after = seen.number("after");
        if after > 0 && forgets.swap(false, Ordering::Relaxed) {
            return Reply::status(410, "this cursor has expired");
        }
        let mut body = json!({"data": [{"id": after}]});
        if after < 4 {
            body["cursor"] = json!(after + 1);
        }
        Reply::json(body)
    });
    let config = config(&connector(&server), &table(CURSOR));
    let mut bench = Bench::new();
    bench.cancel_after = Some(3);
    failure(bench.fetch(&config, |_| {}));
    bench.cancel_after = None;
    forgot.store(true, Ordering::Relaxed);
    assert_eq!(ids(&bench.fetch(&config, |_| {}).expect("rows")), [0, 1, 2, 3, 4]);
}
