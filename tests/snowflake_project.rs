//! The project that is compared with dbt-snowflake (`tests/compatibility/snowflake`), built twice on the stage: what
//! succeeds, what is in the tables, and what the second day changes.

use crate::support::stage::{Stage, stage};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

const DATABASE: &str = "PROJECT_SHOP";

/// The project with a database of its own.
struct Shop {
    directory: TempDir,
    stage: &'static Stage,
}

impl Shop {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compatibility/snowflake/project");
        copy(&project, directory.path());
        let stage = stage();
        // A session makes its database, which strata and dbt expect to be there.
        stage.rows(&format!("{DATABASE}_archive"), "show schemas");
        Self { directory, stage }
    }

    /// `strata build` as of a day; the statuses by node.
    fn build(&self, day: u8) -> BTreeMap<String, String> {
        let results = self.directory.path().join("target/run_results.json");
        let output = Command::new(env!("CARGO_BIN_EXE_strata"))
            .args(["build", "--vars", &format!("day: {day}")])
            .current_dir(self.directory.path())
            .env("STAGE_PORT", self.stage.port.to_string())
            .env("STAGE_DATABASE", DATABASE)
            .output()
            .expect("the program starts");
        let text = std::fs::read_to_string(&results)
            .unwrap_or_else(|_| panic!("nothing was built:\n{}", String::from_utf8_lossy(&output.stderr)));
        std::fs::remove_file(&results).expect("the results can be removed");
        let found: Json = serde_json::from_str(&text).expect("JSON");
        let pair = |result: &Json| {
            let field = |key: &str| result[key].as_str().unwrap_or_default().to_owned();
            (field("unique_id"), format!("{} {}", field("status"), field("message")))
        };
        found["results"].as_array().into_iter().flatten().map(pair).collect()
    }

    /// The rows of a query as lines.
    fn lines(&self, sql: &str) -> Vec<String> {
        let cell = |cell: Option<String>| cell.unwrap_or_else(|| "-".to_owned());
        let rows = self.stage.rows(DATABASE, sql).into_iter();
        rows.map(|row| row.into_iter().map(cell).collect::<Vec<_>>().join("|")).collect()
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in walkdir::WalkDir::new(from).min_depth(1).into_iter().flatten() {
        let target: PathBuf = to.join(entry.path().strip_prefix(from).expect("a path below"));
        if entry.file_type().is_dir() {
            std::fs::create_dir_all(target).expect("a directory");
        } else {
            std::fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

/// Nodes that did not succeed, each with its status and message.
fn failed(statuses: &BTreeMap<String, String>) -> Vec<String> {
    let is_good = |status: &str| status.starts_with("success") || status.starts_with("pass");
    statuses.iter().filter(|(_, status)| !is_good(status)).map(|(node, status)| format!("{node}: {status}")).collect()
}

#[test]
fn two_days_on_the_stage() {
    let shop = Shop::new();
    let statuses = shop.build(1);
    assert!(statuses.len() > 45, "{statuses:?}");
    assert_eq!(failed(&statuses), Vec::<String>::new(), "day 1");
    let merged = "select event_id, amount from shop.incremental_merge order by 1";
    assert_eq!(shop.lines(merged), ["1|10.50", "2|20.00", "3|-"]);
    shop.stage.statements(DATABASE);

    assert_eq!(failed(&shop.build(2)), Vec::<String>::new(), "day 2");
    assert_eq!(shop.lines(merged), ["1|10.50", "2|20.00", "3|33.25", "4|40.00", "5|5.75"]);
    let history = "select id, name, dbt_valid_to is null from shop.history_check order by id, dbt_valid_from";
    assert_eq!(shop.lines(history), ["1|Ada|1", "2|Bo|0", "2|Bo Olsson|1", "3|Cy|1", "4|Di's|1"]);
    let deleted = "select id, dbt_is_deleted from shop.history_deleted where id = 1 order by seen_from, dbt_is_deleted";
    assert_eq!(shop.lines(deleted), ["1|False", "1|True"]);
    let statements = shop.stage.statements(DATABASE).join("\n");
    for sent in [
        "merge into",
        "alter dynamic table",
        "use warehouse loading_wh",
        "alter session set query_tag = 'night load'",
        "alter session unset query_tag",
    ] {
        assert!(statements.contains(sent), "{sent}");
    }
}
