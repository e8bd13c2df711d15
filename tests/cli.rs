//! The program as its users call it: real processes, their exit code and what they print.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A directory with a project of a few files, and processes in it.
pub(crate) struct Stage {
    directory: TempDir,
    variables: Vec<(String, String)>,
}

/// How a process ended.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

const PROJECT: &str = "name: shop\nversion: '1.0'\nprofile: shop\nseeds:\n  shop:\n    +schema: raw\n";
const PROFILES: &str = "shop:\n  target: dev\n  outputs:\n    dev: {type: duckdb, path: shop.duckdb, schema: dev}\n";

impl Stage {
    pub(crate) fn empty() -> Self {
        Self { directory: tempfile::tempdir().expect("a temporary directory"), variables: vec![] }
    }

    /// Two models, a seed and two tests, one of which fails.
    pub(crate) fn shop() -> Self {
        let stage = Self::empty();
        stage.write("dbt_project.yml", PROJECT);
        stage.write("profiles.yml", PROFILES);
        stage.write("seeds/orders.csv", "id,amount\n1,10\n2,20\n3,\n");
        stage.write("models/stg_orders.sql", "select id, amount from {{ ref('orders') }}\n");
        stage.write(
            "models/total.sql",
            "{{ config(materialized='table') }}\nselect sum(amount) as total from {{ ref('stg_orders') }}\n",
        );
        stage.write(
            "models/schema.yml",
            "models:\n  - name: stg_orders\n    columns:\n      - name: id\n        data_tests: [unique]\n      - name: amount\n        data_tests: [not_null]\n",
        );
        stage
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        fs::write(path, text).expect("written");
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        self.run_in(self.path().to_path_buf(), arguments)
    }

    fn run_in(&self, directory: PathBuf, arguments: &[&str]) -> Ended {
        let mut command = Command::new(env!("CARGO_BIN_EXE_strata"));
        command.args(arguments).current_dir(directory).env_clear().env("HOME", self.path().join("home"));
        command.env("PATH", env!("PATH"));
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        let output = command.output().expect("the program starts");
        Ended {
            code: output.status.code().expect("it was not killed"),
            stdout: self.masked(&String::from_utf8_lossy(&output.stdout)),
            stderr: self.masked(&String::from_utf8_lossy(&output.stderr)),
        }
    }

    /// The text without what differs from run to run: paths and times.
    fn masked(&self, text: &str) -> String {
        let text = text.replace(&self.path().display().to_string(), "[dir]");
        let mut masked = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some(at) = rest.find("in ") {
            let (before, after) = rest.split_at(at + 3);
            masked.push_str(before);
            let digits = after.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
            let is_time = digits > 0 && after[digits..].starts_with('s');
            rest = if is_time {
                masked.push_str("[time]");
                &after[digits + 1..]
            } else {
                after
            };
        }
        masked + rest
    }
}

impl Ended {
    pub(crate) fn shown(&self) -> String {
        format!("exit code: {}\n----- stdout\n{}----- stderr\n{}", self.code, self.stdout, self.stderr)
    }
}

#[test]
fn help_says_what_there_is() {
    let stage = Stage::empty();
    insta::assert_snapshot!("help", stage.run(&["--help"]).shown());
    insta::assert_snapshot!("help_build", stage.run(&["build", "--help"]).shown());
    for verb in [
        "init",
        "debug",
        "parse",
        "ls",
        "compile",
        "run",
        "test",
        "seed",
        "snapshot",
        "clone",
        "show",
        "diff",
        "retry",
        "deps",
        "clean",
        "run-operation",
        "source freshness",
    ] {
        let words: Vec<&str> = verb.split(' ').chain(["--help"]).collect();
        let ended = stage.run(&words);
        assert_eq!(ended.code, 0, "{verb}");
        assert!(ended.stdout.contains("Example"), "{verb} --help has an example");
    }
}

#[test]
fn what_cannot_be_understood_ends_with_2() {
    let stage = Stage::shop();
    let calls: [&[&str]; 9] = [
        &["biuld"],
        &["build", "--slect", "x"],
        &["build", "--threads", "0"],
        &["docs", "serve"],
        &["run", "--empty"],
        &["build", "--vars", "just words"],
        &["build", "--target", "prd"],
        &["ls", "-s", "@stg_orders+"],
        &["init", "my-shop"],
    ];
    let shown: Vec<String> =
        calls.iter().map(|call| format!("$ strata {}\n{}", call.join(" "), stage.run(call).shown())).collect();
    assert!(shown.iter().all(|text| text.contains("exit code: 2")));
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn packages_are_installed_without_a_profile_and_seen_by_other_verbs() {
    let stage = Stage::shop();
    stage.write("packages.yml", "packages:\n  - package: acme/tools\n    version: 1.0.0\n");
    let before = stage.run(&["ls"]);
    assert!(before.code == 2 && before.stderr.contains("= help: run `strata deps`"), "{}", before.stderr);
    fs::rename(stage.path().join("profiles.yml"), stage.path().join("kept.yml")).expect("moved");
    stage.write("packages.yml", "packages: []\n");
    stage.write("vendored/tools/dbt_project.yml", "name: tools\n");
    stage.write("vendored/tools/models/tool.sql", "select 1 as id\n");
    let calls: [&[&str]; 5] = [
        &["deps", "--add-package", "vendored/tools", "--source", "local"],
        &["deps", "--lock"],
        &["--log-format", "json", "deps"],
        &["deps", "--add-package", "acme/tools"],
        &["deps", "--source", "git"],
    ];
    let ended = calls.map(|call| stage.run(call));
    let done = "Added vendored/tools to packages.yml\ntools linked to vendored/tools\nWrote package-lock.yml\n\
                1 package is in dbt_packages/\n";
    assert_eq!((ended[0].code, ended[0].stdout.as_str(), ended[0].stderr.as_str()), (0, done, ""));
    assert_eq!((ended[1].code, ended[1].stdout.as_str()), (0, "package-lock.yml is up to date\n"));
    assert!(ended[3].code == 2 && ended[3].stderr.contains("--add-package needs a version"), "{}", ended[3].stderr);
    assert!(ended[2].stdout.contains("\"name\":\"DepsInstallInfo\""), "{}", ended[2].stdout);
    assert_eq!(ended[4].code, 2, "--source is for --add-package");
    fs::rename(stage.path().join("kept.yml"), stage.path().join("profiles.yml")).expect("moved");
    assert_eq!(stage.run(&["ls", "-s", "tools"]).stdout, "tools.tool\n");
}

#[test]
fn variables_of_dbt_count_and_those_for_what_is_not_built_are_refused() {
    let quiet = Stage::shop().with("DBT_QUIET", "yes").with("DBT_ENGINE_TARGET_PATH", "elsewhere");
    let ended = quiet.run(&["seed"]);
    assert_eq!((ended.code, ended.stdout.as_str(), ended.stderr.as_str()), (0, "", ""));
    assert!(quiet.path().join("elsewhere/run_results.json").is_file());
    let refused = Stage::shop().with("DBT_EMPTY", "true").run(&["run"]);
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("`DBT_EMPTY`"), "{}", refused.stderr);
}

#[test]
fn without_a_project_the_message_says_where_to_go() {
    insta::assert_snapshot!(Stage::empty().run(&["build"]).shown());
}

#[test]
fn the_project_is_found_from_below() {
    let stage = Stage::shop();
    let ended = stage.run_in(stage.path().join("models"), &["ls", "--resource-type", "model"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (0, "shop.stg_orders\nshop.total\n"));
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    let stage = Stage::shop();
    stage.write("models/one.sql", "select * from {{ ref('stg_order') }}\n");
    stage.write("models/two.sql", "select {{ nope( }}\n");
    insta::assert_snapshot!(stage.run(&["parse"]).shown());
}

#[test]
fn listing_in_every_form() {
    let stage = Stage::shop();
    let call = |arguments: &[&str]| {
        let ended = stage.run(arguments);
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
        format!("$ strata {}\n{}", arguments.join(" "), ended.stdout)
    };
    let shown = [
        call(&["ls"]),
        call(&["list", "-s", "+total", "--exclude", "stg_orders", "--output", "name"]),
        call(&["ls", "-s", "stg_orders", "--output", "path", "--indirect-selection", "empty"]),
        call(&["ls", "-m", "total", "--output", "json", "--output-keys", "name config.materialized depends_on.nodes"]),
    ];
    insta::assert_snapshot!(shown.join("\n"));
    assert!(stage.run(&["ls", "-s", "nothing_like_it"]).stderr.contains("nothing is selected"));
}

#[test]
fn a_source_may_show_up_only_when_a_model_is_compiled() {
    let stage = Stage::shop();
    stage.write("models/late.sql", "{% if execute %}select * from {{ source('crm', 'people') }}{% endif %}\n");
    stage.write("models/crm.yml", "sources:\n  - name: crm\n    tables: [{name: people}]\n");
    let ended = stage.run(&["compile", "-q", "-s", "late"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    let compiled = fs::read_to_string(stage.path().join("target/compiled/shop/models/late.sql")).expect("compiled");
    assert!(compiled.contains(r#"from "shop"."crm"."people""#), "{compiled}");
}

#[test]
fn a_build_that_fails_is_mended_and_retried() {
    let stage = Stage::shop();
    insta::assert_snapshot!("build_fails", stage.run(&["build", "--threads", "1"]).shown());
    stage.write("models/stg_orders.sql", "select id, coalesce(amount, 0) as amount from {{ ref('orders') }}\n");
    // The view is not among what failed: the test is, and the model behind it.
    assert_eq!(stage.run(&["run", "-q", "-s", "stg_orders", "--target-path", "other"]).code, 0);
    insta::assert_snapshot!("retry", stage.run(&["retry"]).shown());
    let nothing = stage.run(&["retry"]);
    assert_eq!(nothing.code, 0);
    assert!(nothing.stdout.contains("Nothing to retry"), "{}", nothing.stdout);
}

#[test]
fn a_hook_that_fails_stops_the_nodes_only_where_the_project_says_so() {
    let stage = Stage::shop();
    let hooks = "on-run-start: ['select 1', 'select * from nowhere', 'select 2']\n";
    stage.write("dbt_project.yml", &format!("{PROJECT}{hooks}"));
    let statuses = || {
        let ended = stage.run(&["run", "-s", "stg_orders", "-q"]);
        assert_eq!(ended.code, 1, "{}", ended.shown());
        let results = fs::read_to_string(stage.path().join("target/run_results.json")).expect("results");
        let results: serde_json::Value = serde_json::from_str(&results).expect("JSON");
        let results = results["results"].as_array().expect("a list").clone();
        results.iter().map(|result| result["status"].as_str().expect("a status").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(stage.run(&["seed", "-q"]).code, 1);
    assert_eq!(statuses(), ["success", "error", "skipped", "success"]);
    let flags = "flags: {skip_nodes_if_on_run_start_fails: true}\n";
    stage.write("dbt_project.yml", &format!("{PROJECT}{hooks}{flags}"));
    assert_eq!(statuses(), ["success", "error", "skipped", "skipped"]);
}

#[test]
fn quoting_of_the_project_is_for_models_and_hooks_are_compiled_too() {
    let stage = Stage::shop();
    let more = "quoting: {schema: false, identifier: false}\non-run-start: ['select 1 as {{ target.name }}', '{{ none or \"\" }}']\n";
    stage.write("dbt_project.yml", &format!("{PROJECT}{more}"));
    stage.write(
        "models/sources.yml",
        "sources:\n  - name: crm\n    tables: [{name: t, quoting: {identifier: false}}]\n",
    );
    let sql = "{{ ref('total') }} {{ source('crm', 't') }}";
    let inline = stage.run(&["compile", "-q", "--inline", sql]);
    assert_eq!(inline.stdout.trim(), r#""shop".dev.total "shop"."crm".t"#, "{}", inline.shown());
    assert_eq!(stage.run(&["seed", "-q"]).code, 0);
    assert_eq!(stage.run(&["compile", "-q"]).code, 0);
    let hook = stage.path().join("target/compiled/shop/dbt_project.yml/hooks/shop-on-run-start-0.sql");
    assert_eq!(fs::read_to_string(&hook).expect("the hook's SQL"), "select 1 as dev");
    assert!(!hook.with_file_name("shop-on-run-start-1.sql").exists(), "it does nothing");
}

#[test]
fn a_killed_run_is_gone_on_with() {
    let stage = Stage::shop();
    assert_eq!(stage.run(&["run", "--vars", "{a: 1}", "-q"]).code, 1, "there is no seed table yet");
    assert_eq!(stage.run(&["seed", "-q"]).code, 0);
    assert_eq!(stage.run(&["run", "--vars", "{a: 1}", "-q"]).code, 0);
    // As the process would have left it, had it been killed while it noted the second of two models.
    let journal = stage.path().join("target/journal.jsonl");
    let text = fs::read_to_string(&journal).expect("a journal");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 4, "a head, two nodes and the end: {text}");
    fs::write(&journal, format!("{}\n{}\n{}", lines[0], lines[1], &lines[2][..9])).expect("written");
    fs::remove_file(stage.path().join("target/run_results.json")).expect("removed");
    let ended = stage.run(&["retry"]);
    assert_eq!(ended.code, 0, "{}", ended.shown());
    assert!(ended.stdout.contains("Running 1 table model") && ended.stdout.contains("TOTAL=1"), "{}", ended.stdout);
    let results = fs::read_to_string(stage.path().join("target/run_results.json")).expect("results");
    assert!(results.contains(r#""vars":{"a":1}"#), "the former flags hold: {results}");
}

#[test]
fn rows_and_sql_are_all_that_stands_on_standard_output() {
    let stage = Stage::shop();
    assert_eq!(stage.run(&["seed", "-q"]).code, 0);
    let call = |arguments: &[&str]| format!("$ strata {}\n{}", arguments.join(" "), stage.run(arguments).shown());
    let shown = [
        call(&["show", "-s", "orders", "--limit", "2"]),
        call(&[
            "show",
            "--inline",
            "select * from {{ ref('orders') }} order by id",
            "--output",
            "csv",
            "--limit",
            "-1",
        ]),
        call(&["show", "--inline", "select 1 as one", "--output", "json"]),
        call(&["show", "--inline", "select nope"]),
        call(&["compile", "--inline", "select {{ 1 + 1 }} from {{ ref('total') }}"]),
        call(&["compile", "-s", "total"]),
        call(&["compile", "--no-introspect"]),
        call(&["show"]),
    ];
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn json_lines_are_one_object_each() {
    let stage = Stage::shop();
    let ended = stage.run(&["build", "--log-format", "json"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (1, ""));
    let events: Vec<serde_json::Value> =
        ended.stdout.lines().map(|line| serde_json::from_str(line).expect("one object a line")).collect();
    let names: Vec<&str> = events.iter().filter_map(|event| event["info"]["name"].as_str()).collect();
    assert_eq!(names.first(), Some(&"MainReportVersion"));
    for name in ["FoundStats", "ConcurrencyLine", "LogStartLine", "LogSeedResult", "LogModelResult", "LogTestResult"] {
        assert!(names.contains(&name), "{name} is missing in {names:?}");
    }
    let invocation = &events[0]["info"]["invocation_id"];
    assert!(events.iter().all(|event| event["info"]["invocation_id"] == *invocation));
    let refused = stage.run(&["run", "--target", "nope", "--log-format", "json"]);
    assert!(refused.stdout.contains("MainEncounteredError"), "{}", refused.stdout);
}

#[test]
fn artifacts_lie_where_dbt_puts_them() {
    let stage = Stage::shop();
    stage.run(&["build", "-q"]);
    for file in [
        "manifest.json",
        "run_results.json",
        "compiled/shop/models/stg_orders.sql",
        "run/shop/models/stg_orders.sql",
        "compiled/shop/models/schema.yml/not_null_stg_orders_amount.sql",
    ] {
        assert!(stage.path().join("target").join(file).is_file(), "{file}");
    }
    let read = |name: &str| -> serde_json::Value {
        let text = fs::read_to_string(stage.path().join("target").join(name)).expect("there");
        serde_json::from_str(&text).expect("JSON")
    };
    assert_eq!(read("manifest.json")["nodes"]["model.shop.stg_orders"]["compiled"], true);
    assert_eq!(read("run_results.json")["args"]["which"], "build");
    let without = Stage::shop();
    without.run(&["build", "-q", "--no-write-json"]);
    assert!(!without.path().join("target/manifest.json").exists());
}

#[test]
fn the_catalog_tells_what_tables_are_made_of() {
    let stage = Stage::shop();
    stage.run(&["seed"]);
    assert_eq!(stage.run(&["docs", "generate", "--select", "orders", "total"]).code, 0);
    let read = || -> serde_json::Value {
        let text = fs::read_to_string(stage.path().join("target/catalog.json")).expect("written");
        serde_json::from_str(&text).expect("json")
    };
    insta::assert_json_snapshot!(read()["nodes"]);
    assert_eq!(stage.run(&["docs", "generate", "--empty-catalog", "--no-compile"]).code, 0);
    assert_eq!(read()["nodes"], serde_json::json!({}));
}

#[test]
fn diff_against_a_branch() {
    let stage = Stage::shop();
    stage.write(".gitignore", "target/\n*.duckdb\n");
    let git = |arguments: &[&str]| {
        let identity = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"];
        let mut command = Command::new("git");
        let output = command.current_dir(stage.path()).args(identity).args(arguments).output().expect("git starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    git(&["init", "--quiet", "--initial-branch=main"]);
    git(&["add", "."]);
    git(&["commit", "--quiet", "-m", "one"]);
    let same = stage.run(&["diff", "--base", "main", "--exit-code"]);
    assert_eq!(same.code, 0, "{}", same.shown());
    stage.write("models/stg_orders.sql", "select id, amount * 2 as amount\nfrom {{ ref('orders') }}\n");
    let ended = stage.run(&["diff", "--base", "main", "--exit-code"]);
    insta::assert_snapshot!(ended.shown());
    assert_eq!(stage.run(&["compile", "-q", "--target-path", "before"]).code, 0);
    let against_run = stage.run(&["diff", "--state", "before", "--format", "json"]);
    let comparison: serde_json::Value = serde_json::from_str(&against_run.stdout).expect("JSON");
    assert_eq!(comparison["differences"], serde_json::json!([]), "{}", against_run.shown());
}

#[test]
fn clean_removes_what_commands_leave_and_nothing_else() {
    let stage = Stage::shop();
    stage.run(&["parse"]);
    let ended = stage.run(&["clean"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (0, "Removed target\n"), "{}", ended.stderr);
    assert!(!stage.path().join("target").exists());
    stage.write("packages.yml", "packages: [{package: acme/missing, version: 1.0.0}]\n");
    assert_eq!(stage.run(&["parse"]).code, 2, "there is no such package");
    assert_eq!(stage.run(&["clean"]).code, 0, "but cleaning needs none");
    stage.write("packages.yml", "packages: []\n");
    stage.write("dbt_project.yml", &format!("{PROJECT}clean-targets: [target, models, ../other]\n"));
    stage.run(&["parse"]);
    insta::assert_snapshot!(stage.run(&["clean"]).shown());
    assert!(stage.path().join("models/total.sql").exists() && stage.path().join("target").exists());
}

#[test]
fn a_new_project_is_never_written_over_an_old_one() {
    let stage = Stage::empty();
    insta::assert_snapshot!("init", stage.run(&["init", "shop"]).shown());
    let parsed = stage.run_in(stage.path().join("shop"), &["parse", "--strict"]);
    assert_eq!((parsed.code, parsed.stderr.as_str()), (0, ""));
    let listed = stage.run_in(stage.path().join("shop"), &["ls", "--resource-type", "seed"]);
    assert!(listed.stdout.lines().all(|line| line.starts_with("shop.")), "{}", listed.stdout);
    fs::write(stage.path().join("shop/dbt_project.yml"), "mine").expect("written");
    insta::assert_snapshot!("init_again", stage.run(&["init", "shop"]).shown());
    assert_eq!(fs::read_to_string(stage.path().join("shop/dbt_project.yml")).expect("there"), "mine");
}

#[test]
fn debug_shows_what_was_found_and_no_secret() {
    let stage = Stage::shop().with("DBT_ENV_SECRET_NAME", "hunter22");
    stage.write(
        "profiles.yml",
        "shop:\n  target: dev\n  outputs:\n    dev: {type: duckdb, path: \"{{ env_var('DBT_ENV_SECRET_NAME') }}.duckdb\", schema: dev}\n",
    );
    let ended = stage.run(&["debug"]);
    assert_eq!(ended.code, 0, "{}", ended.shown());
    assert!(ended.stdout.contains("it answers"), "{}", ended.stdout);
    assert!(!ended.stdout.contains("hunter22"), "{}", ended.stdout);
}
