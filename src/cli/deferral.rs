//! The other environment, of which `--defer` and `clone` read where nodes live in it.

use super::Context;
use super::workspace::{VerbFlags, Workspace};
use crate::artifact::{defer_relations, read_manifest};
use crate::compile::Deferral;
use crate::diagnostic::{Code, Diagnostic, Result};
use serde_json::Value as Json;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// A former manifest that was read before it is known whether the selection needs it too.
#[derive(Debug, Default)]
pub(super) struct FormerManifest(Mutex<Option<(PathBuf, Json)>>);

impl FormerManifest {
    fn keep(&self, directory: PathBuf, manifest: Json) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((directory, manifest));
    }

    /// The manifest of a directory, which is not kept any longer; none where there is none.
    pub(super) fn take_or_read(&self, directory: &Path) -> Result<Option<Json>, Diagnostic> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        match kept.filter(|(path, _)| path == directory) {
            Some((_, manifest)) => Ok(Some(manifest)),
            None => read_manifest(directory),
        }
    }
}

impl Workspace {
    /// Reads the project of the settings, and what it needs to know of the environment that references are deferred to.
    pub(super) fn open_deferring(context: &Context, verb: &str, flags: VerbFlags) -> Result<Self> {
        let state = flags.state.clone();
        Self::open(context, verb, flags)?.deferring(context, state.as_deref())
    }

    /// The same, knowing the other environment if references are to be deferred to it. `state` is `--state`.
    pub(super) fn deferring(self, context: &Context, state: Option<&Path>) -> Result<Self> {
        match context.settings.deferral {
            Some(deferral) => Ok(Self { deferral: Some(deferral), ..self.beside(context, state, "--defer")? }),
            None => Ok(self),
        }
    }

    /// The same, knowing where nodes live in the environment whose manifest `--defer-state` or `--state` names; `what`
    /// needs it.
    pub(super) fn beside(mut self, context: &Context, state: Option<&Path>, what: &str) -> Result<Self> {
        let settings = &context.settings;
        let (flag, given) = match (settings.defer_state.as_deref(), state) {
            (Some(given), _) => ("--defer-state", given),
            (None, Some(given)) => ("--state", given),
            (None, None) => {
                let message = format!("`{what}` needs the manifest of the other environment");
                return Err(Diagnostic::error(Code::Usage, message)
                    .help("name the directory that has its manifest.json with --state or --defer-state")
                    .into());
            }
        };
        // As in dbt, the directory is looked for in the project.
        let directory = settings.project_root.join(given);
        let Some(manifest) = self.former.take_or_read(&directory)? else {
            let message = format!("{flag} {}: there is no manifest.json", given.display());
            return Err(Diagnostic::error(Code::Artifact, message)
                .note(format!("looked in {}", directory.display()))
                .help(format!(
                    "`{what}` needs the manifest.json that the other environment's last run wrote, or a copy"
                ))
                .into());
        };
        let relations = defer_relations(&manifest, self.project.quoting())?;
        Arc::make_mut(&mut self.manifest).defer_to(relations);
        if state.is_some_and(|state| settings.project_root.join(state) == directory) {
            self.former.keep(directory, manifest);
        }
        Ok(self)
    }

    /// Refuses to defer by what exists where the warehouse is not to be asked.
    pub(super) fn check_introspection(&self, introspect: bool) -> Result<(), Diagnostic> {
        if introspect || self.deferral != Some(Deferral::Missing) {
            return Ok(());
        }
        let message = "--defer asks the warehouse what exists, and --no-introspect forbids to ask it";
        Err(Diagnostic::error(Code::Usage, message)
            .help("with --favor-state nothing is asked: all that is not selected is read from the other environment"))
    }
}
