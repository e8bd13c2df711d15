//! What dbt has and this version of strata has not: asked for, it is an error that says so, never ignored.

use crate::diagnostic::{Code, Diagnostic};
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Commands of dbt, and what does their work here if anything does.
const COMMANDS: &[(&str, Option<&str>)] = &[
    ("docs serve", Some("`strata docs generate` writes manifest.json and catalog.json, which other tools show")),
    ("freshness", Some("`strata source freshness`")),
    ("snapshot-freshness", Some("`strata source freshness`")),
    ("lint", None),
    ("format", None),
    ("fmt", None),
    ("check", None),
    ("sync", None),
    ("man", None),
    ("login", None),
    ("system", None),
    ("completions", None),
];

/// Flags of dbt, and what does their work here if anything does.
const FLAGS: &[(&str, Option<&str>)] = &[
    ("--empty", Some("`strata compile` checks the SQL without running it")),
    ("--sample", None),
    ("--warn-error-options", Some("use --warn-error, or --strict for what is doubtful in the project")),
    ("--macro-debugging", None),
    ("--record-timing-info", None),
    ("--log-cache-events", Some("--debug shows every statement")),
    ("--print", None),
    ("--no-print", None),
    ("--show", Some("`strata show -s NAME` shows the rows of a seed")),
    ("--show-all-deprecations", None),
    ("--single-threaded", Some("use --threads 1")),
    ("--use-experimental-parser", None),
    ("--export-saved-queries", None),
    ("--include-saved-query", None),
    ("--dry-run", Some("`strata ls` shows what would run, `strata compile` its SQL")),
    ("--static-analysis", None),
    ("--no-inject-ephemeral-ctes", None),
    ("--parse-only", Some("use `strata parse`")),
    ("--config-dir", Some("`strata debug` shows where profiles.yml was found")),
    ("--no-clean-project-files-only", Some("strata never removes anything outside the project")),
    ("--write-catalog", Some("`strata docs generate` writes it")),
    ("--static", Some("`strata docs generate` writes manifest.json and catalog.json, and no page")),
    ("--write-index", None),
];

/// Environment variables that switch on what is not built.
const VARIABLES: &[(&str, Option<&str>)] = &[
    ("DBT_EMPTY", None),
    ("DBT_SAMPLE", None),
    ("DBT_WARN_ERROR_OPTIONS", None),
    ("DBT_DEFER_TO_STATE", Some("its name is DBT_DEFER now")),
    ("DBT_FAVOR_STATE_MODE", Some("its name is DBT_FAVOR_STATE now")),
    ("DBT_ARTIFACT_STATE_PATH", Some("its name is DBT_STATE now")),
];

/// What to say where clap does not know a command or flag that dbt has.
pub(super) fn explain(error: &clap::Error) -> Option<Diagnostic> {
    let context = match error.kind() {
        ErrorKind::InvalidSubcommand => ContextKind::InvalidSubcommand,
        ErrorKind::UnknownArgument => ContextKind::InvalidArg,
        _ => return None,
    };
    let Some(ContextValue::String(given)) = error.get(context) else { return None };
    let known = if error.kind() == ErrorKind::InvalidSubcommand { COMMANDS } else { FLAGS };
    let (name, instead) = known.iter().find(|(name, _)| name.rsplit(' ').next() == Some(given))?;
    let shown = if name.starts_with('-') { (*name).to_owned() } else { format!("strata {name}") };
    Some(not_built(&shown, *instead))
}

/// Environment variables that ask for what is not built.
pub(super) fn variables(variable: &dyn Fn(&str) -> Option<String>) -> Vec<Diagnostic> {
    let asks = |(name, _): &&(&str, Option<&str>)| {
        let value = variable(name).unwrap_or_default();
        !matches!(value.to_lowercase().as_str(), "" | "0" | "false" | "no" | "f" | "n" | "{}")
    };
    let found = VARIABLES.iter().filter(asks);
    found.map(|(name, instead)| not_built(&format!("the environment variable {name}"), *instead)).collect()
}

fn not_built(what: &str, instead: Option<&str>) -> Diagnostic {
    let found = Diagnostic::error(
        Code::NotSupported,
        format!("`{what}` is part of dbt, but not built in this version of strata")
            .replace("`the environment variable ", "the environment variable `"),
    );
    match instead {
        Some(instead) => found.help(instead),
        None => found.help("`strata --help` lists what there is"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::arguments;

    fn explained(words: &[&str]) -> Option<String> {
        let error = arguments::parse(words.iter().map(Into::into), &|_| None).expect_err("not a known command line");
        explain(&error).map(|found| found.message().to_owned())
    }

    #[test]
    fn commands_and_flags_of_dbt_are_named() {
        assert!(
            explained(&["strata", "docs", "serve"]).expect("known").starts_with("`strata docs serve` is part of dbt")
        );
        assert!(explained(&["strata", "run", "--empty"]).expect("known").starts_with("`--empty`"));
        assert!(explained(&["strata", "run", "--sample=3 days"]).expect("known").starts_with("`--sample`"));
        assert_eq!(explained(&["strata", "rnu"]), None);
        assert_eq!(explained(&["strata", "run", "--selct"]), None);
    }

    #[test]
    fn no_name_is_both_built_and_unbuilt() {
        use clap::CommandFactory;
        let command = arguments::Arguments::command();
        let verbs: Vec<&str> =
            command.get_subcommands().flat_map(clap::Command::get_name_and_visible_aliases).collect();
        for (name, _) in COMMANDS {
            assert!(!verbs.contains(name), "{name}");
        }
        let all = command.get_subcommands().flat_map(clap::Command::get_arguments).chain(command.get_arguments());
        let flags: Vec<String> = all.filter_map(|flag| flag.get_long()).map(|flag| format!("--{flag}")).collect();
        for (name, _) in FLAGS {
            assert!(!flags.contains(&(*name).to_owned()), "{name}");
        }
    }

    #[test]
    fn variables_that_ask_for_nothing_are_fine() {
        let value = |name: &str| match name {
            "DBT_SAMPLE" => Some("False".to_owned()),
            "DBT_EMPTY" => Some("1".to_owned()),
            _ => None,
        };
        let found = variables(&value);
        assert_eq!(found.len(), 1);
        assert!(found[0].message().starts_with("the environment variable `DBT_EMPTY`"));
    }
}
