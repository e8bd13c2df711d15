//! `strata parse`: everything that can be said of a project without a warehouse.

use super::workspace::{VerbFlags, Workspace};
use super::{Context, Outcome};
use crate::artifact::write_manifest;
use crate::diagnostic::Result;
use crate::report::Product;

/// Reads and checks the project, and writes its manifest.
pub(super) fn parse(context: &Context) -> Result<Outcome> {
    let workspace = Workspace::open(context, "parse", VerbFlags::default())?;
    let summary = workspace.summary();
    if context.settings.write_json {
        write_manifest(&workspace.manifest, &workspace.invocation, &[])?;
        let path = workspace.invocation.target_path.join("manifest.json");
        context.reporter.product(&Product::Text(format!("Found {summary}\nWrote {}", path.display())));
    } else {
        context.reporter.product(&Product::Text(format!("Found {summary}")));
    }
    Ok(Outcome::Success)
}
