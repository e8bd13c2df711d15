//! The project template from end to end through the real binary: what holds after every build, living systems against
//! their recordings, and what `strata diff` tells of a change.

use crate::crm_api::{CLIENT_ID, CLIENT_SECRET, Crm, Settings};
use crate::support::database::{Database, assert_same};
use crate::support::erp::write_erp;
use crate::support::project::{Project, succeed};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const DIMENSION: &str = "dev_presentation.dim_customer";

#[test]
fn histories_are_whole_and_a_build_without_new_data_changes_nothing() {
    let project = Project::from_small_template();
    for day in [1, 2] {
        project.build(day);
        is_whole(&Database::open(&project.database(), "dev"));
    }
    let state = || {
        let database = Database::open(&project.database(), "dev");
        (database.everything(), database.watermarks())
    };
    let (before, watermarks) = state();
    project.build(2);
    let (after, watermarks_after) = state();
    // Every column counts here, the keys of versions and `extracted_at` too.
    assert_same(&after, &before, "a build without new data");
    assert_eq!(watermarks_after, watermarks);
    let runs = Database::open(&project.database(), "dev").lines("select status from dev_strata_control.runs");
    assert_eq!(runs, ["success"; 3]);
}

/// What holds for a history at any time.
fn is_whole(database: &Database) {
    let none = |what: &str, sql: &str| assert_eq!(database.lines(sql), Vec::<String>::new(), "{what}");
    assert!(database.number(&format!("select count(*) from {DIMENSION} where is_current")) > 500, "it has customers");
    none(
        "one current version at most",
        &format!("select customer_id from {DIMENSION} where is_current group by all having count(*) > 1"),
    );
    none(
        "versions are numbered from 1, begin before they end, and end where the next begins",
        &format!(
            "select customer_id, version_number from (
                select *,
                    row_number() over versions as position,
                    lead(effective_from) over versions as next_effective_from,
                from {DIMENSION}
                window versions as (partition by customer_id order by effective_from)
            )
            where version_number <> position
                or effective_from >= effective_to
                or is_current <> (effective_to is null)
                or (next_effective_from is not null and effective_to is distinct from next_effective_from)"
        ),
    );
    none(
        "the keys of versions are unique",
        &format!("select customer_key from {DIMENSION} group by all having count(*) > 1"),
    );
    let columns = "customer_id, first_name, last_name, full_name, email, phone, street, city, country_code, \
                   country_name, source_systems, customer_segment, customer_status";
    let current = format!("select {columns} from {DIMENSION} where is_current");
    let model = format!("select {columns} from dev_integration.int_customers_final");
    none("every customer is current", &format!("({model}) except ({current})"));
    none("every current version is a customer", &format!("({current}) except ({model})"));
}

#[test]
fn living_systems_give_what_their_recordings_give() {
    let mut project = Project::from_small_template();
    let recordings = |day: u8| project.root().join("sample_data").join(format!("day_{day}"));
    let (day_1, day_2) = (recordings(1), recordings(2));
    let erp = project.root().join("erp.db");
    project.set("CRM_CLIENT_ID", CLIENT_ID);
    project.set("DBT_ENV_SECRET_CRM", CLIENT_SECRET);
    project.set("ERP_DATABASE", erp.display().to_string());
    let live = project.root().join("shop_live.duckdb");
    for (day, directory) in [(1, day_1), (2, day_2)] {
        let token_lifetime = Duration::from_secs(3600);
        let crm = Crm::start(&Settings { port: 0, token_lifetime, data: vec![directory.clone()] }).expect("it starts");
        project.set("CRM_URL", format!("http://{}", crm.address()));
        write_erp(&directory, &erp).expect("the ERP can be written");
        let told = project.run(&["build", "--target", "live"]);
        assert!(!told.contains(CLIENT_SECRET), "the secret is never shown");
        project.build(day);
        let (replayed, live) = (Database::open(&project.database(), "dev"), Database::open(&live, "live"));
        let content = live.content();
        assert!(content["raw.raw_crm_customers"].len() > 400, "there is something to compare");
        assert_same(&content, &replayed.content(), &format!("day {day}"));
        assert_eq!(live.watermarks(), replayed.watermarks());
    }
    let rows = Database::open(&live, "live").lines(
        "select rows from live_strata_control.extract_batches where model = 'model.shop.raw_crm_customers' order by created_at",
    );
    let rows: Vec<u64> = rows.iter().filter_map(|rows| rows.parse().ok()).collect();
    assert!(rows.len() == 2 && rows[1] < rows[0] / 2, "the second day asks only for what changed: {rows:?}");
}

#[test]
fn a_difference_is_the_changed_model_and_what_is_built_from_it() {
    let project = Project::from_template();
    let root = project.root();
    let git = |arguments: &[&str]| {
        let author = ["-c", "user.name=Ana", "-c", "user.email=ana@example.com", "-c", "commit.gpgsign=false"];
        succeed(Command::new("git").args(author).args(arguments).current_dir(&root))
    };
    git(&["init", "--quiet", "--initial-branch", "main"]);
    git(&["add", "--all"]);
    git(&["commit", "--quiet", "--message", "A new project"]);
    let diff = |format: &str| project.command(&["diff", "--base", "main", "--format", format, "--exit-code"]).output();
    let json = || -> (Option<i32>, Value) {
        let output = diff("json").expect("the program starts");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        (output.status.code(), serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}{errors}")))
    };
    let (code, nothing) = json();
    assert_eq!((code, nothing["differences"].as_array().map(Vec::len)), (Some(0), Some(0)), "{nothing:#}");

    let model = root.join("models/staging/stg_erp_orders.sql");
    let original = fs::read_to_string(&model).expect("the model");
    replace(
        &model,
        &original,
        "        upper(trim(order_id)) as order_id,",
        "  UPPER( trim(order_id) )   as order_id,",
    );
    let (code, layout) = json();
    let kinds = |comparison: &Value| -> Vec<String> {
        let differences = comparison["differences"].as_array().into_iter().flatten();
        differences.map(|difference| format!("{} {}", difference["unique_id"], difference["kind"])).collect()
    };
    assert_eq!(kinds(&layout), ["\"model.shop.stg_erp_orders\" \"layout\""]);
    assert_eq!(code, Some(0), "the layout changes nothing");

    replace(&model, &original, "lower(trim(status)) as status", "upper(trim(status)) as status");
    let (code, changed) = json();
    assert_eq!(kinds(&changed), ["\"model.shop.stg_erp_orders\" \"changed\""]);
    assert_eq!(code, Some(1));
    let downstream: Vec<&str> =
        changed["downstream"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for below in ["int_orders_enriched", "int_customer_metrics", "int_customers_final", "dim_customer", "fct_orders"] {
        assert!(downstream.contains(&format!("model.shop.{below}").as_str()), "{below} is below: {downstream:?}");
    }
    for beside in ["stg_crm_customers", "stg_erp_customers", "int_customers_matched"] {
        assert!(!downstream.contains(&format!("model.shop.{beside}").as_str()), "{beside} is not: {downstream:?}");
    }
    let text = String::from_utf8_lossy(&diff("text").expect("the program starts").stdout).into_owned();
    for line in ["-        lower(trim(status)) as status", "+        upper(trim(status)) as status"] {
        assert!(text.contains(line), "`{line}` is shown:\n{text}");
    }
    let unasked = project.command(&["diff", "--base", "main"]).output().expect("the program starts");
    assert!(unasked.status.success(), "without --exit-code a difference is no failure");
}

fn replace(path: &Path, original: &str, from: &str, to: &str) {
    assert!(original.contains(from), "{} has `{from}`", path.display());
    fs::write(path, original.replace(from, to)).expect("the model can be written");
}
