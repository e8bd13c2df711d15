//! The command line: what was typed, what it means, and one file a verb.

pub mod arguments;
mod clean;
mod crash;
mod debug;
mod init;
mod list;
mod parse;
mod reporter;
pub mod settings;
mod unbuilt;
mod workspace;

use crate::diagnostic::{Diagnostics, Result, Style, render};
use crate::report::Reporter;
use crate::run::scheduler::CancelFlag;
use crate::secret::Scrubber;
use arguments::{Arguments, Verb};
use settings::{Settings, Surroundings};
use std::process::ExitCode;
use std::sync::Arc;

/// How a command ended that could do its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All is well: exit code 0.
    Success,
    /// A node failed, or a check found something: exit code 1.
    Failure,
    /// Stopped from outside: exit code 130.
    Interrupted,
}

/// The exit code of what could not be understood: the command line, the project, its configuration.
const UNUSABLE: u8 = 2;

impl Outcome {
    fn exit_code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failure => 1,
            Self::Interrupted => 130,
        }
    }
}

/// What every verb gets.
pub struct Context {
    /// The settled options.
    pub settings: Settings,
    /// Where everything is told.
    pub reporter: Arc<dyn Reporter>,
    /// What hides secrets; verbs make the project's known to it.
    pub scrubber: Scrubber,
    /// Set by Ctrl-C.
    pub cancel: Arc<CancelFlag>,
}

/// The whole program.
pub fn main() -> ExitCode {
    let surroundings = Surroundings::read();
    crash::install();
    let variables = Arc::clone(&surroundings.environment.variables);
    let variable = move |name: &str| variables.get(name).cloned();
    let arguments = match arguments::parse(std::env::args_os(), &variable) {
        Ok(arguments) => arguments,
        Err(error) => return refuse(&error, &surroundings),
    };
    let unbuilt: Diagnostics = unbuilt::variables(&variable).into_iter().collect();
    let typed = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let settings = match Settings::resolve(&arguments, typed, &surroundings) {
        Ok(settings) if unbuilt.is_empty() => settings,
        Ok(_) => return complain(&unbuilt, &surroundings),
        Err(found) => return complain(&found, &surroundings),
    };
    ExitCode::from(carry_out(&arguments, settings))
}

/// Says what is wrong with a command line.
fn refuse(error: &clap::Error, surroundings: &Surroundings) -> ExitCode {
    if let Some(found) = unbuilt::explain(error) {
        return complain(&found.into(), surroundings);
    }
    // Help and versions are errors to clap too; where they cannot be written, nobody reads them.
    let _ = error.print();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(UNUSABLE))
}

/// Says what is wrong before there is a reporter.
#[expect(clippy::print_stderr, reason = "there is no reporter yet")]
fn complain(found: &Diagnostics, surroundings: &Surroundings) -> ExitCode {
    let wanted = surroundings.terminals.1 && surroundings.environment.get("NO_COLOR").is_none();
    let style = if wanted { Style::Coloured } else { Style::Plain };
    for diagnostic in found {
        eprintln!("{}\n", render(diagnostic, style));
    }
    ExitCode::from(UNUSABLE)
}

fn carry_out(arguments: &Arguments, settings: Settings) -> u8 {
    let scrubber = Scrubber::default();
    let reporter = reporter::make(&settings, &arguments.verb, &scrubber);
    let context = Context { settings, reporter, scrubber, cancel: Arc::default() };
    let name = arguments.verb.name();
    context.reporter.began(name);
    let outcome = dispatch(&context, &arguments.verb);
    let code = match &outcome {
        Ok(outcome) => outcome.exit_code(),
        Err(found) => {
            context.reporter.found(found);
            UNUSABLE
        }
    };
    context.reporter.ended(name, code == 0);
    code
}

fn dispatch(context: &Context, verb: &Verb) -> Result<Outcome> {
    match verb {
        Verb::Init(arguments) => init::init(context, arguments),
        Verb::Debug(arguments) => debug::debug(context, arguments),
        Verb::Clean => clean::clean(context),
        Verb::Parse => parse::parse(context),
        Verb::Ls(arguments) => list::list(context, arguments),
        other => Err(crate::diagnostic::Diagnostic::error(
            crate::diagnostic::Code::NotSupported,
            format!("`strata {}` is not built yet", other.name()),
        )
        .into()),
    }
}
