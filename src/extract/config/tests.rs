//! Configs of connectors and tables: what is read, and how complaints point at it.

use super::super::tests::{config, frames, try_config};
use super::*;
use std::time::Duration;

#[test]
fn the_shape_of_the_design_is_read() {
    let read = config(
        "type: rest\nbase_url: https://crm.example.com/api/\n\
         auth: {type: oauth2_client_credentials, token_url: /oauth/token, client_id: me, client_secret: hush}\n\
         limits: {requests_per_second: 10, concurrency: 2, timeout: 30s, tries: 6, max_wait: 5m}\n",
        "path: /v2/customers\nrecords: $.data[*]\nparams: {page_size: 1000}\n\
         paginate: {type: page, param: page, more: $.has_next}\n\
         incremental: {param: modified_since, field: last_modified, type: timestamptz}\n",
    );
    let Connector::Rest(rest) = &read.connector else { panic!("a REST connector") };
    assert_eq!(rest.limits.max_wait, Duration::from_secs(300));
    assert_eq!(rest.params, [("page_size".to_owned(), "1000".to_owned())]);
    let Auth::ClientCredentials { token_url, .. } = &rest.auth else { panic!("client credentials") };
    assert_eq!(token_url.as_str(), "https://crm.example.com/api/oauth/token");
    assert_eq!(read.incremental().map(|found| found.kind), Some(WatermarkKind::TimestampTz));
    assert!(!format!("{read:?}").contains("hush"));
}

#[test]
fn a_fingerprint_leaves_out_credentials_and_limits() {
    let fingerprint = |connector: &str, table: &str| {
        config(&format!("type: rest\nbase_url: http://h\n{connector}"), table).fingerprint
    };
    let plain = fingerprint("", "path: /x\n");
    assert_eq!(plain, fingerprint("auth: {type: bearer, token: a}\nlimits: {tries: 2}\n", "path: /x\n"));
    assert_ne!(plain, fingerprint("", "path: /y\n"));
}

#[test]
fn everything_wrong_is_told_at_once() {
    let cases = [
        (
            "type: rest\nbase_url: ftp://h\nauth: {type: bearr, token: x}\nlimits: {timeout: 30, trys: 3, requests_per_second: 0}\n",
            "recods: $.data[*]\nrecords: data\npaginate: {type: page, more: '$['}\nincremental: {field: at, type: datetime}\ncolumns: [a]\n",
        ),
        (
            "type: rest\nbase_url: https://user:hush@h\nauth: {type: basic, username: u, password: ''}\n",
            "path: /x\nmethod: PUT\n",
        ),
        ("type: postgres\nhost: h\n", "table: customers\n"),
        ("type: warehouse\npath: a.db\n", "query: select 1\nincremental: {field: at, type: day}\n"),
        ("type: sqllite\npath: a.db\n", ""),
        ("type: sqlite\npath: a.db\n", "table: a\nquery: select 1\ncolumns: {n: money}\n"),
        ("type: files\n", "path: s3://bucket/*.csv\n"),
        ("type: files\n", "path: data/*.xlsx\n"),
        ("type: files\n", "path: a.parquet\nincremental: {field: at, type: date}\n"),
        ("path: x\n", ""),
        ("- rest\n", ""),
    ];
    let all = cases.map(|(connector, table)| frames(&try_config(connector, table).expect_err("wrong")));
    let all = all.join("\n\n========\n\n");
    assert!(!all.contains("hush"));
    insta::assert_snapshot!(all);
}
