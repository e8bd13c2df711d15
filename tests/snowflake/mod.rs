//! Snowflake as a target, against the stage: sessions, faults of the wire, whole commands.

mod account;
mod commands;
mod crash;
mod loading;
mod metadata;
mod profiles;
mod seeds;
mod sessions;
mod template;
mod warehouses;

use crate::support::stage::stage;
use std::sync::Arc;
use std::time::Duration;
use strata::adapter::{Account, Adapter, Connection, DatabaseError, Machine, Pace, Snowflake, SnowflakeSettings};
use strata::name::{Quoting, RelationName};
use strata::secret::Secret;

/// An adapter for a database of the stage, with waits that take no time.
fn adapter(database: &str) -> Arc<dyn Adapter> {
    let account = Account::parse("stage").expect("an account");
    let settings = SnowflakeSettings::new(account, "tester", Secret::new("secret of the stage"), database, "PUBLIC");
    let mut settings = settings.expect("settings");
    settings.endpoint = format!("http://127.0.0.1:{}/", stage().port).parse().expect("a URL");
    settings.role = Some("transformer".to_owned());
    settings.warehouse = Some("compute_wh".to_owned());
    settings.pace = Pace {
        retries: 4,
        retry_first: Duration::from_millis(1),
        retry_longest: Duration::from_millis(5),
        poll_first: Duration::from_millis(5),
        poll_longest: Duration::from_millis(10),
        ..Pace::default()
    };
    let machine = Machine { show_page: Arc::new(|_| Err("there is no screen".to_owned())), ..Machine::default() };
    Arc::new(Snowflake::open(settings, machine).expect("an adapter"))
}

fn connect(database: &str) -> Box<dyn Connection> {
    adapter(database).connect("test").expect("a session")
}

/// The rows of a query, a line each.
fn rows(connection: &mut dyn Connection, sql: &str) -> Vec<String> {
    let table = connection.execute(sql).unwrap_or_else(|error| panic!("{sql}: {error}")).table;
    let line = |row: &Vec<strata::adapter::Cell>| row.iter().map(ToString::to_string).collect::<Vec<_>>().join("|");
    table.rows.iter().map(line).collect()
}

fn refused(connection: &mut dyn Connection, sql: &str) -> DatabaseError {
    connection.execute(sql).expect_err(sql)
}

fn table(database: &str, name: &str) -> RelationName {
    RelationName::new(Some(database), "PUBLIC", name, Quoting::NONE)
}
