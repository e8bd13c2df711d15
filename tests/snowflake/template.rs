//! The project template on Snowflake: the target `prod`, whose CRM is an API and whose ERP is a database of the account,
//! must make the same dimension as the target `dev`.

use super::{connect, table};
use crate::support::project::{Project, succeed};
use crate::support::stage::stage;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use strata::adapter::{Batch, BatchFormat, ColumnType};

const ERP: &str = "TEMPLATE_ERP_DB";
const ANALYTICS: &str = "TEMPLATE_DB";

/// What only a run can date (a customer that is gone, or is back) has other stamps, and so other keys, in each run.
const DIMENSION: &str = "
    select case when effective_from < current_date then customer_key end as customer_key, customer_id, version_number,
        first_name, last_name, full_name, email, phone, street, city, country_code, country_name, source_systems,
        customer_segment, customer_status, changed_at,
        case when effective_from < current_date then effective_from end as effective_from,
        effective_to is null as is_open, case when effective_to < current_date then effective_to end as effective_to,
        is_current
    from {{ ref('dim_customer') }} order by customer_id, version_number";

/// The ERP's tables as they are on a day.
fn write_erp(recordings: &Path) {
    let mut session = connect(ERP);
    for name in ["customers", "orders"] {
        let directory = recordings.join("erp").join(name);
        let meta = fs::read_to_string(directory.join("meta.json")).expect("a recording");
        let meta: Value = serde_json::from_str(&meta).expect("JSON");
        let columns = meta["columns"].as_array().expect("columns").iter();
        let columns: Vec<(String, ColumnType)> = columns
            .map(|column| {
                let is_number = column["type"].as_str().is_some_and(|word| word.to_lowercase().contains("int"));
                let name = column["name"].as_str().expect("a name").to_owned();
                (name, if is_number { ColumnType::BigInt } else { ColumnType::Text })
            })
            .collect();
        let declared: Vec<String> = columns
            .iter()
            .map(|(name, kind)| {
                format!("{name} {}", if *kind == ColumnType::Text { "varchar" } else { "number(38,0)" })
            })
            .collect();
        session.execute(&format!("create or replace table {name} ({})", declared.join(", "))).expect("a table");
        let batch = Batch { format: BatchFormat::JsonLines, files: vec![directory.join("rows.ndjson")], columns };
        session.load(&table(ERP, &name.to_uppercase()), &batch).expect("rows");
    }
}

#[test]
fn the_template_makes_the_same_dimension_as_on_duckdb() {
    let project = Project::from_small_template();
    let profiles = project.root().join("prod");
    let mut target = stage().target(ANALYTICS, "PROD");
    target["extract"] = json!({"replay": "{{ env_var('SAMPLE_DATA', 'sample_data/day_1') }}"});
    fs::create_dir(&profiles).expect("a directory");
    let profile = json!({"shop": {"target": "prod", "outputs": {"prod": target}}});
    fs::write(profiles.join("profiles.yml"), profile.to_string()).expect("written");
    let on_snowflake = ["--profiles-dir", "prod"];
    // The tests of the template run on DuckDB; here they would ask the same of the same rows.
    let without_tests = ["--profiles-dir", "prod", "--exclude-resource-type", "test"];
    for day in [1, 2] {
        write_erp(&project.root().join(format!("sample_data/day_{day}")));
        succeed(project.build_command(day, &without_tests).env("ERP_DATABASE", ERP));
        project.build(day);
    }
    let shown = |more: &[&str]| -> Value {
        let arguments = ["show", "--quiet", "--limit", "-1", "--output", "json", "--inline", DIMENSION];
        let shown = succeed(project.command(&arguments).args(more).env("ERP_DATABASE", ERP));
        // Snowflake writes names that are not quoted in capitals.
        serde_json::from_str(&shown.to_lowercase()).expect("JSON")
    };
    let (expected, found) = (shown(&[]), shown(&on_snowflake));
    let (expected, found) = (expected["show"].as_array().expect("rows"), found["show"].as_array().expect("rows"));
    assert!(expected.len() > 800, "{} rows", expected.len());
    for (expected, found) in expected.iter().zip(found) {
        assert_eq!(found, expected);
    }
    assert_eq!(found.len(), expected.len());
}
