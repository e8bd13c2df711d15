//! A CRM with a REST API, to try extraction on: tokens that expire, numbered pages, changes since a time.
//!
//! It serves the customers of recordings (`project_template/sample_data/day_1`), so that a project that reads it
//! live has the same rows as one that replays them:
//!
//! ```text
//! cargo run --example crm_api -- --data project_template/sample_data/day_1
//! CRM_URL=http://127.0.0.1:8089 CRM_CLIENT_ID=demo DBT_ENV_SECRET_CRM=demo-secret strata build
//! ```

mod server;

use server::{Crm, Settings};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str = "usage: crm_api [--port N] [--token-lifetime SECONDS] --data DIR [--data DIR …]

DIR is the recording of one day, or a directory with one directory a day. Later days add to earlier ones.
Client id and secret are `demo` and `demo-secret`.
";

fn main() -> ExitCode {
    let Err(message) = run();
    // Nothing is left to be done if standard error is closed.
    drop(writeln!(std::io::stderr(), "{message}"));
    ExitCode::from(2)
}

fn run() -> Result<std::convert::Infallible, String> {
    let (mut port, mut lifetime, mut data) = (8089, 3600, Vec::new());
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| USAGE.to_owned())?;
        match name.as_str() {
            "--port" => port = value.parse().map_err(|_| USAGE.to_owned())?,
            "--token-lifetime" => lifetime = value.parse().map_err(|_| USAGE.to_owned())?,
            "--data" => data.push(PathBuf::from(value)),
            _ => return Err(USAGE.to_owned()),
        }
    }
    if data.is_empty() {
        return Err(USAGE.to_owned());
    }
    let crm = Crm::start(&Settings { port, token_lifetime: std::time::Duration::from_secs(lifetime), data })?;
    writeln!(std::io::stdout(), "http://{} has {} customers", crm.address(), crm.count())
        .map_err(|cause| cause.to_string())?;
    loop {
        std::thread::park();
    }
}
