//! What profiles say wrong about Snowflake, before anything is sent.

use std::fs;
use std::process::Command;

/// What `strata debug` says of a target with these further keys.
fn debug(keys: &str) -> String {
    let directory = tempfile::tempdir().expect("a directory");
    let profile = format!(
        "shop:\n  target: prod\n  outputs:\n    prod:\n      type: snowflake\n      database: db\n      schema: s\n{}",
        keys.lines().map(|line| format!("      {}", line.trim())).collect::<Vec<_>>().join("\n")
    );
    fs::write(directory.path().join("dbt_project.yml"), "name: shop\nprofile: shop\n").expect("written");
    fs::write(directory.path().join("profiles.yml"), profile).expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_strata"));
    let output = command.arg("debug").current_dir(directory.path()).output().expect("strata starts");
    assert_eq!(output.status.code(), Some(2), "{keys}");
    let shown = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(!shown.contains("hidden"), "a secret is shown: {shown}");
    shown
}

#[test]
fn contradictions_are_told_with_what_to_do() {
    let cases = [
        ("account: a\nuser: u", "there is nothing to log in with", "`private_key_path`"),
        ("account: a\npassword: hidden", "there is no `user`", "`oauth` and `jwt`"),
        ("account: 'not an account'\nuser: u\npassword: hidden", "is not the name of an account", "`myorg-myaccount`"),
        ("account: a\nuser: u\ntoken: hidden", "no `authenticator` that uses it", "programmatic_access_token"),
        ("account: a\nauthenticator: oauth", "there is no `token`", "env_var"),
        (
            "account: a\nauthenticator: oauth\ntoken: hidden\noauth_client_id: id",
            "no `oauth_client_secret`",
            "remove both",
        ),
        ("account: a\nuser: u\nauthenticator: externalbrowsr", "externalbrowsr", "did you mean `externalbrowser`?"),
        ("account: a\nuser: u\nauthenticator: https://corp.okta.com\npassword: hidden", "is not supported", "key pair"),
        ("account: a\nuser: u\npassword: hidden\nprotocol: ftp", "neither `https` nor `http`", ""),
        ("account: a\nuser: u\npassword: hidden\nproxy_port: 80", "no `proxy_host`", ""),
        ("account: a\nuser: u\nprivate_key_path: nowhere.p8", "cannot be read", "starts at the project"),
        ("account: a\nuser: u\nprivate_key: hidden!\nprivate_key_path: k.p8", "both a `private_key` and", "remove one"),
        ("account: a\nuser: u\nprivate_key: 'hidden!'", "neither PEM nor base64", "PKCS#8"),
    ];
    for (keys, message, help) in cases {
        let shown = debug(keys);
        assert!(shown.contains(message) && shown.contains(help), "{keys}\n{shown}");
    }
    let both = debug("account: '?'\nuser: u\nprotocol: ftp");
    assert!(both.contains("not the name of an account") && both.contains("nothing to log in"), "all at once: {both}");
}
