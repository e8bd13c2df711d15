//! Ways to log in: what is sent, and what a refusal means in words.

use super::super::TokenKind;
use super::*;

fn login_of(server: &Server) -> (Json, Seen) {
    let seen = server.seen();
    let login = to(&seen, "/session/v1/login-request")[0].clone();
    (body(&login)["data"].clone(), login)
}

#[test]
fn a_login_says_who_where_and_what_is_used() {
    let server = script(vec![success(&Json::Null)]);
    let mut settings = settings(&server);
    settings.role = Some("loader_role".into());
    settings.warehouse = Some("\"my wh\"".into());
    settings.query_tag = Some("nightly".into());
    drop(connect(settings).expect("a session"));
    let (data, seen) = login_of(&server);
    assert_eq!(data["ACCOUNT_NAME"], "myorg-acc");
    assert_eq!((&data["LOGIN_NAME"], &data["PASSWORD"]), (&json!("loader"), &json!("pass")));
    assert_eq!(data["CLIENT_ENVIRONMENT"]["APPLICATION"], "strata");
    assert_eq!(data["SESSION_PARAMETERS"]["QUERY_TAG"], "nightly");
    assert_eq!(data["SESSION_PARAMETERS"]["CLIENT_VALIDATE_DEFAULT_PARAMETERS"], true);
    assert_eq!(data["AUTHENTICATOR"], Json::Null);
    let named = ["warehouse", "databaseName", "schemaName", "roleName"]
        .map(|name| seen.param(name).unwrap_or_default().to_owned());
    assert_eq!(named, ["\"my wh\"", "raw", "stage", "loader_role"]);
    // Logging in sends no statement.
    assert_eq!(to(&server.seen(), QUERY).len(), 0);
}

#[test]
fn tokens_and_second_factors_take_the_place_of_the_password() {
    let sent = |login: Login| {
        let server = script(vec![success(&Json::Null)]);
        drop(connect(SnowflakeSettings { login, ..settings(&server) }).expect("a session"));
        let (data, _) = login_of(&server);
        ["AUTHENTICATOR", "TOKEN", "PASSWORD", "PASSCODE", "EXT_AUTHN_DUO_METHOD"]
            .map(|name| data[name].as_str().unwrap_or("-").to_owned())
            .join(" ")
    };
    let token = |kind| Login::Token { kind, token: Secret::new("tok") };
    assert_eq!(sent(token(TokenKind::OAuth)), "OAUTH tok - - -");
    assert_eq!(sent(token(TokenKind::ProgrammaticAccess)), "PROGRAMMATIC_ACCESS_TOKEN tok - - -");
    let second = |passcode: Option<&str>| Login::PasswordWithSecondFactor {
        password: Secret::new("pw"),
        passcode: passcode.map(Secret::new),
    };
    assert_eq!(sent(second(Some("123456"))), "USERNAME_PASSWORD_MFA - pw 123456 passcode");
    assert_eq!(sent(second(None)), "USERNAME_PASSWORD_MFA - pw - push");
}

#[test]
fn a_refresh_token_is_exchanged_once_for_all_sessions() {
    let server = Server::start(|seen| match seen.path.as_str() {
        "/oauth/token-request" => Reply::json(json!({"access_token": "access-1", "expires_in": 600})),
        "/session/v1/login-request" => logged_in(),
        _ => success(&Json::Null),
    });
    let login = Login::RefreshToken {
        client_id: "id".into(),
        client_secret: Secret::new("secret"),
        refresh_token: Secret::new("refresh&1"),
    };
    let settings = SnowflakeSettings { login, ..settings(&server) };
    let adapter = Snowflake::open(settings, machine(&Arc::default())).expect("an adapter");
    let sessions = (adapter.connect("1").expect("a session"), adapter.connect("2").expect("a session"));
    drop(sessions);
    let seen = server.seen();
    let exchanged = to(&seen, "/oauth/token-request");
    assert_eq!(exchanged.len(), 1);
    assert!(exchanged[0].body.contains("grant_type=refresh_token&refresh_token=refresh%261"), "{}", exchanged[0].body);
    assert_eq!(exchanged[0].header("authorization"), Some("Basic aWQ6c2VjcmV0"));
    let logins = to(&seen, "/session/v1/login-request");
    assert!(logins.len() == 2 && logins.iter().all(|login| body(login)["data"]["TOKEN"] == "access-1"));
}

#[test]
fn a_browser_brings_a_token_back_which_is_kept() {
    let server = Server::start(|seen| match seen.path.as_str() {
        "/session/authenticator-request" => {
            let port = body(seen)["data"]["BROWSER_MODE_REDIRECT_PORT"].as_str().unwrap_or_default().to_owned();
            success(&json!({"ssoUrl": format!("http://127.0.0.1:{port}/"), "proofKey": "proof"}))
        }
        "/session/v1/login-request" => Reply::json(json!({"success": true, "data": {
            "token": "session-1", "masterToken": "master-1", "idToken": "id-1"}})),
        _ => success(&Json::Null),
    });
    let store: Arc<Tokens> = Arc::default();
    let visits = |page: &url::Url| -> Result<(), String> {
        let mut page = page.clone();
        std::thread::spawn(move || {
            // A browser asks for more than it is sent to.
            page.set_path("/favicon.ico");
            drop(reqwest::blocking::get(page.clone()));
            page.set_path("/");
            page.set_query(Some("token=from%20browser"));
            drop(reqwest::blocking::get(page));
        });
        Ok(())
    };
    let machine = Machine { show_page: Arc::new(visits), ..machine(&store) };
    let settings = SnowflakeSettings { login: Login::Browser, ..settings(&server) };
    let adapter = Snowflake::open(settings.clone(), machine).expect("an adapter");
    drop(adapter.connect("1").expect("a session"));
    let data = login_of(&server).0;
    assert_eq!(
        [&data["AUTHENTICATOR"], &data["TOKEN"], &data["PROOF_KEY"]],
        ["EXTERNALBROWSER", "from browser", "proof"]
    );
    assert_eq!(data["SESSION_PARAMETERS"]["CLIENT_STORE_TEMPORARY_CREDENTIAL"], true);
    // The next run, on a machine that cannot show pages, uses what was kept.
    let adapter = Snowflake::open(settings, super::machine(&store)).expect("an adapter");
    drop(adapter.connect("1").expect("a session"));
    let seen = server.seen();
    let data = body(to(&seen, "/session/v1/login-request")[1])["data"].clone();
    assert_eq!([&data["AUTHENTICATOR"], &data["TOKEN"]], ["ID_TOKEN", "id-1"]);
}

#[test]
fn a_kept_token_that_is_refused_is_forgotten() {
    let server = Server::start(|seen| match seen.path.as_str() {
        "/session/v1/login-request" if body(seen)["data"]["TOKEN"] == "old" => {
            refusal("390195", "ID token is invalid.")
        }
        "/session/v1/login-request" => logged_in(),
        _ => success(&Json::Null),
    });
    let store: Arc<Tokens> = Arc::default();
    store.write("127.0.0.1:LOADER:MFA_TOKEN", &Secret::new("old"));
    let login = Login::PasswordWithSecondFactor { password: Secret::new("pw"), passcode: None };
    let settings = SnowflakeSettings { login, ..settings(&server) };
    let adapter = Snowflake::open(settings, machine(&store)).expect("an adapter");
    drop(adapter.connect("1").expect("a session"));
    assert_eq!(to(&server.seen(), "/session/v1/login-request").len(), 2);
    assert!(store.read("127.0.0.1:LOADER:MFA_TOKEN").is_none());
}

#[test]
fn a_kept_token_outlives_a_refusal_of_something_else() {
    let server = Server::start(|_| refusal("390189", "Role 'X' specified in the connect string does not exist."));
    let store: Arc<Tokens> = Arc::default();
    store.write("127.0.0.1:LOADER:MFA_TOKEN", &Secret::new("good"));
    let login = Login::PasswordWithSecondFactor { password: Secret::new("pw"), passcode: None };
    let settings = SnowflakeSettings { login, ..settings(&server) };
    let adapter = Snowflake::open(settings, machine(&store)).expect("an adapter");
    assert!(adapter.connect("1").is_err());
    assert_eq!(server.seen().len(), 1);
    assert!(store.read("127.0.0.1:LOADER:MFA_TOKEN").is_some());
}

#[test]
fn a_schema_that_is_still_to_be_made_does_not_keep_anyone_out() {
    let server = Server::start(|seen| match seen.path.as_str() {
        "/session/v1/login-request" if seen.param("schemaName").is_some() => {
            refusal("390201", "The requested schema does not exist or not authorized.")
        }
        _ => logged_in(),
    });
    drop(connect(settings(&server)).expect("a session"));
    assert_eq!(to(&server.seen(), "/session/v1/login-request").len(), 2);
}

#[test]
fn a_refused_login_says_what_to_look_at_and_is_not_repeated() {
    let message = |code: &str| {
        let refused = refusal(code, "Refused.");
        let server = Server::start(move |_| refused.clone());
        let Err(error) = connect(settings(&server)) else { panic!("{code} is a refusal") };
        (error.message, server.seen().len())
    };
    for (code, word) in
        [("390100", "`password`"), ("390189", "`role`"), ("390201", "`warehouse`"), ("390422", "network policy")]
    {
        let (message, requests) = message(code);
        assert!(message.contains(word), "{code}: {message}");
        assert_eq!(requests, if code == "390201" { 2 } else { 1 });
    }
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let server = script(vec![success(&Json::Null)]);
    let mut settings = settings(&server);
    drop(server);
    settings.connect_retries = 0;
    let Err(error) = connect(settings) else { panic!("nobody listens") };
    assert!(error.message.contains("127.0.0.1 cannot be reached"), "{error}");
}

#[test]
fn logins_are_tried_again_as_the_profile_says() {
    let attempts = |retry_all: bool| {
        let server = Server::start(|_| refusal("390100", "Incorrect username or password was specified."));
        let settings = SnowflakeSettings { retry_all, connect_retries: 2, ..settings(&server) };
        assert!(connect(settings).is_err());
        server.seen().len()
    };
    assert_eq!((attempts(false), attempts(true)), (1, 3));
}
