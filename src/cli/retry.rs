//! `strata retry`: what a former run failed at, skipped, or did not come to.

use super::arguments::{self, Arguments, DeferArguments, GlobalArguments, RetryArguments};
use super::execute::{Request, execute_selected, open};
use super::settings::Settings;
use super::{Context, Outcome, reporter};
use crate::artifact::{PreviousJournal, PreviousRun, read_journal, read_previous_run};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Result};
use crate::name::UniqueId;
use crate::project::load;
use crate::report::Product;
use crate::run::FormerRun;
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

/// dbt's words for endings that are worth another try.
const UNFINISHED: [&str; 5] = ["error", "fail", "skipped", "runtime error", "partial success"];

/// A former run: how it was called and what is left of it.
struct Former {
    typed: Vec<String>,
    left: BTreeSet<UniqueId>,
    total: usize,
    run: FormerRun,
}

/// Goes on with the run whose traces lie in the target directory or in `--state`.
pub(super) fn retry(context: &Context, given: &Arguments, retry: &RetryArguments) -> Result<Outcome> {
    let settings = &context.settings;
    let directory = match &retry.state {
        Some(state) => settings.project_root.join(state),
        None => load(&settings.project_root, &settings.load)?.0.target_path,
    };
    let former = former(&directory, settings.warn_error)?;
    let again = as_before(context, given, &former.typed)?;
    let request = Request::of(&again.context, &again.arguments)
        .map_err(|found| found.note("this was the former command: there is nothing in it to retry"))?;
    if former.left.is_empty() {
        let text = format!("Nothing to retry: all {} nodes of `strata {}` ended well.", former.total, request.verb);
        context.reporter.product(&Product::Text(text));
        return Ok(Outcome::Success);
    }
    let workspace = open(&again.context, &request)?;
    let (left, gone): (BTreeSet<UniqueId>, BTreeSet<UniqueId>) =
        former.left.into_iter().partition(|id| workspace.manifest.nodes.contains_key(id));
    if !gone.is_empty() {
        let names: Vec<&str> = gone.iter().map(UniqueId::as_str).collect();
        let found = Diagnostic::warning(Code::Selector, "some nodes of the former run are not in the project any more")
            .note(names.join(", "));
        again.context.tolerate(found.into())?;
    }
    execute_selected(&again.context, &workspace, &request.going_on(former.run), left)
}

/// What the later of journal and `run_results.json` tells. They differ where another program wrote the results.
fn former(directory: &Path, warnings_too: bool) -> Result<Former> {
    let journal = read_journal(directory)?;
    let run = read_previous_run(directory)?;
    match (journal, run) {
        (Some(journal), Some(run)) if is_newer(&run, &journal) => Ok(from_results(run, warnings_too)),
        (Some(journal), _) => Ok(from_journal(journal, warnings_too)),
        (None, Some(run)) => Ok(from_results(run, warnings_too)),
        (None, None) => Err(Diagnostic::error(Code::Artifact, "there is no former run to retry")
            .note(format!("looked for journal.jsonl and run_results.json in {}", directory.display()))
            .help("run `strata build` first, or name the directory of another run with --state")
            .into()),
    }
}

fn is_newer(run: &PreviousRun, journal: &PreviousJournal) -> bool {
    let other_run = run.invocation_id.as_deref() != Some(journal.head.invocation_id.as_str());
    // These write results too, of which there is nothing to retry.
    let ran = run.options.get("which").and_then(Json::as_str);
    let ran = ran.is_some_and(|verb| !matches!(verb, "compile" | "run-operation"));
    other_run && ran && run.generated_at.is_some_and(|at| at > journal.head.started_at)
}

fn is_left(status: &str, warnings_too: bool) -> bool {
    UNFINISHED.contains(&status) || warnings_too && status == "warn"
}

fn from_journal(journal: PreviousJournal, warnings_too: bool) -> Former {
    let total = journal.head.selected.len();
    let finished = journal.finished;
    let is_left = |id: &UniqueId| finished.get(id).is_none_or(|status| is_left(status, warnings_too));
    let is_open = |id: &UniqueId| !finished.contains_key(id) || journal.interrupted.contains(id);
    let interrupted = journal.head.selected.iter().filter(|id| is_open(id)).cloned().collect();
    let run = FormerRun {
        invocations: [journal.head.continues, vec![journal.head.invocation_id]].concat(),
        started_at: Some(journal.head.started_at),
        interrupted,
        batches: journal.batches.into_iter().filter(|(_, batches)| !batches.failed.is_empty()).collect(),
    };
    let left = journal.head.selected.into_iter().filter(is_left).collect();
    Former { typed: journal.head.arguments, left, total, run }
}

fn from_results(run: PreviousRun, warnings_too: bool) -> Former {
    let text = |name: &str| run.options.get(name).and_then(Json::as_str).map(str::to_owned);
    let mut typed = vec![text("which").unwrap_or_else(|| "build".to_owned())];
    for (name, flag) in [("target", "--target"), ("profile", "--profile")] {
        typed.extend(text(name).into_iter().flat_map(|value| [flag.to_owned(), value]));
    }
    if let Some(variables) = run.options.get("vars").and_then(Json::as_object).filter(|given| !given.is_empty()) {
        // JSON is YAML too.
        typed.extend(["--vars".to_owned(), Json::Object(variables.clone()).to_string()]);
    }
    if run.options.get("full_refresh").and_then(Json::as_bool) == Some(true) {
        typed.push("--full-refresh".to_owned());
    }
    for (name, flag) in [("defer", "--defer"), ("favor_state", "--favor-state")] {
        typed.extend((run.options.get(name).and_then(Json::as_bool) == Some(true)).then(|| flag.to_owned()));
    }
    typed.extend(text("state").into_iter().flat_map(|value| ["--state".to_owned(), value]));
    let total = run.results.len();
    let mut batches = BTreeMap::new();
    let mut left = BTreeSet::new();
    for result in run.results.into_iter().filter(|result| is_left(&result.status, warnings_too)) {
        if let Some(results) = result.batch_results.filter(|results| !results.failed.is_empty()) {
            batches.insert(result.unique_id.clone(), results);
        }
        left.insert(result.unique_id);
    }
    let run = FormerRun { started_at: run.generated_at, batches, ..FormerRun::default() };
    Former { typed, left, total, run }
}

/// The former command line, with what was typed for `retry` on top of it.
struct Again {
    arguments: Arguments,
    context: Context,
}

fn as_before(context: &Context, given: &Arguments, typed: &[String]) -> Result<Again> {
    let words = std::iter::once("strata".to_owned()).chain(typed.iter().cloned()).map(Into::into);
    let variables = &context.surroundings.environment.variables;
    let mut arguments = arguments::parse(words, &|name| variables.get(name).cloned()).map_err(|error| {
        let lines = error.to_string();
        let first = lines.lines().next().unwrap_or_default().to_owned();
        Diagnostics::from(
            Diagnostic::error(Code::Artifact, format!("the former command line cannot be understood: {first}"))
                .note(format!("strata {}", typed.join(" "))),
        )
    })?;
    arguments.global = overlaid(&given.global, arguments.global);
    arguments.global.project_dir = Some(context.settings.project_root.clone());
    let settings = Settings::resolve(&arguments, typed.to_vec(), &context.surroundings)?;
    let reporter = reporter::make(&settings, &given.verb, &context.scrubber);
    let context = Context {
        settings,
        reporter,
        scrubber: context.scrubber.clone(),
        cancel: Arc::clone(&context.cancel),
        surroundings: context.surroundings.clone(),
    };
    Ok(Again { arguments, context })
}

/// What was typed for `retry`, and where nothing was, what was typed before.
fn overlaid(given: &GlobalArguments, former: GlobalArguments) -> GlobalArguments {
    let given = given.clone();
    GlobalArguments {
        project_dir: given.project_dir.or(former.project_dir),
        profiles_dir: given.profiles_dir.or(former.profiles_dir),
        profile: given.profile.or(former.profile),
        target: given.target.or(former.target),
        vars: given.vars.or(former.vars),
        target_path: given.target_path.or(former.target_path),
        threads: given.threads.or(former.threads),
        fail_fast: given.fail_fast.or(former.fail_fast),
        no_fail_fast: given.no_fail_fast || given.fail_fast.is_none() && former.no_fail_fast,
        // dbt does not take these two over either: whether warnings count decides what is retried.
        warn_error: given.warn_error,
        no_warn_error: given.no_warn_error,
        strict: given.strict.or(former.strict),
        version_check: given.version_check.or(former.version_check),
        no_version_check: given.no_version_check || given.version_check.is_none() && former.no_version_check,
        // As in dbt, a run goes on as it began, but the directory may be another one by now.
        defer: DeferArguments { defer_state: given.defer.defer_state.or(former.defer.defer_state), ..former.defer },
        replay: given.replay.or(former.replay),
        record: given.record.or(former.record),
        log_format: given.log_format,
        log_level: given.log_level,
        quiet: given.quiet,
        no_quiet: given.no_quiet,
        debug: given.debug,
        no_debug: given.no_debug,
        use_colors: given.use_colors,
        no_use_colors: given.no_use_colors,
        printer_width: given.printer_width,
        write_json: given.write_json.or(former.write_json),
        no_write_json: given.no_write_json || given.write_json.is_none() && former.no_write_json,
        without_effect: given.without_effect,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::{JournalHead, PreviousResult};
    use serde_json::json;

    fn names(former: &Former) -> Vec<&str> {
        former.left.iter().map(UniqueId::as_str).collect()
    }

    #[test]
    fn a_killed_run_left_what_failed_and_what_it_did_not_come_to() {
        let journal = PreviousJournal {
            head: JournalHead {
                invocation_id: "i".into(),
                started_at: chrono::DateTime::UNIX_EPOCH,
                command: "build".into(),
                arguments: vec!["build".into()],
                selected: ["a", "b", "c", "d"].map(UniqueId::from).to_vec(),
                continues: vec!["h".into()],
            },
            finished: BTreeMap::from([
                ("a".into(), "success".into()),
                ("b".into(), "error".into()),
                ("c".into(), "warn".into()),
            ]),
            batches: BTreeMap::new(),
            interrupted: BTreeSet::from(["b".into()]),
            lost_sessions: vec![],
            restoring: vec![],
        };
        let former = from_journal(journal.clone(), false);
        assert_eq!(
            (names(&former), former.run.invocations.as_slice()),
            (vec!["b", "d"], ["h".to_owned(), "i".to_owned()].as_slice())
        );
        assert_eq!(former.run.interrupted, BTreeSet::from(["b".into(), "d".into()]));
        assert_eq!(names(&from_journal(journal, true)), ["b", "c", "d"]);
    }

    #[test]
    fn the_results_of_dbt_give_command_and_flags() {
        let result = |id: &str, status: &str| PreviousResult {
            unique_id: id.into(),
            status: status.into(),
            batch_results: None,
        };
        let run = PreviousRun {
            invocation_id: None,
            generated_at: None,
            options: json!({"which": "build", "vars": {"a": 1}, "full_refresh": true, "target": "prod"})
                .as_object()
                .cloned()
                .unwrap_or_default(),
            results: vec![result("a", "pass"), result("b", "runtime error")],
        };
        let former = from_results(run, false);
        assert_eq!(names(&former), ["b"]);
        assert_eq!(former.typed, ["build", "--target", "prod", "--vars", r#"{"a":1}"#, "--full-refresh"]);

        let options =
            json!({"which": "clone", "state": "prod", "defer": true, "favor_state": false, "defer_state": "x"});
        let run = PreviousRun {
            invocation_id: None,
            generated_at: None,
            options: options.as_object().cloned().unwrap_or_default(),
            results: vec![result("a", "error")],
        };
        // As in dbt, the directory of `--defer-state` is not taken over.
        assert_eq!(from_results(run, false).typed, ["clone", "--defer", "--state", "prod"]);
    }
}
