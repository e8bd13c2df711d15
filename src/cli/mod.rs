//! The command line: what was typed, what it means, and one file a verb.

pub mod arguments;
mod clean;
mod compile;
mod crash;
mod debug;
mod deferral;
mod deps;
mod diff;
mod docs;
mod execute;
mod freshness;
mod global;
mod init;
mod interrupt;
mod list;
mod operation;
mod parse;
mod render;
mod reporter;
mod retry;
mod running;
mod scd2;
mod selection;
pub mod settings;
mod show;
mod unbuilt;
mod warehouse;
mod workspace;

use crate::diagnostic::{Diagnostics, Result, Style, render};
use crate::report::Reporter;
use crate::run::event::Emit;
use crate::run::scheduler::CancelFlag;
use crate::secret::Scrubber;
use arguments::{Arguments, DocsVerb, Scd2Verb, SourceVerb, Verb};
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
    /// What surrounds the process.
    pub surroundings: Surroundings,
}

impl Context {
    /// Where events go that nothing but the reporter needs to hear.
    fn emit(&self) -> Emit {
        let reporter = Arc::clone(&self.reporter);
        Arc::new(move |event| reporter.hear(&event))
    }
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
    ExitCode::from(carry_out(&arguments, settings, surroundings))
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

fn carry_out(arguments: &Arguments, settings: Settings, surroundings: Surroundings) -> u8 {
    let scrubber = Scrubber::default();
    let reporter = reporter::make(&settings, &arguments.verb, &scrubber);
    let context = Context { settings, reporter, scrubber, cancel: Arc::default(), surroundings };
    let name = arguments.verb.name();
    context.reporter.began(name);
    let outcome = dispatch(&context, arguments);
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

fn dispatch(context: &Context, arguments: &Arguments) -> Result<Outcome> {
    match &arguments.verb {
        Verb::Init(given) => init::init(context, given),
        Verb::Debug(given) => debug::debug(context, given),
        Verb::Parse => parse::parse(context),
        Verb::Ls(given) => list::list(context, given),
        Verb::Compile(given) => compile::compile(context, given),
        Verb::Render(given) => render::render(context, given),
        Verb::Show(given) => show::show(context, given),
        Verb::Diff(given) => diff::diff(context, given),
        Verb::Retry(given) => retry::retry(context, arguments, given),
        Verb::Deps(given) => deps::deps(context, given),
        Verb::Clean => clean::clean(context),
        Verb::Scd2(Scd2Verb::Check { model }) => scd2::check(context, model),
        Verb::Source(SourceVerb::Freshness(given)) => freshness::freshness(context, given),
        Verb::Docs(DocsVerb::Generate(given)) => docs::generate(context, given),
        Verb::RunOperation(given) => operation::run_operation(context, given),
        Verb::Run(_) | Verb::Test(_) | Verb::Seed(_) | Verb::Snapshot(_) | Verb::Build(_) | Verb::Clone(_) => {
            execute::execute(context, &execute::Request::of(context, arguments)?)
        }
    }
}
