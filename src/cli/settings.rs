//! What was meant: every option resolved once, from what was typed, the environment, `flags:` of `dbt_project.yml`
//! and defaults, in this order. The only place that reads the environment and the clock.

use super::arguments::{Arguments, DeferArguments, GlobalArguments, LogFormat, LogLevel};
use crate::compile::Deferral;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Result, SourceFile, Style};
use crate::project::{Environment, LoadOptions, yaml};
use crate::report::{Origin, TerminalStream};
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Every option that does not belong to one verb alone.
#[expect(clippy::struct_excessive_bools, reason = "each is an option that is on or off")]
#[derive(Debug, Clone)]
pub struct Settings {
    /// The directory of `dbt_project.yml`; the working directory where there is none to be found.
    pub project_root: PathBuf,
    /// The working directory, for paths in messages.
    pub working_directory: PathBuf,
    /// Where the system keeps temporary files.
    pub temporary_directory: PathBuf,
    /// Which project to load, and how.
    pub load: LoadOptions,
    /// `--threads`.
    pub threads: Option<usize>,
    /// Whether the first failure stops the rest.
    pub fail_fast: bool,
    /// Whether warnings count as errors.
    pub warn_error: bool,
    /// Whether what is doubtful in the project counts as an error.
    pub strict: bool,
    /// Whether packages that ask for another version of dbt are left out.
    pub version_check: bool,
    /// `--full-refresh` of `flags:`; verbs that have the flag ask [`Settings::full_refresh`].
    flags: Map<String, Json>,
    /// How progress is told.
    pub format: LogFormat,
    /// Whether only errors are told.
    pub quiet: bool,
    /// Whether statements are told.
    pub debug: bool,
    /// Colours on standard output and standard error.
    pub styles: (Style, Style),
    /// Which of the two is a terminal that can be drawn on.
    pub terminals: (bool, bool),
    /// The width of progress lines.
    pub width: usize,
    /// Whether artifacts are written.
    pub write_json: bool,
    /// `--favor-state`, which means something with `--defer` only.
    pub favor_state: bool,
    /// Which references are deferred to another environment.
    pub deferral: Option<Deferral>,
    /// The directory of that environment's manifest, if it is not that of `--state`; relative to the project.
    pub defer_state: Option<PathBuf>,
    /// Where sources are read from instead of being called.
    pub replay: Option<PathBuf>,
    /// Where what sources answer is kept.
    pub record: Option<PathBuf>,
    /// What was typed after the program's name.
    pub typed: Vec<String>,
    /// The call of the program.
    pub origin: Origin,
}

/// What surrounds the process, read once at its start.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// Environment, home directory and clock.
    pub environment: Arc<Environment>,
    /// The working directory.
    pub working_directory: PathBuf,
    /// Where the system keeps temporary files.
    pub temporary_directory: PathBuf,
    /// Whether standard output and standard error are terminals.
    pub terminals: (bool, bool),
    /// The call of the program.
    pub origin: Origin,
}

impl Surroundings {
    /// Reads environment, clock, working directory and streams.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads environment and clock")]
    pub fn read() -> Self {
        let lossy = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        let variables: BTreeMap<String, String> =
            std::env::vars_os().map(|(name, value)| (lossy(name), lossy(value))).collect();
        let now = chrono::Utc::now();
        let environment = Environment { variables: Arc::new(variables), home: std::env::home_dir(), now };
        Self {
            environment: Arc::new(environment),
            working_directory: std::env::current_dir().unwrap_or_else(|_| PathBuf::from(".")),
            temporary_directory: std::env::temp_dir(),
            terminals: (std::io::stdout().is_terminal(), std::io::stderr().is_terminal()),
            origin: Origin {
                invocation_id: uuid::Uuid::new_v4().to_string(),
                started_at: now,
                started: std::time::Instant::now(),
                process_id: std::process::id(),
            },
        }
    }
}

impl Settings {
    /// Settles what a command line means.
    pub fn resolve(arguments: &Arguments, typed: Vec<String>, surroundings: &Surroundings) -> Result<Self> {
        let global = &arguments.global;
        let environment = &surroundings.environment;
        let project_root = project_root(global, &surroundings.working_directory);
        let flags = project_flags(&project_root);
        let flag = |name: &str| flags.get(name).and_then(Json::as_bool);
        let mut found = Diagnostics::new();
        let variables = found.keep(variables(global.vars.as_deref()));
        if found.has_errors() {
            return Err(found);
        }
        let either = |no: bool, yes: Option<bool>, name: &str| if no { Some(false) } else { yes.or(flag(name)) };
        let quiet_level = matches!(global.log_level, Some(LogLevel::Warn | LogLevel::Error | LogLevel::None));
        let debug_level = global.log_level == Some(LogLevel::Debug);
        let DeferArguments { defer, no_defer, favor_state, no_favor_state, .. } = global.defer;
        let defer = !no_defer && defer.unwrap_or(false);
        let favor_state = !no_favor_state && favor_state.unwrap_or(false);
        let colours = either(global.no_use_colors, global.use_colors, "use_colors");
        Ok(Self {
            load: LoadOptions {
                profiles_dir: global.profiles_dir.as_deref().map(|path| surroundings.working_directory.join(path)),
                profile: global.profile.clone(),
                target: global.target.clone(),
                variables: variables.unwrap_or_default(),
                // As in dbt, a relative target path lies in the project.
                target_path: global.target_path.clone(),
                environment: Arc::clone(environment),
            },
            project_root,
            working_directory: surroundings.working_directory.clone(),
            temporary_directory: surroundings.temporary_directory.clone(),
            threads: global.threads.map(usize::from),
            fail_fast: either(global.no_fail_fast, global.fail_fast, "fail_fast").unwrap_or(false),
            warn_error: either(global.no_warn_error, global.warn_error, "warn_error").unwrap_or(false),
            strict: global.strict.or(flag("strict")).unwrap_or(false),
            version_check: either(global.no_version_check, global.version_check, "version_check").unwrap_or(true),
            format: global.log_format.or_else(|| named_format(&flags)).unwrap_or(LogFormat::Text),
            quiet: either(global.no_quiet, global.quiet, "quiet").unwrap_or(quiet_level),
            debug: either(global.no_debug, global.debug, "debug").unwrap_or(debug_level),
            styles: (
                style(colours, environment, surroundings.terminals.0),
                style(colours, environment, surroundings.terminals.1),
            ),
            terminals: (
                can_draw(environment, surroundings.terminals.0),
                can_draw(environment, surroundings.terminals.1),
            ),
            width: global.printer_width.or_else(|| number(&flags, "printer_width")).unwrap_or(80),
            write_json: either(global.no_write_json, global.write_json, "write_json").unwrap_or(true),
            favor_state,
            deferral: defer.then_some(if favor_state { Deferral::Unselected } else { Deferral::Missing }),
            defer_state: global.defer.defer_state.clone(),
            replay: global.replay.as_deref().map(|path| surroundings.working_directory.join(path)),
            record: global.record.as_deref().map(|path| surroundings.working_directory.join(path)),
            typed,
            origin: surroundings.origin.clone(),
            flags,
        })
    }

    /// Whether a verb with `--full-refresh` builds anew; none where the models' own configs decide.
    pub fn full_refresh(&self, given: &super::arguments::FullRefresh) -> bool {
        if given.no_full_refresh {
            return false;
        }
        given.full_refresh.or(self.flags.get("full_refresh").and_then(Json::as_bool)).unwrap_or(false)
    }

    /// The mode of `--indirect-selection`.
    pub fn indirect_selection(&self, given: Option<super::arguments::IndirectSelection>) -> String {
        let configured = || self.flags.get("indirect_selection").and_then(Json::as_str);
        given.map(super::arguments::IndirectSelection::as_str).or_else(configured).unwrap_or("eager").to_owned()
    }

    /// The stream that running nodes are drawn on, where one can be drawn on.
    pub fn live(&self, stream: TerminalStream) -> Option<TerminalStream> {
        let terminal = match stream {
            TerminalStream::Output => self.terminals.0,
            TerminalStream::Error => self.terminals.1,
        };
        (terminal && !self.debug && !self.quiet).then_some(stream)
    }

    /// What `args` in `run_results.json` says of these settings.
    pub fn as_options(&self, verb: &str) -> Map<String, Json> {
        let options = json!({
            "which": verb,
            "invocation_command": format!("strata {}", self.typed.join(" ")),
            "project_dir": self.project_root,
            "profiles_dir": self.load.profiles_dir,
            "profile": self.load.profile,
            "target": self.load.target,
            "vars": self.load.variables,
            "threads": self.threads,
            "fail_fast": self.fail_fast,
            "warn_error": self.warn_error,
            "strict": self.strict,
            "quiet": self.quiet,
            "write_json": self.write_json,
            "defer": self.deferral.is_some(),
            "favor_state": self.favor_state,
            "defer_state": self.defer_state,
        });
        match options {
            Json::Object(map) => map,
            _ => Map::new(),
        }
    }
}

/// The given directory, else the nearest one upwards that has a project, else the working directory.
fn project_root(global: &GlobalArguments, working_directory: &Path) -> PathBuf {
    if let Some(given) = &global.project_dir {
        return working_directory.join(given);
    }
    let has_project = |directory: &&Path| directory.join("dbt_project.yml").is_file();
    working_directory.ancestors().find(has_project).unwrap_or(working_directory).to_path_buf()
}

/// The `flags:` of the project. What is wrong with the file is told when the project is loaded.
fn project_flags(root: &Path) -> Map<String, Json> {
    let Ok(text) = std::fs::read_to_string(root.join("dbt_project.yml")) else { return Map::new() };
    let Ok((tree, _)) = yaml::parse(&SourceFile::new("dbt_project.yml", text)) else { return Map::new() };
    tree.get("flags").map(yaml::Yaml::to_json_map).unwrap_or_default()
}

fn named_format(flags: &Map<String, Json>) -> Option<LogFormat> {
    use clap::ValueEnum;
    LogFormat::from_str(flags.get("log_format")?.as_str()?, true).ok()
}

fn number(flags: &Map<String, Json>, name: &str) -> Option<usize> {
    usize::try_from(flags.get(name)?.as_u64()?).ok()
}

fn variables(given: Option<&str>) -> Result<Map<String, Json>> {
    mapping("--vars", given)
}

/// The keys and values of a flag that takes YAML; none where it was not given.
pub(super) fn mapping(flag: &str, given: Option<&str>) -> Result<Map<String, Json>> {
    let Some(text) = given.filter(|text| !text.trim().is_empty()) else { return Ok(Map::new()) };
    let tree = yaml::parse_text(text, flag)?;
    if tree.as_mapping().is_none() {
        return Err(Diagnostic::error(Code::Usage, format!("{flag} must be keys and values, not {}", tree.kind()))
            .at(tree.span.clone(), "")
            .help(format!("write it as YAML: {flag} '{{key: value}}'"))
            .into());
    }
    Ok(tree.to_json_map())
}

fn style(asked: Option<bool>, environment: &Environment, terminal: bool) -> Style {
    let wanted = || terminal && environment.get("NO_COLOR").is_none() && environment.get("TERM") != Some("dumb");
    if asked.unwrap_or_else(wanted) { Style::Coloured } else { Style::Plain }
}

fn can_draw(environment: &Environment, terminal: bool) -> bool {
    terminal && environment.get("TERM") != Some("dumb") && environment.get("CI").is_none()
}

#[cfg(test)]
mod tests {
    use super::super::arguments;
    use super::*;
    use std::time::Instant;

    fn settings(words: &[&str], variables: &[(&str, &str)], project: &str) -> Result<Settings> {
        let directory = tempfile::tempdir().expect("a temporary directory");
        std::fs::write(directory.path().join("dbt_project.yml"), project).expect("written");
        std::fs::create_dir_all(directory.path().join("models/deep")).expect("made");
        let variables: BTreeMap<String, String> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let now = chrono::DateTime::UNIX_EPOCH;
        let surroundings = Surroundings {
            environment: Arc::new(Environment { variables: Arc::new(variables), home: None, now }),
            working_directory: directory.path().join("models/deep"),
            temporary_directory: directory.path().to_path_buf(),
            terminals: (true, false),
            origin: Origin { invocation_id: "i".into(), started_at: now, started: Instant::now(), process_id: 1 },
        };
        let arguments =
            arguments::parse(words.iter().map(Into::into), &|_| None).expect("a command line that is understood");
        let settings = Settings::resolve(&arguments, vec![], &surroundings)?;
        assert_eq!(settings.project_root, directory.path(), "the nearest project upwards");
        Ok(settings)
    }

    #[test]
    fn the_command_line_wins_over_the_project_which_wins_over_defaults() {
        let project = "name: shop\nflags:\n  fail_fast: true\n  warn_error: yes\n  indirect_selection: cautious\n  use_colors: false\n";
        let settings = settings(&["strata", "run", "--no-fail-fast", "--threads", "3"], &[], project).expect("fine");
        assert!(!settings.fail_fast);
        assert!(settings.warn_error);
        assert!(settings.write_json);
        assert_eq!(settings.threads, Some(3));
        assert_eq!(settings.indirect_selection(None), "cautious");
        assert_eq!(settings.styles, (Style::Plain, Style::Plain));
    }

    #[test]
    fn the_last_of_two_contrary_flags_wins() {
        let fail_fast = |words: &[&str]| settings(words, &[], "name: shop").expect("fine").fail_fast;
        assert!(fail_fast(&["strata", "-x", "run"]));
        assert!(fail_fast(&["strata", "run", "--no-fail-fast", "--fail-fast"]));
        assert!(!fail_fast(&["strata", "run", "--fail-fast", "--no-fail-fast"]));
    }

    #[test]
    fn colours_only_on_a_terminal_that_wants_them() {
        let styles =
            |words: &[&str], variables: &[(&str, &str)]| settings(words, variables, "name: shop").expect("fine").styles;
        assert_eq!(styles(&["strata", "run"], &[]), (Style::Coloured, Style::Plain));
        assert_eq!(styles(&["strata", "run"], &[("NO_COLOR", "1")]), (Style::Plain, Style::Plain));
        assert_eq!(styles(&["strata", "run", "--use-colors"], &[]), (Style::Coloured, Style::Coloured));
        assert_eq!(styles(&["strata", "run", "--no-color"], &[]), (Style::Plain, Style::Plain));
    }

    #[test]
    fn variables_are_yaml() {
        let given = |text: &str| settings(&["strata", "run", "--vars", text], &[], "name: shop");
        assert_eq!(given("{a: 1, b: [x]}").expect("fine").load.variables["b"], json!(["x"]));
        let refused = given("just words").expect_err("no keys");
        assert!(refused.iter().all(|found| found.message().starts_with("--vars must be keys and values")));
        assert!(given("{a: ").is_err());
    }
}
