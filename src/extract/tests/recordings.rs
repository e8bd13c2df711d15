//! What is recorded is replayed as it was.

use super::server::{Reply, Server};
use super::*;
use serde_json::json;
use std::sync::atomic::AtomicUsize;

const TABLE: &str = "path: /v2/customers\nrecords: $.data[*]\nparams: {size: 2}\n\
    paginate: {type: page, param: page, more: $.more}\n\
    incremental: {param: since, field: at, type: timestamptz}\n";

const AUTH: &str = "auth: {type: api_key, name: key, key: t0ps3cret, in: query}\n";

/// Two pages, the first only after a refusal; the secret comes back in a body.
fn server() -> Server {
    let count = AtomicUsize::new(0);
    Server::start(move |seen| {
        if count.fetch_add(1, Ordering::Relaxed) == 0 {
            return Reply::status(429, "slow down").header("Retry-After", "1");
        }
        let page = seen.number("page");
        let row = |id: u64| json!({"id": id, "price": 1.50, "at": format!("2024-02-05T05:00:{id:02}Z"), "note": "your key t0ps3cret"});
        Reply::json(json!({"data": [row(page * 2 - 1), row(page * 2)], "more": page < 2}))
            .header("Date", "Mon, 05 Feb 2024 05:00:02 GMT")
            .header("Set-Cookie", "session=t0ps3cret")
    })
}

fn text_of(directory: &Path) -> String {
    let mut names: Vec<PathBuf> =
        std::fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path()).collect();
    names.sort();
    let text = |path: &PathBuf| {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        format!("--- {name}\n{}\n", std::fs::read_to_string(path).expect("text"))
    };
    names.iter().map(text).collect()
}

fn same(left: &Fetched, right: &Fetched) {
    assert_eq!(rows(&left.batch), rows(&right.batch));
    assert_eq!(left.batch.columns, right.batch.columns);
    assert_eq!((&left.watermark, left.pages, left.complete), (&right.watermark, right.pages, right.complete));
}

#[test]
fn a_recorded_api_replays_without_network_and_without_secrets() {
    let server = server();
    let bench = Bench::new();
    let recordings = bench.directory.path().join("recordings");
    let connector = format!("type: rest\nbase_url: {}/api\n{AUTH}", server.url());
    let live = bench
        .fetch(&config(&connector, TABLE), |request| {
            request.mode = SourcesMode::Live { record: Some(recordings.clone()) };
            request.staging_directory.push("live");
        })
        .expect("rows");
    let text = text_of(&recordings.join("crm/customers"));
    assert!(!text.contains("t0ps3cret"), "{text}");
    insta::assert_snapshot!(text);
    drop(server);
    let elsewhere = format!("type: rest\nbase_url: http://nowhere.invalid/api\n{AUTH}");
    let replay = |change: &dyn Fn(&mut Request<'_>)| {
        bench.fetch(&config(&elsewhere, TABLE), |request| {
            request.mode = SourcesMode::Replay(recordings.clone());
            request.staging_directory.push("replay");
            change(request);
        })
    };
    let replayed = replay(&|_| {}).expect("rows");
    assert_eq!(ids(&replayed), ids(&live));
    assert_eq!((&replayed.batch.columns, &replayed.watermark), (&live.batch.columns, &live.watermark));
    assert_eq!(bench.clock.sleeps(), [Duration::from_secs(1)], "a replay waits for nothing");
    same(&replayed, &replay(&|_| {}).expect("rows again"));
    // A whole recording serves a later question too: the rows that the server would have given.
    let later = replay(&|request| request.watermark = Some(watermark("2024-02-05T05:00:03Z"))).expect("rows");
    assert_eq!((ids(&later), later.complete), (vec![3, 4], false));
}

fn write(directory: &Path, name: &str, text: &str) {
    let path = directory.join(name);
    std::fs::create_dir_all(path.parent().expect("a directory")).expect("created");
    std::fs::write(path, text).expect("written");
}

#[test]
fn what_is_not_recorded_is_told() {
    let bench = Bench::new();
    let root = bench.directory.path().join("recordings");
    let config = config("type: rest\nbase_url: http://nowhere.invalid\n", TABLE);
    let replay = |change: &dyn Fn(&mut Request<'_>)| {
        failure(bench.fetch(&config, |request| {
            request.mode = SourcesMode::Replay(root.clone());
            change(request);
        }))
        .replace(&root.display().to_string(), "DIR")
    };
    let mut all = vec![replay(&|_| {})];
    write(&root, "crm/customers/0001.json", r#"{"request": "GET /v2/customers?page=1&size=50"}"#);
    all.push(replay(&|_| {}));
    write(&root, "crm/customers/0001.json", r#"{"request": "GET /v2/customers?size=2&page=1"}"#);
    write(&root, "crm/customers/0001.body.json", r#"{"data": [{"id": 1}], "more": true}"#);
    all.push(replay(&|_| {}));
    write(
        &root,
        "crm/customers/0001.json",
        r#"{"request": "GET /v2/customers?size=2&page=1", "since": "2024-02-05T00:00:00Z"}"#,
    );
    all.push(replay(&|_| {}));
    all.push(replay(&|request| request.watermark = Some(watermark("2024-02-04T00:00:00Z"))));
    write(&root, "crm/customers/0001.json", r#"{"request": "GET /v2/customers?size=2&page=1&since=x"}"#);
    all.push(replay(&|_| {}));
    write(&root, "crm/customers/0001.json", r#"{"requests": "GET /"}"#);
    all.push(replay(&|_| {}));
    insta::assert_snapshot!(all.join("\n\n"));
}

#[test]
fn an_older_recording_stays_until_the_new_one_is_whole() {
    let bench = Bench::new();
    let recordings = bench.directory.path().join("recordings");
    write(&recordings, "crm/customers/0001.json", "old");
    let record = |server: &Server| {
        let connector = format!("type: rest\nbase_url: {}\n", server.url());
        bench.fetch(&config(&connector, TABLE), |request| {
            request.mode = SourcesMode::Live { record: Some(recordings.clone()) };
        })
    };
    failure(record(&Server::start(|_| Reply::status(404, "gone"))));
    assert_eq!(text_of(&recordings.join("crm/customers")), "--- 0001.json\nold\n");
    record(&server()).expect("rows");
    assert!(text_of(&recordings.join("crm/customers")).contains("429"));
    assert_eq!(std::fs::read_dir(recordings.join("crm")).expect("a directory").count(), 1);
}
