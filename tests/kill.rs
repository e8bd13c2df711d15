//! `kill -9` in the middle of a build: whatever it was doing, the next build ends where an undisturbed one does.

use crate::support::database::{Database, Dump, assert_same};
use crate::support::project::{Project, succeed};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

/// The line of the JSON log after which the build is killed.
#[derive(Clone, Copy)]
enum Point {
    /// The first line of all runs: nothing was done yet.
    Begin,
    /// A page of this model's source has arrived.
    Page(&'static str),
    /// This node has started.
    Started(&'static str),
    /// This node has ended.
    Ended(&'static str),
}

impl Point {
    fn is_at(self, event: &Value) -> bool {
        let kind = event["info"]["name"].as_str().unwrap_or_default();
        let is_about = |node: &str| event["data"]["node_info"]["node_name"] == node;
        match self {
            Self::Begin => kind == "ConcurrencyLine",
            Self::Page(node) => kind == "ExtractProgress" && is_about(node),
            Self::Started(node) => kind == "LogStartLine" && is_about(node),
            Self::Ended(node) => kind == "LogModelResult" && is_about(node),
        }
    }
}

const POINTS: [(&str, Point); 7] = [
    ("before the first node", Point::Begin),
    ("within an extraction", Point::Page("raw_crm_customers")),
    ("after an extraction", Point::Ended("raw_erp_customers")),
    ("while a table is built", Point::Started("int_customers_matched")),
    ("as the dimension begins", Point::Started("dim_customer")),
    ("as the dimension has ended", Point::Ended("dim_customer")),
    ("as the facts begin", Point::Started("fct_orders")),
];

/// What is built here: everything but the tests of data, which change nothing.
const WITHOUT_TESTS: [&str; 2] = ["--exclude-resource-type", "test"];

/// Where an undisturbed pipeline stands after each day.
struct Undisturbed {
    /// The project as it is after the first day.
    after_day_1: Project,
    days: [(Dump, Vec<String>); 2],
}

impl Undisturbed {
    fn new() -> Self {
        let project = Project::from_small_template();
        let state = |project: &Project| {
            let database = Database::open(&project.database(), "dev");
            (database.content(), database.watermarks())
        };
        build(&project, 1);
        let (after_day_1, day_1) = (project.copy(), state(&project));
        build(&project, 2);
        let day_2 = state(&project);
        assert_eq!(day_1.1.len(), 3, "every extract model has a watermark");
        assert!(!day_2.0["presentation.fct_orders"].is_empty(), "there are orders");
        assert!(day_2.0["presentation.dim_customer"].len() > day_1.0["presentation.dim_customer"].len());
        Self { after_day_1, days: [day_1, day_2] }
    }

    fn assert_reached(&self, day: u8, project: &Project, what: &str) {
        let database = Database::open(&project.database(), "dev");
        let (content, watermarks) = &self.days[usize::from(day) - 1];
        assert_same(&database.content(), content, what);
        assert_eq!(&database.watermarks(), watermarks, "{what}: watermarks");
    }
}

fn build(project: &Project, day: u8) {
    succeed(&mut project.build_command(day, &WITHOUT_TESTS));
}

/// Builds a day and kills the build with SIGKILL at a point. Gives the nodes that had ended by then.
fn build_and_kill(project: &Project, day: u8, point: Point) -> BTreeSet<String> {
    let mut command = project.build_command(day, &WITHOUT_TESTS);
    command.args(["--log-format", "json"]);
    let mut build = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the program starts");
    let lines = BufReader::new(build.stdout.take().expect("its output")).lines();
    let mut ended = BTreeSet::new();
    let mut was_there = false;
    // After the kill the rest of the pipe is read too: those lines were written before.
    for line in lines.map_while(Result::ok) {
        let Ok(event) = serde_json::from_str::<Value>(&line) else { continue };
        ended.extend(finished(&event));
        if !was_there && point.is_at(&event) {
            was_there = true;
            build.kill().expect("it can be killed");
        }
    }
    let status = build.wait().expect("it has ended");
    assert!(was_there, "the build came to the point");
    assert_eq!(status.code(), None, "it was killed, and did not end by itself");
    ended
}

/// The node that an event says has ended.
fn finished(event: &Value) -> Option<String> {
    let info = &event["data"]["node_info"];
    let is_end = info["node_finished_at"].as_str().is_some_and(|at| !at.is_empty());
    is_end.then(|| info["unique_id"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn a_build_that_was_killed_leaves_nothing_wrong_behind() {
    let undisturbed = Undisturbed::new();
    for (what, point) in POINTS {
        let project = undisturbed.after_day_1.copy();
        build_and_kill(&project, 2, point);
        build(&project, 2);
        undisturbed.assert_reached(2, &project, what);
    }
    // The first build of all, killed again and again before it comes through.
    let project = Project::from_small_template();
    for (_, point) in POINTS {
        build_and_kill(&project, 1, point);
    }
    build(&project, 1);
    undisturbed.assert_reached(1, &project, "day 1, killed seven times");
}

#[test]
fn retry_does_the_rest_of_a_build_that_was_killed() {
    let undisturbed = Undisturbed::new();
    for (what, point) in [POINTS[1], POINTS[4]] {
        let project = undisturbed.after_day_1.copy();
        let ended = build_and_kill(&project, 2, point);
        let mut retry = project.command(&["retry", "--log-format", "json"]);
        retry.env("SAMPLE_DATA", "sample_data/day_2");
        let told = succeed(&mut retry);
        let events = told.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let again: BTreeSet<String> = events.filter_map(|event| finished(&event)).collect();
        let twice: Vec<&String> = again.intersection(&ended).collect();
        assert!(twice.is_empty(), "{what}: what had ended is not run again: {twice:?}");
        assert!(again.contains("model.shop.fct_orders"), "{what}: the rest is run: {again:?}");
        undisturbed.assert_reached(2, &project, &format!("retry: {what}"));
        let nothing = project.run(&["retry"]);
        assert!(nothing.contains("Nothing to retry"), "{nothing}");
    }
}
