//! The project that `strata init` writes, run end to end: two days of sample data must give what `expected.json` says.
//! Its numbers come from the generator's own model of the truth, not from SQL.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A project fresh from `strata init`.
struct Pipeline {
    directory: tempfile::TempDir,
}

impl Pipeline {
    fn new() -> Self {
        let pipeline = Self { directory: tempfile::tempdir().expect("a temporary directory") };
        pipeline.expect_success(Pipeline::command(pipeline.directory.path(), "day_1").args(["init", "pipeline"]));
        pipeline
    }

    fn root(&self) -> PathBuf {
        self.directory.path().join("pipeline")
    }

    fn command(directory: &Path, day: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_strata"));
        command.current_dir(directory).env("SAMPLE_DATA", format!("sample_data/{day}"));
        command
    }

    #[track_caller]
    fn expect_success(&self, command: &mut Command) -> Output {
        let output = command.output().expect("strata starts");
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{command:?} failed in {}:\n{text}", self.root().display());
        output
    }

    fn build(&self, day: &str) {
        self.expect_success(Self::command(&self.root(), day).args(["build", "--strict"]));
    }

    /// The rows of a query, a JSON object each.
    fn rows(&self, query: &str) -> Vec<Value> {
        let arguments = ["show", "--quiet", "--limit", "-1", "--output", "json", "--inline", query];
        let output = self.expect_success(Self::command(&self.root(), "day_1").args(arguments));
        let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        answer["show"].as_array().cloned().unwrap_or_default()
    }

    /// The pairs of a query of two columns `name` and `value`, as a JSON object.
    fn pairs(&self, query: &str) -> Value {
        let rows = self.rows(query).into_iter();
        rows.map(|row| (row["name"].as_str().unwrap_or_default().to_owned(), row["value"].clone()))
            .collect::<serde_json::Map<_, _>>()
            .into()
    }

    fn expected(&self) -> Value {
        let text = std::fs::read_to_string(self.root().join("sample_data/expected.json")).expect("expected.json");
        serde_json::from_str(&text).expect("JSON")
    }

    /// Compares everything that `expected.json` says of a day.
    fn check_day(&self, expected: &Value) {
        let counts: Vec<String> = expected["rows"]
            .as_object()
            .expect("rows of models")
            .keys()
            .map(|model| format!("select '{model}' as name, count(*) as value from {{{{ ref('{model}') }}}}"))
            .collect();
        assert_eq!(sorted(&self.pairs(&counts.join(" union all "))), sorted(&expected["rows"]));
        let grouped = |column: &str| {
            self.pairs(&format!(
                "select {column} as name, count(*) as value from {{{{ ref('dim_customer') }}}} where is_current group by 1"
            ))
        };
        assert_eq!(sorted(&grouped("customer_segment")), sorted(&expected["segments"]));
        assert_eq!(sorted(&grouped("customer_status")), sorted(&expected["statuses"]));
        let watermarks = "select split_part(model, '.', 3) as name, value from {{ ref('strata', 'watermarks') }}";
        assert_eq!(sorted(&self.pairs(watermarks)), sorted(&expected["watermarks"]));
        let others = self.pairs(
            "select 'orders_without_customer' as name, count_if(customer_key is null) as value from {{ ref('fct_orders') }}
            union all select 'orders_without_amount', count_if(amount is null) from {{ ref('fct_orders') }}
            union all select 'current_customers', count_if(is_current) from {{ ref('dim_customer') }}",
        );
        for (name, value) in others.as_object().expect("an object") {
            assert_eq!(*value, expected[name], "{name}");
        }
    }

    /// The ids that a query gives, in order.
    fn ids(&self, query: &str) -> Value {
        self.rows(query).into_iter().map(|row| row["customer_id"].clone()).collect::<Vec<_>>().into()
    }
}

/// An object's entries in order of name, so that differences are easy to read.
fn sorted(object: &Value) -> Vec<(String, Value)> {
    let entries = object.as_object().expect("an object").iter();
    let mut entries: Vec<_> = entries.map(|(name, value)| (name.clone(), value.clone())).collect();
    entries.sort_by(|left, right| left.0.cmp(&right.0));
    entries
}

/// The sources in the `sources.json` of the last `source freshness`: name, status, seconds since they were loaded.
fn freshness(pipeline: &Pipeline) -> Vec<(String, String, f64)> {
    let text = std::fs::read_to_string(pipeline.root().join("target/sources.json")).expect("sources.json");
    let document: Value = serde_json::from_str(&text).expect("JSON");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let one = |result: &Value| {
        let age = result["max_loaded_at_time_ago_in_s"].as_f64().unwrap_or(f64::NAN);
        (text(&result["unique_id"]).replace("source.pipeline.", ""), text(&result["status"]), age)
    };
    let mut found: Vec<_> = document["results"].as_array().expect("results").iter().map(one).collect();
    found.sort_by(|left, right| left.0.cmp(&right.0));
    found
}

#[test]
fn sources_of_the_template_are_as_fresh_as_their_last_batch() {
    let pipeline = Pipeline::new();
    let look = || {
        let output = Pipeline::command(&pipeline.root(), "day_1").args(["source", "freshness"]).output();
        let output = output.expect("strata starts");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (code, told) = look();
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("source `crm.customers` has not been extracted yet"), "{told}");
    assert!(told.contains("`strata build -s raw_crm_customers` fetches it"), "{told}");
    assert!(freshness(&pipeline).iter().all(|(_, status, _)| status == "runtime error"));

    // The recordings are of a fixed day in the past: what counts is that they were read just now.
    pipeline.expect_success(Pipeline::command(&pipeline.root(), "day_1").args(["run", "-s", "raw"]));
    let (code, told) = look();
    assert_eq!(code, Some(0), "{told}");
    let found = freshness(&pipeline);
    let names: Vec<&str> = found.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!(names, ["crm.customers", "erp.customers", "erp.orders"]);
    assert!(found.iter().all(|(_, status, age)| status == "pass" && (0.0..3_600.0).contains(age)), "{found:?}");
}

#[test]
fn two_days_of_the_template_give_what_the_generator_knows() {
    let pipeline = Pipeline::new();
    let expected = pipeline.expected();
    pipeline.build("day_1");
    pipeline.check_day(&expected["day_1"]);

    // The same day again changes nothing: no row of raw, no version of a customer.
    let everything =
        "select customer_key, effective_from, effective_to, is_current from {{ ref('dim_customer') }} order by 1";
    let (before, read) =
        (pipeline.rows(everything), "select max(extracted_at) as at from {{ ref('raw_crm_customers') }}");
    let first_read = pipeline.rows(read);
    pipeline.expect_success(Pipeline::command(&pipeline.root(), "day_1").args(["run", "-s", "raw+"]));
    assert_eq!(pipeline.rows(everything), before);
    assert_eq!(pipeline.rows(read), first_read);

    pipeline.build("day_2");
    pipeline.check_day(&expected["day_2"]);
    let versions = "select customer_id from {{ ref('dim_customer') }} group by customer_id";
    let changed = pipeline.ids(&format!("{versions} having count(*) = 2 order by 1"));
    assert_eq!(changed, expected["changes"]["changed_customers"]);
    let closed = pipeline.ids(&format!("{versions} having count_if(is_current) = 0 order by 1"));
    assert_eq!(closed, expected["changes"]["closed_customers"]);
    check_named(&pipeline, &expected["named"]);
    pipeline.expect_success(Pipeline::command(&pipeline.root(), "day_2").args(["scd2", "check", "dim_customer"]));
}

/// A customer for each kind of change: its versions, value by value, and whether it has a current one.
fn check_named(pipeline: &Pipeline, named: &Value) {
    let customers = named.as_object().expect("customers by kind");
    let ids: Vec<String> =
        customers.values().map(|named| format!("{}", named["customer_id"]).replace('"', "'")).collect();
    let rows = pipeline.rows(&format!(
        "select * from {{{{ ref('dim_customer') }}}} where customer_id in ({}) order by version_number",
        ids.join(", ")
    ));
    for (kind, named) in customers {
        let found: Vec<&Value> = rows.iter().filter(|row| row["customer_id"] == named["customer_id"]).collect();
        let versions = named["versions"].as_array().expect("versions");
        assert_eq!(found.len(), versions.len(), "{kind}: {found:?}");
        for (row, version) in found.iter().zip(versions) {
            for (column, value) in version.as_object().expect("a version") {
                assert_eq!(row[column], *value, "{kind}: {column} of {row}");
            }
        }
        assert_eq!(found.iter().any(|row| row["is_current"] == true), named["has_current"] == true, "{kind}");
    }
}
