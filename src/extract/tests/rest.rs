//! Requests: credentials, patience, refusals, paginators.

use super::server::{Reply, Seen, Server};
use super::*;
use serde_json::json;
use std::sync::atomic::AtomicUsize;

const TABLE: &str = "path: /v2/customers\nrecords: $.data[*]\n";

fn rest(server: &Server, rest: &str) -> String {
    format!("type: rest\nbase_url: {}\n{rest}", server.url())
}

fn one_page() -> Reply {
    Reply::json(json!({"data": [{"id": 1}]}))
}

/// Answers the first requests with these, all later ones with a page.
fn first(replies: Vec<Reply>) -> Server {
    let count = AtomicUsize::new(0);
    Server::start(move |_| {
        let index = count.fetch_add(1, Ordering::Relaxed);
        replies.get(index).cloned().unwrap_or_else(one_page)
    })
}

#[test]
fn credentials_go_where_they_belong() {
    for (auth, header, value) in [
        ("{type: bearer, token: t0ps3cret}", "authorization", "Bearer t0ps3cret"),
        ("{type: basic, username: u, password: p}", "authorization", "Basic dTpw"),
        ("{type: api_key, name: X-Key, key: t0ps3cret}", "x-key", "t0ps3cret"),
    ] {
        let server = first(vec![]);
        let bench = Bench::new();
        let fetched = bench.fetch(&config(&rest(&server, &format!("auth: {auth}\n")), TABLE), |_| {}).expect("rows");
        assert_eq!(fetched.rows, 1);
        assert_eq!(server.seen()[0].header(header), Some(value));
    }
    let server = first(vec![]);
    let auth = "auth: {type: api_key, name: key, key: t0p s3cret, in: query}\n";
    Bench::new().fetch(&config(&rest(&server, auth), TABLE), |_| {}).expect("rows");
    assert_eq!(server.seen()[0].param("key"), Some("t0p s3cret"));
}

const OAUTH: &str = "auth: {type: oauth2_client_credentials, token_url: /oauth/token, client_id: me, client_secret: t0ps3cret, scope: read}\n";

/// Issues tokens `t1`, `t2`, …; accepts only the newest, and only from its second page on those after `t1`.
fn oauth(lasts: u64, revoke_first: bool) -> Server {
    let issued = AtomicUsize::new(0);
    Server::start(move |seen: &Seen| {
        if seen.path == "/oauth/token" {
            assert_eq!(seen.body, "grant_type=client_credentials&client_id=me&client_secret=t0ps3cret&scope=read");
            let number = issued.fetch_add(1, Ordering::Relaxed) + 1;
            return Reply::json(json!({"access_token": format!("token-{number}"), "expires_in": lasts}));
        }
        let newest = format!("Bearer token-{}", issued.load(Ordering::Relaxed));
        let page = seen.number("page");
        if seen.header("authorization") != Some(&newest) || (revoke_first && page == 2 && newest.ends_with("-1")) {
            return Reply::status(401, r#"{"message": "token expired"}"#);
        }
        Reply::json(json!({"data": [{"id": page}], "more": page < 3}))
    })
}

const PAGED: &str = "path: /v2/customers\nrecords: $.data[*]\npaginate: {type: page, param: page, more: $.more}\n";

#[test]
fn a_token_is_fetched_once_renewed_when_refused_and_when_it_expires() {
    let tokens = |server: &Server| server.seen().iter().filter(|seen| seen.path == "/oauth/token").count();
    let server = oauth(3600, false);
    let bench = Bench::new();
    assert_eq!(ids(&bench.fetch(&config(&rest(&server, OAUTH), PAGED), |_| {}).expect("rows")), [1, 2, 3]);
    assert_eq!(tokens(&server), 1);
    let server = oauth(3600, true);
    let bench = Bench::new();
    assert_eq!(ids(&bench.fetch(&config(&rest(&server, OAUTH), PAGED), |_| {}).expect("rows")), [1, 2, 3]);
    assert_eq!(tokens(&server), 2);
    assert_eq!(bench.scrubber.scrub("Bearer token-1, token-2, t0ps3cret"), "Bearer *****, *****, *****");
    // One request a second, and tokens that are used for one second.
    let server = oauth(2, false);
    let connector = rest(&server, &format!("{OAUTH}limits: {{requests_per_second: 1}}\n"));
    let bench = Bench::new();
    assert_eq!(ids(&bench.fetch(&config(&connector, PAGED), |_| {}).expect("rows")), [1, 2, 3]);
    assert_eq!(tokens(&server), 3);
}

#[test]
fn a_refused_token_is_renewed_once_and_then_it_is_over() {
    let server = Server::start(|seen| match seen.path.as_str() {
        "/oauth/token" => Reply::json(json!({"access_token": "token"})),
        _ => Reply::status(401, r#"{"message": "unknown client t0ps3cret"}"#),
    });
    let found = failure(Bench::new().fetch(&config(&rest(&server, OAUTH), TABLE), |_| {}));
    assert_eq!(server.seen().len(), 4);
    assert!(!found.contains("t0ps3cret"));
    insta::assert_snapshot!(found);
}

#[test]
fn what_may_pass_is_tried_again() {
    let reply = |status| Reply::status(status, "busy");
    let server = first(vec![reply(503), reply(500), reply(408), one_page().cut_at(0), one_page().cut_at(9)]);
    let bench = Bench::new();
    assert_eq!(bench.fetch(&config(&rest(&server, ""), TABLE), |_| {}).expect("rows").rows, 1);
    let waits: Vec<u128> = bench.clock.sleeps().iter().map(Duration::as_millis).collect();
    assert_eq!(waits, [500, 1000, 2000, 4000, 8000]);
    let server = first(vec![Reply::json(r#"{"data": [{"id": "#)]);
    assert_eq!(Bench::new().fetch(&config(&rest(&server, ""), TABLE), |_| {}).expect("rows").rows, 1);
}

#[test]
fn retry_after_is_honoured_up_to_the_limit() {
    let late = |value: &str| Reply::status(429, "slow down").header("Retry-After", value);
    let until = late("Mon, 05 Feb 2024 06:00:07 GMT").header("Date", "Mon, 05 Feb 2024 06:00:00 GMT");
    let server = first(vec![late("3"), until]);
    let bench = Bench::new();
    assert_eq!(bench.fetch(&config(&rest(&server, ""), TABLE), |_| {}).expect("rows").rows, 1);
    assert_eq!(bench.clock.sleeps(), [Duration::from_secs(3), Duration::from_secs(7)]);
    let server = first(vec![late("301")]);
    let bench = Bench::new();
    insta::assert_snapshot!(failure(bench.fetch(&config(&rest(&server, ""), TABLE), |_| {})));
    assert_eq!((server.seen().len(), bench.clock.sleeps().len()), (1, 0));
}

#[test]
fn tries_are_limited() {
    let server = first(vec![Reply::status(502, "bad gateway"); 9]);
    let connector = rest(&server, "limits: {tries: 3}\n");
    insta::assert_snapshot!(failure(Bench::new().fetch(&config(&connector, TABLE), |_| {})));
    assert_eq!(server.seen().len(), 3);
}

#[test]
fn requests_are_paced() {
    let server = Server::start(|seen| {
        Reply::json(json!({"data": [{"id": seen.number("page")}], "more": seen.number("page") < 3}))
    });
    let bench = Bench::new();
    let connector = rest(&server, "limits: {requests_per_second: 4}\n");
    bench.fetch(&config(&connector, PAGED), |_| {}).expect("rows");
    assert_eq!(bench.clock.sleeps(), [Duration::from_millis(250); 2]);
}

#[test]
fn what_will_not_pass_fails_at_once_with_the_words_of_the_server() {
    let auth = "auth: {type: bearer, token: t0ps3cret}\n";
    let cases = [
        Reply::status(404, r#"{"error": {"message": "no such resource for t0ps3cret"}}"#),
        Reply::status(403, "forbidden"),
        Reply::status(401, "who are you"),
        Reply::status(200, "<html><title>Log in</title><body>Please log in</body></html>")
            .header("Content-Type", "text/html"),
        Reply::json(r#"{"items": [], "page": 1}"#),
    ];
    let mut all = Vec::new();
    for reply in cases {
        let server = first(vec![reply]);
        all.push(failure(Bench::new().fetch(&config(&rest(&server, auth), TABLE), |_| {})));
        assert_eq!(server.seen().len(), 1);
    }
    let all = all.join("\n\n");
    assert!(!all.contains("t0ps3cret"));
    insta::assert_snapshot!(all);
}

#[test]
fn credentials_never_leave_the_host() {
    let other = first(vec![]);
    let auth = "auth: {type: bearer, token: t0ps3cret}\n";
    let elsewhere = format!("{}/v2/customers?page=2", other.url());
    let redirect = first(vec![Reply::status(302, "").header("Location", &elsewhere)]);
    let found = failure(Bench::new().fetch(&config(&rest(&redirect, auth), TABLE), |_| {}));
    assert!(found.contains("leads from http://127.0.0.1:"), "{found}");
    let link = first(vec![Reply::json(json!({"data": [{"id": 1}], "next": elsewhere}))]);
    let table = format!("{TABLE}paginate: {{type: next_link, path: $.next}}\n");
    let found = failure(Bench::new().fetch(&config(&rest(&link, auth), &table), |_| {}));
    assert!(found.contains("credentials are sent to the host of `base_url` only"), "{found}");
    assert!(other.seen().is_empty());
}

#[test]
fn redirects_within_the_host_are_followed() {
    let server = first(vec![Reply::status(307, "").header("Location", "/v3/customers?x=1")]);
    assert_eq!(Bench::new().fetch(&config(&rest(&server, ""), TABLE), |_| {}).expect("rows").rows, 1);
    assert_eq!(server.seen()[1].path, "/v3/customers");
    let circle = Server::start(|_| Reply::status(302, "").header("Location", "/v2/customers"));
    let found = failure(Bench::new().fetch(&config(&rest(&circle, ""), TABLE), |_| {}));
    assert!(found.contains("redirected in a circle"), "{found}");
}

#[test]
fn every_paginator_walks_to_the_end() {
    // Seven rows, three a page.
    let handler = |seen: &Seen| {
        let body: serde_json::Value = serde_json::from_str(&seen.body).unwrap_or_default();
        let number = |name: &str| body[name].as_u64().unwrap_or_else(|| seen.number(name));
        let start = match seen.path.as_str() {
            "/page" => (number("page").max(1) - 1) * 3,
            "/offset" => number("skip"),
            _ => number("after"),
        };
        let rows: Vec<_> = (start..7.min(start + 3)).map(|id| json!({"id": id})).collect();
        let next = start + 3;
        let mut reply = json!({"data": rows, "count": 7});
        if next < 7 {
            reply["cursor"] = json!(next);
            reply["next"] = json!(format!("/links?after={next}&key=t0ps3cret"));
        }
        let reply = Reply::json(reply);
        if next < 7 { reply.header("Link", format!("</header?after={next}>; rel=\"next\"")) } else { reply }
    };
    for (table, requests) in [
        ("path: /page\npaginate: {type: page, param: page, size_param: size, size: 3}\n", 4),
        ("path: /page\npaginate: {type: page, param: page, total: $.count}\n", 3),
        ("path: /page\nmethod: POST\njson: {q: all}\npaginate: {type: page, param: page, total: $.count}\n", 3),
        ("path: /offset\npaginate: {type: offset, param: skip, limit_param: take, limit: 500, total: $.count}\n", 3),
        ("path: /cursor\npaginate: {type: cursor, param: after, cursor: $.cursor}\n", 3),
        ("path: /links\npaginate: {type: next_link, path: $.next}\n", 3),
        ("path: /header\npaginate: {type: link_header}\n", 3),
    ] {
        for concurrency in [1, 3] {
            let server = Server::start(handler);
            let connector = rest(
                &server,
                &format!(
                    "auth: {{type: api_key, name: key, key: t0ps3cret, in: query}}\nlimits: {{concurrency: {concurrency}}}\n"
                ),
            );
            let bench = Bench::new();
            let fetched = bench.fetch(&config(&connector, &format!("{table}records: $.data[*]\n")), |_| {});
            assert_eq!(ids(&fetched.expect("rows")), [0, 1, 2, 3, 4, 5, 6], "{table}");
            if concurrency == 1 {
                assert_eq!(server.seen().len(), requests, "{table}");
            }
            let keys = |seen: &Seen| seen.params.iter().filter(|(name, _)| name == "key").count();
            assert!(server.seen().iter().all(|seen| keys(seen) == 1), "the key is sent once");
        }
    }
}

#[test]
fn only_what_changed_is_asked_for() {
    let since = |format: &str, method: &str| {
        let server = Server::start(|_| one_page());
        let table = format!(
            "{TABLE}method: {method}\nparams: {{size: 3}}\nincremental: {{param: since, field: at, type: timestamptz{format}}}\n"
        );
        let lookback = Lookback::read("10 minutes");
        let fetched = Bench::new().fetch(&config(&rest(&server, ""), &table), |request| {
            request.watermark = Some(watermark("2024-02-05T06:05:00.250+01:00"));
            request.lookback = lookback;
        });
        let fetched = fetched.expect("rows");
        assert!(!fetched.complete);
        assert_eq!(fetched.watermark, Some(watermark("2024-02-05T06:05:00.250+01:00")), "no row says more");
        let seen = server.seen().remove(0);
        seen.param("since").map_or(seen.body.clone(), str::to_owned)
    };
    assert_eq!(since("", "GET"), "2024-02-05T05:55:00.250+01:00");
    assert_eq!(since(", format: epoch_seconds", "GET"), "1707108900");
    assert_eq!(since(", format: '%Y-%m-%dT%H:%M:%SZ'", "GET"), "2024-02-05T04:55:00Z");
    assert_eq!(since("", "POST"), r#"{"since":"2024-02-05T05:55:00.250+01:00"}"#);
}
