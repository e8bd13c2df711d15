//! Which reporter a command has.

use super::arguments::{LogFormat, Verb};
use super::settings::Settings;
use crate::report::{GitHub, Human, HumanOptions, JsonLines, Output, Reporter, TerminalStream};
use crate::secret::Scrubber;
use std::io::{stderr, stdout};
use std::path::PathBuf;
use std::sync::Arc;

/// The reporter of a verb. Verbs that run nodes tell about it on standard output, as dbt does. To the others
/// standard output is for what they were asked for, so that it can be piped; they complain on standard error.
pub(super) fn make(settings: &Settings, verb: &Verb, scrubber: &Scrubber) -> Arc<dyn Reporter> {
    let narrates = matches!(
        verb,
        Verb::Run(_)
            | Verb::Test(_)
            | Verb::Seed(_)
            | Verb::Snapshot(_)
            | Verb::Build(_)
            | Verb::Clone(_)
            | Verb::Retry(_)
            | Verb::Source(_)
            | Verb::RunOperation(_)
    );
    let to_output = || Output::new(Box::new(stdout()), scrubber.clone());
    let to_error = || Output::new(Box::new(stderr()), scrubber.clone());
    let target_path = settings.load.target_path.clone().unwrap_or_else(|| PathBuf::from("target"));
    let human = || {
        let stream = if narrates { TerminalStream::Output } else { TerminalStream::Error };
        let style = if narrates { settings.styles.0 } else { settings.styles.1 };
        let options = HumanOptions {
            style,
            narrates,
            quiet: settings.quiet,
            debug: settings.debug,
            live: settings.live(stream),
            width: settings.width,
            target_path: target_path.clone(),
        };
        Human::new(options, if narrates { to_output() } else { to_error() }, to_output())
    };
    match settings.format {
        LogFormat::Text => Arc::new(human()),
        LogFormat::Json => {
            let origin = settings.origin.clone();
            Arc::new(JsonLines::new(origin, to_output(), settings.debug, settings.quiet, target_path))
        }
        LogFormat::GitHub => {
            let within = settings.project_root.strip_prefix(&settings.working_directory);
            let prefix = within.map(PathBuf::from).unwrap_or_default();
            Arc::new(GitHub::new(human(), to_output(), prefix))
        }
    }
}
