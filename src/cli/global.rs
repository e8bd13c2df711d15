//! The flags that every verb takes, as they are typed.
#![expect(clippy::doc_markdown, reason = "these comments are help texts, shown on terminals as they are")]

use clap::builder::BoolishValueParser;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Flags that every verb takes.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag that was typed or not")]
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Project")]
pub struct GlobalArguments {
    /// The directory of dbt_project.yml [default: the nearest one above the working directory]
    #[arg(long, global = true, value_name = "DIR", env = "DBT_PROJECT_DIR")]
    pub project_dir: Option<PathBuf>,
    /// The directory of profiles.yml [default: the project's, then ~/.dbt]
    #[arg(long, global = true, value_name = "DIR", env = "DBT_PROFILES_DIR")]
    pub profiles_dir: Option<PathBuf>,
    /// The profile to use instead of the one that dbt_project.yml names
    #[arg(long, global = true, value_name = "NAME", env = "DBT_PROFILE")]
    pub profile: Option<String>,
    /// The target within the profile
    #[arg(short, long, global = true, value_name = "NAME", env = "DBT_TARGET")]
    pub target: Option<String>,
    /// Values of project variables, as YAML: '{key: value}'
    #[arg(long, global = true, value_name = "YAML", env = "DBT_VARS")]
    pub vars: Option<String>,
    /// The directory for artifacts and compiled SQL [default: target]
    #[arg(long, global = true, value_name = "DIR", env = "DBT_TARGET_PATH")]
    pub target_path: Option<PathBuf>,

    /// How many nodes to run at a time [default: the target's `threads`, else 1]
    #[arg(long, global = true, value_name = "N", env = "DBT_THREADS", help_heading = "Run", value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: Option<u16>,
    /// Stop everything at the first failure
    #[arg(short = 'x', long, global = true, env = "DBT_FAIL_FAST", help_heading = "Run", num_args = 0, default_missing_value = "true", value_parser = BoolishValueParser::new(), overrides_with = "no_fail_fast")]
    pub fail_fast: Option<bool>,
    /// Go on with what does not depend on a failure (the default)
    #[arg(long, global = true, hide = true, overrides_with = "fail_fast")]
    pub no_fail_fast: bool,
    /// Let every warning count as an error
    #[arg(long, global = true, env = "DBT_WARN_ERROR", help_heading = "Run", num_args = 0, default_missing_value = "true", value_parser = BoolishValueParser::new(), overrides_with = "no_warn_error")]
    pub warn_error: Option<bool>,
    /// Let warnings be warnings (the default)
    #[arg(long, global = true, hide = true, overrides_with = "warn_error")]
    pub no_warn_error: bool,
    /// Let doubtful things in the project count as errors: broken layers, configs that match nothing, …
    #[arg(long, global = true, env = "STRATA_STRICT", help_heading = "Run", num_args = 0, default_missing_value = "true", value_parser = BoolishValueParser::new())]
    pub strict: Option<bool>,
    /// Let deps leave out packages that ask for another version of dbt (the default)
    #[arg(long, global = true, hide = true, env = "DBT_VERSION_CHECK", num_args = 0, default_missing_value = "true", value_parser = BoolishValueParser::new(), overrides_with = "no_version_check")]
    pub version_check: Option<bool>,
    /// Let deps take packages of the hub that ask for another version of dbt
    #[arg(long, global = true, help_heading = "Project", overrides_with = "version_check")]
    pub no_version_check: bool,
    /// Read sources from a recording instead of calling them
    #[arg(long, global = true, value_name = "DIR", help_heading = "Run", conflicts_with = "record")]
    pub replay: Option<PathBuf>,
    /// Keep what sources answer, for --replay
    #[arg(long, global = true, value_name = "DIR", help_heading = "Run")]
    pub record: Option<PathBuf>,

    /// How progress is told
    #[arg(long, global = true, value_enum, env = "DBT_LOG_FORMAT", help_heading = "Output")]
    pub log_format: Option<LogFormat>,
    /// Tell only errors, and what macros print
    #[arg(short, long, global = true, env = "DBT_QUIET", help_heading = "Output", num_args = 0, default_missing_value = "true", value_parser = BoolishValueParser::new(), overrides_with = "no_quiet")]
    pub quiet: Option<bool>,
    /// Tell everything (the default)
    #[arg(long, global = true, hide = true, overrides_with = "quiet")]
    pub no_quiet: bool,
    /// Tell every statement that is sent to the warehouse
    #[arg(short, long, global = true, env = "DBT_DEBUG", help_heading = "Output", num_args = 0, default_missing_value = "true", value_parser = BoolishValueParser::new(), overrides_with = "no_debug")]
    pub debug: Option<bool>,
    /// Do not tell every statement (the default)
    #[arg(long, global = true, hide = true, overrides_with = "debug")]
    pub no_debug: bool,
    /// debug is --debug; warn, error and none are --quiet
    #[arg(long, global = true, value_enum, env = "DBT_LOG_LEVEL", hide = true)]
    pub log_level: Option<LogLevel>,
    /// Colours, also where the output is no terminal [default: on a terminal, unless NO_COLOR is set]
    #[arg(long, global = true, env = "DBT_USE_COLORS", help_heading = "Output", num_args = 0, default_missing_value = "true", value_parser = BoolishValueParser::new(), overrides_with = "no_use_colors")]
    pub use_colors: Option<bool>,
    /// No colours
    #[arg(long, visible_alias = "no-color", global = true, help_heading = "Output", overrides_with = "use_colors")]
    pub no_use_colors: bool,
    /// The width of progress lines
    #[arg(long, global = true, value_name = "N", env = "DBT_PRINTER_WIDTH", hide = true)]
    pub printer_width: Option<usize>,
    /// Write manifest.json and run_results.json (the default)
    #[arg(long, global = true, hide = true, env = "DBT_WRITE_JSON", num_args = 0, default_missing_value = "true", value_parser = BoolishValueParser::new(), overrides_with = "no_write_json")]
    pub write_json: Option<bool>,
    /// Write no manifest.json and run_results.json
    #[arg(long, global = true, help_heading = "Output", overrides_with = "write_json")]
    pub no_write_json: bool,

    /// Whether references are deferred to another environment.
    #[command(flatten)]
    pub defer: DeferArguments,

    /// Flags of dbt that have nothing to switch.
    #[command(flatten)]
    pub without_effect: FlagsWithoutEffect,
}

/// `--defer` and what goes with it. As in dbt every verb takes it, and it means something to those that compile.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Other environment")]
pub struct DeferArguments {
    /// Let ref() mean the relation in the manifest of --state where there is none here
    #[arg(long, global = true, env = "DBT_DEFER", num_args = 0, default_missing_value = "true", value_parser = BoolishValueParser::new(), overrides_with = "no_defer")]
    pub defer: Option<bool>,
    /// Let ref() mean this environment's relations alone (the default)
    #[arg(long, global = true, hide = true, overrides_with = "defer")]
    pub no_defer: bool,
    /// The directory of the manifest for --defer and clone, if it is not that of --state
    #[arg(long, global = true, env = "DBT_DEFER_STATE", value_name = "DIR")]
    pub defer_state: Option<PathBuf>,
    /// With --defer, take what is not selected from there even where it exists here
    #[arg(long, global = true, env = "DBT_FAVOR_STATE", num_args = 0, default_missing_value = "true", value_parser = BoolishValueParser::new(), overrides_with = "no_favor_state")]
    pub favor_state: Option<bool>,
    /// With --defer, take what exists here from here (the default)
    #[arg(long, global = true, hide = true, overrides_with = "favor_state")]
    pub no_favor_state: bool,
}

/// Flags of dbt that scripts give and that switch nothing here, by design: strata keeps no parse cache, sends no
/// statistics, checks for no new version, lists what exists by itself and writes no log file.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag that was typed or not")]
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Without effect (strata keeps no parse cache, sends nothing, looks for no updates)")]
pub struct FlagsWithoutEffect {
    /// There is no parse cache
    #[arg(long, global = true)]
    no_partial_parse: bool,
    /// There is no parse cache
    #[arg(long, global = true, hide = true)]
    partial_parse: bool,
    /// Nothing is ever sent
    #[arg(long, global = true)]
    no_send_anonymous_usage_stats: bool,
    /// Nothing is ever sent
    #[arg(long, global = true, hide = true)]
    send_anonymous_usage_stats: bool,
    /// There is one parser
    #[arg(long, global = true, hide = true)]
    static_parser: bool,
    /// There is one parser
    #[arg(long, global = true, hide = true)]
    no_static_parser: bool,
    /// What exists is listed when it is needed
    #[arg(long, global = true, hide = true)]
    populate_cache: bool,
    /// What exists is listed when it is needed
    #[arg(long, global = true, hide = true)]
    no_populate_cache: bool,
    /// What exists is listed when it is needed
    #[arg(long, global = true, hide = true)]
    cache_selected_only: bool,
    /// What exists is listed when it is needed
    #[arg(long, global = true, hide = true)]
    no_cache_selected_only: bool,
    /// No log file is written
    #[arg(long, global = true, hide = true, value_name = "DIR")]
    log_path: Option<PathBuf>,
    /// No log file is written
    #[arg(long, global = true, hide = true, value_name = "LEVEL")]
    log_level_file: Option<String>,
    /// No log file is written
    #[arg(long, global = true, hide = true, value_name = "FORMAT")]
    log_format_file: Option<String>,
    /// No log file is written
    #[arg(long, global = true, hide = true, value_name = "N")]
    log_file_max_bytes: Option<u64>,
    /// No log file is written
    #[arg(long, global = true, hide = true)]
    use_colors_file: bool,
    /// No log file is written
    #[arg(long, global = true, hide = true)]
    no_use_colors_file: bool,
}

/// How progress is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people
    #[value(alias = "default")]
    Text,
    /// For programs: one JSON object a line, in dbt's envelope
    Json,
    /// For GitHub Actions: text, and annotations at the places of findings
    #[value(name = "github")]
    GitHub,
}

/// dbt's `--log-level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// As with `--debug`.
    Debug,
    /// As without flags.
    Info,
    /// As with `--quiet`.
    Warn,
    /// As with `--quiet`.
    Error,
    /// As with `--quiet`.
    None,
}
