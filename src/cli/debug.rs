//! `strata debug`: what was found, and whether the warehouse answers.

use super::arguments::DebugArguments;
use super::{Context, Outcome};
use crate::diagnostic::Result;
use crate::project::{Package, Project, load};
use crate::report::Product;

/// Shows versions, project, profile and target, and tries the connection.
pub(super) fn debug(context: &Context, arguments: &DebugArguments) -> Result<Outcome> {
    let say = |text: String| context.reporter.product(&Product::Text(text));
    let (project, warnings) = load(&context.settings.project_root, &context.settings.load)?;
    project.secrets().iter().for_each(|secret| context.scrubber.add(secret));
    context.reporter.found(&warnings);
    if !arguments.connection {
        say(described(&project));
    }
    let adapter = crate::adapter::open(&project.target, false, &project.environment)?;
    let lines: Vec<String> = adapter.describe().iter().map(|(label, value)| format!("  {label:<12} {value}")).collect();
    say(format!("\nConnection to {}\n{}", adapter.type_name(), lines.join("\n")));
    let answered = adapter.connect("debug").and_then(|mut connection| connection.execute("select 1"));
    match answered {
        Ok(_) => {
            say("  it answers.".to_owned());
            Ok(Outcome::Success)
        }
        Err(error) => {
            say(format!("  it does not answer: {error}"));
            Ok(Outcome::Failure)
        }
    }
}

fn described(project: &Project) -> String {
    let root = project.root_package();
    let target = &project.target;
    let packages: Vec<&str> =
        project.packages[1..].iter().filter(|package| !package.embedded).map(Package::name).collect();
    let lines = [
        ("strata", env!("CARGO_PKG_VERSION").to_owned()),
        ("system", format!("{} {}", std::env::consts::OS, std::env::consts::ARCH)),
        ("project", format!("{} in {}", project.name(), project.root.display())),
        ("files", root.files.len().to_string()),
        ("packages", if packages.is_empty() { "none".to_owned() } else { packages.join(", ") }),
        ("profiles.yml", target.profiles_path.display().to_string()),
        ("profile", target.profile_name.clone()),
        ("target", format!("{} ({}, schema {})", target.name, target.type_name(), target.schema)),
        ("threads", target.threads.to_string()),
    ];
    lines.iter().map(|(label, value)| format!("{label:<14} {value}")).collect::<Vec<_>>().join("\n")
}
