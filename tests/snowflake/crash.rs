//! A build on Snowflake that is killed, or loses its session or its line, at every statement that changes something: what
//! it leaves is the state before or the one after, and `retry` finishes it.

use crate::support::stage::stage;
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// A relation of the project.
#[derive(Clone, Copy)]
struct Relation {
    name: &'static str,
    /// Its columns that are the same in every run.
    columns: &'static str,
    /// The node of which the books tell in the transaction of its rows; none where there is no such transaction.
    written_by: Option<&'static str>,
}

const fn defined(name: &'static str) -> Relation {
    Relation { name, columns: "*", written_by: None }
}

const fn written(name: &'static str, columns: &'static str, node: &'static str) -> Relation {
    Relation { name, columns, written_by: Some(node) }
}

/// How many statements that change something come before a node's own: schemas, control tables, the row of the run.
const COMMON: usize = 10;

/// Nodes that are built each on its own, over the same base.
struct Group {
    /// What is built for the second day before the sweep.
    base: &'static str,
    relations: &'static [Relation],
}

const LOADED: Group = Group {
    base: "",
    relations: &[
        written("raw", "*", "seed.crash.raw"),
        written("raw_customers", "*", "model.crash.raw_customers"),
        written("raw_events", "*", "model.crash.raw_events"),
    ],
};
const DEFINED: Group = Group {
    base: "raw",
    relations: &[
        defined("plain_view"),
        defined("plain_table"),
        defined("view_after_table"),
        defined("table_after_view"),
        defined("dynamic"),
        defined("dynamic_after_table"),
    ],
};
const INCREMENTAL: Group = Group {
    base: "raw",
    relations: &[
        written("merged", "id, name, amount", "model.crash.merged"),
        written("appended", "*", "model.crash.appended"),
        written("replaced", "*", "model.crash.replaced"),
        written("overwritten", "*", "model.crash.overwritten"),
    ],
};
/// The same where they are made anew: each by one definition, whose row in the books follows.
const REBUILT: Group = Group {
    base: "raw",
    relations: &[
        Relation { written_by: None, ..INCREMENTAL.relations[0] },
        defined("appended"),
        defined("replaced"),
        defined("overwritten"),
    ],
};
const HISTORIES: Group = Group {
    base: "raw raw_customers",
    relations: &[
        written("dim_customer", "id, name, is_current, version_number", "model.crash.dim_customer"),
        written("history", "id, name, amount, dbt_valid_to is null", "snapshot.crash.history"),
    ],
};

/// What happens to a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// SIGKILL before the statement has come to the server.
    KilledBefore,
    /// SIGKILL after it was carried out.
    KilledAfter,
    /// An answer of the server or the line is lost; the request is sent again.
    Lost(&'static str),
}

impl Fault {
    /// The fault that the stage knows by a name.
    fn of(name: &'static str) -> Self {
        match name {
            "hold_before" => Self::KilledBefore,
            "hold_after" => Self::KilledAfter,
            name => Self::Lost(name),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::KilledBefore => "hold_before",
            Self::KilledAfter => "hold_after",
            Self::Lost(name) => name,
        }
    }
}

/// What is in the tables, and what the books say of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct State {
    rows: BTreeMap<&'static str, Option<Vec<String>>>,
    watermarks: BTreeMap<String, String>,
    /// How often each node has ended well.
    successes: BTreeMap<String, usize>,
    /// Everything that is in the schema.
    objects: BTreeSet<String>,
}

/// A copy of the project with a database of its own.
struct Project {
    directory: TempDir,
    database: String,
    group: &'static Group,
}

/// How a build went.
struct Ended {
    /// The statements at which faults came.
    reached: Vec<String>,
    succeeded: bool,
    /// What it wrote, for the message of a failed assertion.
    output: String,
}

impl Project {
    fn new(database: &str, group: &'static Group) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snowflake/crash_project"), directory.path());
        Self { directory, database: database.to_owned(), group }
    }

    /// A project after its first day, with the base of a group as of the second: to this state of its database and of its
    /// target directory [`start_over`](Self::start_over) goes back.
    fn before(database: &str, group: &'static Group) -> Self {
        let project = Self::new(database, group);
        let build = |arguments: &[&str]| {
            let ended = project.run(arguments, None);
            assert!(ended.succeeded, "{}", ended.output);
        };
        let relations = group.relations.iter().map(|relation| relation.name);
        let names: Vec<&str> = group.base.split_whitespace().chain(relations).collect();
        build(&[&["build", "--vars", "day: 1", "--select"], names.as_slice()].concat());
        let seed = project.path("data/day_2/raw.csv");
        fs::copy(seed, project.path("seeds/raw.csv")).expect("the seed of the second day");
        if !group.base.is_empty() {
            build(&["build", "--vars", "day: 2", "--select", group.base]);
        }
        copy(&project.path("target"), &project.path("target_kept"));
        stage().keep(database);
        project
    }

    fn start_over(&self) {
        stage().faults(&self.database, json!({}));
        stage().bring_back(&self.database);
        fs::remove_dir_all(self.path("target")).expect("removed");
        copy(&self.path("target_kept"), &self.path("target"));
        stage().log(&self.database);
        stage().statements(&self.database);
    }

    fn path(&self, path: &str) -> std::path::PathBuf {
        self.directory.path().join(path)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_strata"));
        command
            .args(arguments)
            .current_dir(self.directory.path())
            .env("STAGE_PORT", stage().port.to_string())
            .env("STAGE_DATABASE", &self.database)
            .stdin(Stdio::null());
        command
    }

    /// Runs a command, which meets a fault at a statement.
    fn run(&self, arguments: &[&str], fault: Option<(Fault, Json)>) -> Ended {
        let mut reached = Vec::new();
        let mut kills = false;
        if let Some((fault, at)) = &fault {
            stage().faults(&self.database, at.clone());
            kills = matches!(fault, Fault::KilledBefore | Fault::KilledAfter);
        }
        let log = fs::File::create(self.path("output.txt")).expect("a file");
        let mut command = self.command(arguments);
        command.stdout(log.try_clone().expect("a file")).stderr(log);
        let mut process = command.spawn().expect("strata starts");
        let mut status = None;
        while kills && status.is_none() {
            if stage().has_happened(&self.database, &["hold_before", "hold_after"]) {
                process.kill().expect("it can be killed");
                status = Some(process.wait().expect("it ends"));
                // The statement that waited is let go: its client is dead.
                stage().faults(&self.database, json!({}));
            } else {
                status = process.try_wait().expect("a process");
            }
        }
        let status = status.unwrap_or_else(|| process.wait().expect("it ends"));
        if fault.is_some() {
            let log = stage().log(&self.database);
            let faults = log.iter().filter(|entry| entry["what"] == "reached");
            reached = faults.filter_map(|entry| entry["sql"].as_str().map(str::to_owned)).collect();
            stage().faults(&self.database, json!({}));
        }
        let output = fs::read_to_string(self.path("output.txt")).unwrap_or_default();
        Ended { reached, succeeded: status.success(), output }
    }

    fn state(&self) -> State {
        let objects = stage().rows(&self.database, "show objects in schema shop");
        let objects: BTreeSet<String> = objects.into_iter().filter_map(|row| row[1].clone()).collect();
        let relations = self.group.relations;
        let there: Vec<(&str, String)> = relations
            .iter()
            .filter(|relation| objects.contains(&relation.name.to_uppercase()))
            .map(|relation| (relation.name, format!("select {} from shop.{}", relation.columns, relation.name)))
            .collect();
        let books = [
            "select model, value from shop_strata_control.watermarks",
            "select unique_id, count(*) as n from shop_strata_control.node_runs where status = 'success' group by 1",
        ];
        let queries: Vec<&str> = there.iter().map(|(_, sql)| sql.as_str()).chain(books).collect();
        let mut answers: Vec<Vec<String>> = stage().answers(&self.database, &queries).into_iter().map(lines).collect();
        let pairs = |lines: Option<Vec<String>>| -> BTreeMap<String, String> {
            let pair = |line: String| line.split_once('|').map(|(name, value)| (name.to_owned(), value.to_owned()));
            lines.unwrap_or_default().into_iter().filter_map(pair).collect()
        };
        let successes = pairs(answers.pop());
        let watermarks = pairs(answers.pop());
        let mut rows: BTreeMap<&'static str, Option<Vec<String>>> =
            relations.iter().map(|relation| (relation.name, None)).collect();
        for ((name, _), lines) in there.iter().zip(answers) {
            rows.insert(name, Some(lines));
        }
        let successes = successes.into_iter().map(|(id, count)| (id, count.parse().expect("a number"))).collect();
        State { rows, watermarks, successes, objects }
    }
}

/// Rows as lines, in order.
fn lines(rows: Vec<Vec<Option<String>>>) -> Vec<String> {
    let cell = |cell: Option<String>| cell.unwrap_or_else(|| "-".to_owned());
    let line = |row: Vec<Option<String>>| row.into_iter().map(cell).collect::<Vec<_>>().join("|");
    let mut lines: Vec<String> = rows.into_iter().map(line).collect();
    lines.sort();
    lines
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in walkdir::WalkDir::new(from).min_depth(1).into_iter().flatten() {
        let target = to.join(entry.path().strip_prefix(from).expect("a path below"));
        if entry.file_type().is_dir() {
            fs::create_dir_all(target).expect("a directory");
        } else {
            fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

/// The second day of one node, its undisturbed end, and all the ways to come there.
struct Sweep {
    project: Project,
    arguments: Vec<&'static str>,
    before: State,
    after: State,
}

impl Sweep {
    fn new(database: &str, group: &'static Group) -> Self {
        let project = Project::before(database, group);
        let before = project.state();
        Self { project, arguments: vec![], before, after: State::default() }
    }

    /// Turns to some nodes, with further arguments of the build.
    fn turn_to(&mut self, nodes: &[&'static str], arguments: &[&'static str]) {
        self.arguments = [arguments, &["--select"], nodes].concat();
        self.project.start_over();
        let ended = self.project.run(&self.day_2(), None);
        assert!(ended.succeeded, "{}", ended.output);
        self.after = self.project.state();
        for name in nodes {
            assert!(self.after.rows[name].is_some(), "{name} is not there");
        }
    }

    fn day_2(&self) -> Vec<&'static str> {
        [&["build", "--vars", "day: 2"], self.arguments.as_slice()].concat()
    }

    /// The second day with a fault at the n-th statement that matches, then `retry`. Gives what is wrong with it; none if
    /// there is no such statement.
    fn case(&self, fault: Fault, number: usize, matching: &str) -> Option<Vec<String>> {
        let project = &self.project;
        project.start_over();
        let at = json!({"after": number, "match": matching, "then": {fault.name(): 1}});
        let ended = project.run(&self.day_2(), Some((fault, at)));
        if ended.reached.is_empty() {
            return None;
        }
        let mut wrong = self.between(&project.state());
        let is_last = !ended.succeeded;
        if is_last {
            let retried = project.run(&["retry"], None);
            if !retried.succeeded {
                wrong.push(format!("retry fails: {}", retried.output));
            }
        }
        wrong.extend(self.unfinished(&project.state()));
        if !wrong.is_empty() {
            wrong.push(format!("the build: {}", ended.output));
        }
        Some(wrong)
    }

    /// What a build left that is neither the state before nor that after.
    fn between(&self, now: &State) -> Vec<String> {
        let mut wrong = Vec::new();
        for (name, rows) in &now.rows {
            if *rows != self.before.rows[name] && *rows != self.after.rows[name] {
                wrong.push(format!("{name} is neither before nor after: {rows:?}"));
            }
        }
        for Relation { name, written_by, .. } in self.project.group.relations {
            let Some(id) = *written_by else { continue };
            if self.before.rows[name] == self.after.rows[name] {
                continue;
            }
            let is_after = now.rows[name] == self.after.rows[name];
            let is_told = now.successes.get(id) > self.before.successes.get(id);
            if is_after != is_told {
                wrong.push(format!(
                    "{name}: the rows are {}there, the books say otherwise",
                    if is_after { "" } else { "not " }
                ));
            }
            let (mark, former) = (now.watermarks.get(id), self.before.watermarks.get(id));
            let has_moved = mark != former;
            if former != self.after.watermarks.get(id) && has_moved != is_after {
                wrong.push(format!(
                    "{name}: the rows are {}there, the watermark is {mark:?}",
                    if is_after { "" } else { "not " }
                ));
            }
        }
        wrong
    }

    /// What is not as an undisturbed build leaves it.
    fn unfinished(&self, now: &State) -> Vec<String> {
        let mut wrong = Vec::new();
        for (name, rows) in &now.rows {
            if *rows != self.after.rows[name] {
                wrong.push(format!("{name} at last: {rows:?}, not {:?}", self.after.rows[name]));
            }
        }
        if now.watermarks != self.after.watermarks {
            wrong.push(format!("watermarks at last: {:?}", now.watermarks));
        }
        let left: Vec<_> = now.objects.symmetric_difference(&self.after.objects).collect();
        if !left.is_empty() {
            wrong.push(format!("left behind: {left:?}"));
        }
        wrong
    }

    /// Every statement from the `first` on, in steps; gives how many cases there were, and what is wrong with which.
    fn every(&self, fault: Fault, first: usize, step: usize) -> (usize, Vec<String>) {
        let (mut cases, mut wrong) = (0, Vec::new());
        for number in (first..).step_by(step) {
            let Some(found) = self.case(fault, number, "") else { break };
            cases += 1;
            if !found.is_empty() {
                wrong.push(format!("{} at statement {number}:\n  {}", fault.name(), found.join("\n  ")));
            }
        }
        (cases, wrong)
    }
}

/// One relation of each kind: what tests that always run look at.
const SOME: Group = Group {
    base: "",
    relations: &[
        LOADED.relations[0],
        LOADED.relations[1],
        LOADED.relations[2],
        DEFINED.relations[1],
        DEFINED.relations[2],
        INCREMENTAL.relations[1],
        HISTORIES.relations[0],
        HISTORIES.relations[1],
    ],
};

#[test]
fn a_build_that_is_killed_leaves_nothing_between_and_retry_finishes_it() {
    let mut sweep = Sweep::new("KILLED", &SOME);
    type Killed = (&'static [&'static str], &'static [&'static str], Fault, usize, &'static str);
    // What is built, and the n-th of its statements with a text at which it is killed.
    let cases: [Killed; 6] = [
        (&["raw"], &[], Fault::KilledAfter, 0, "delete from KILLED.shop.raw"),
        (&["raw_events"], &[], Fault::KilledAfter, 0, "insert into KILLED.shop_strata_control.watermarks"),
        (&["raw_events"], &["--full-refresh"], Fault::KilledAfter, 0, "execute immediate"),
        (&["view_after_table"], &[], Fault::KilledBefore, 0, "execute immediate"),
        // Its commit: the rows are there, the journal does not know it yet.
        (&["appended"], &[], Fault::KilledAfter, 4, "model.crash.appended"),
        (&["raw_customers", "dim_customer"], &[], Fault::KilledAfter, 0, "insert into KILLED.shop.dim_customer"),
    ];
    for (nodes, arguments, fault, number, matching) in cases {
        sweep.turn_to(nodes, arguments);
        let wrong = sweep.case(fault, number, matching);
        let wrong = wrong.unwrap_or_else(|| panic!("{nodes:?}: no statement with `{matching}`"));
        assert!(wrong.is_empty(), "{nodes:?}: {}", wrong.join("\n"));
    }
}

#[test]
fn a_build_that_loses_its_session_in_every_node_goes_on() {
    let mut sweep = Sweep::new("LOST", &SOME);
    let names: Vec<&str> = SOME.relations.iter().map(|relation| relation.name).collect();
    sweep.turn_to(&names, &[]);
    sweep.project.start_over();
    // What commits a node's rows is carried out, and the answer lost with the session.
    let steps = [
        ("model.crash.raw_customers", 8),
        ("insert into LOST.shop_strata_control.watermarks", 1),
        ("seed.crash.raw", 6),
        ("model.crash.appended", 4),
        ("insert into LOST.shop.dim_customer", 0),
        ("table LOST.shop.plain_table", 0),
        ("view_after_table__dbt_new\n", 0),
        ("execute immediate", 0),
        ("merge into \"LOST\"", 0),
    ];
    let each: Vec<Json> = steps
        .iter()
        .map(|(matching, after)| json!({"match": matching, "after": after, "then": {"gone_after": 1}}))
        .collect();
    let ended = sweep.project.run(&sweep.day_2(), Some((Fault::Lost("gone_after"), json!({"each": each}))));
    assert!(ended.succeeded, "{}", ended.output);
    let wrong = sweep.unfinished(&sweep.project.state());
    assert!(wrong.is_empty(), "{}\n{}", wrong.join("\n"), ended.output);
    assert_eq!(ended.reached.len(), steps.len(), "{:#?}", ended.reached);
}

/// Declares the sweeps: a test for each group and fault, of a build and of a full refresh.
macro_rules! sweeps {
    ($($group:ident $relations:ident [$($name:ident)*])*) => {
        $(mod $group {
            $(#[test] #[ignore = "some minutes: cargo test -- --ignored every_statement"] fn $name() {
                super::sweep(stringify!($group), stringify!($name), &super::$relations, &[]);
            })*
        })*
    };
}

mod every_statement {
    use super::{DEFINED, HISTORIES, INCREMENTAL, LOADED, sweep};
    sweeps! {
        loaded LOADED [hold_before hold_after cut_before cut_after fail_after gone gone_after]
        defined DEFINED [hold_before hold_after cut_before cut_after fail_after gone gone_after]
        incremental INCREMENTAL [hold_before hold_after cut_before cut_after fail_after gone gone_after]
        histories HISTORIES [hold_before hold_after cut_before cut_after fail_after gone gone_after]
    }
}

/// The same with `--full-refresh`, which replaces relations.
mod every_statement_of_a_full_refresh {
    #[test]
    #[ignore = "some minutes: cargo test -- --ignored every_statement"]
    fn loaded() {
        for fault in ["hold_after", "gone_after", "gone"] {
            super::sweep("loaded_again", fault, &super::LOADED, &["--full-refresh"]);
        }
    }

    #[test]
    #[ignore = "some minutes: cargo test -- --ignored every_statement"]
    fn incremental() {
        for fault in ["hold_after", "gone_after", "gone"] {
            super::sweep("incremental_again", fault, &super::REBUILT, &["--full-refresh"]);
        }
    }
}

fn sweep(name: &str, fault: &'static str, group: &'static Group, arguments: &[&'static str]) {
    let database = format!("SWEEP_{name}_{fault}").to_uppercase();
    let mut sweep = Sweep::new(&database, group);
    let (mut cases, mut wrong) = (0, Vec::new());
    for relation in group.relations {
        sweep.turn_to(&[relation.name], arguments);
        // What all commands do at their start is looked at once.
        let first = if relation.name == "raw" { 0 } else { COMMON };
        let (more, found) = sweep.every(Fault::of(fault), first, 1);
        cases += more;
        wrong.extend(found.into_iter().map(|text| format!("{}: {text}", relation.name)));
    }
    #[expect(clippy::print_stdout, reason = "how much was tried is what one runs it for")]
    let () = println!("{database}: {cases} cases, {} wrong", wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
