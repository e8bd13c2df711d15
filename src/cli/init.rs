//! `strata init`: a new project that runs as it is.

use super::arguments::InitArguments;
use super::{Context, Outcome};
use crate::diagnostic::{Code, Diagnostic, Result};
use crate::project::builtin;
use crate::report::Product;
use std::fs;
use std::io;
use std::path::Path;

/// What stands in the template's texts for the project's name.
const PLACEHOLDER: &str = "{{project_name}}";

/// Writes the project template under the given name.
pub(super) fn init(context: &Context, arguments: &InitArguments) -> Result<Outcome> {
    let name = arguments.name.as_str();
    check_name(name)?;
    let directory = context.settings.working_directory.join(name);
    if is_occupied(&directory) {
        return Err(Diagnostic::error(Code::Usage, format!("`{name}` exists and is not empty"))
            .help("choose another name, or remove the directory first: nothing is ever overwritten")
            .into());
    }
    let template = builtin::project_template();
    for file in template.iter().filter(|file| !file.path.ends_with(".gitkeep")) {
        let path = directory.join(file.path);
        let written = || -> io::Result<()> {
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            match std::str::from_utf8(file.content) {
                Ok(text) => fs::write(&path, text.replace(PLACEHOLDER, name)),
                Err(_) => fs::write(&path, file.content),
            }
        };
        written()
            .map_err(|error| Diagnostic::error(Code::Io, format!("cannot write `{}`: {error}", path.display())))?;
    }
    context.reporter.product(&Product::Text(format!(
        "Made the project `{name}` in {name}/\n\n\
         Next:\n  cd {name}\n  strata build                   run the whole pipeline on the sample data\n  \
         strata show -s dim_customer    look at the result"
    )));
    Ok(Outcome::Success)
}

fn is_occupied(directory: &Path) -> bool {
    match fs::read_dir(directory) {
        Ok(mut entries) => entries.next().is_some(),
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}

/// dbt's rule for names of projects.
fn check_name(name: &str) -> Result<(), Diagnostic> {
    let is_word = name.chars().all(|character| character.is_ascii_alphanumeric() || character == '_');
    if is_word && !name.starts_with(|first: char| first.is_ascii_digit()) && !name.is_empty() {
        return Ok(());
    }
    let mended: String = name
        .chars()
        .map(|character| if character.is_ascii_alphanumeric() { character.to_ascii_lowercase() } else { '_' })
        .collect();
    let mended = mended.trim_matches('_');
    let found = Diagnostic::error(Code::Usage, format!("`{name}` cannot be a project's name"))
        .note("a name has letters, digits and underscores, and does not begin with a digit");
    Err(if mended.is_empty() || mended.starts_with(|first: char| first.is_ascii_digit()) {
        found
    } else {
        found.help(format!("strata init {mended}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_words_and_the_refusal_proposes_one() {
        assert!(check_name("shop_2").is_ok());
        let advice = |name: &str| check_name(name).expect_err("not a name").advice().map(str::to_owned);
        assert_eq!(advice("My-Shop").as_deref(), Some("strata init my_shop"));
        assert_eq!(advice("../etc").as_deref(), Some("strata init etc"));
        assert_eq!(advice("2nd"), None);
        assert_eq!(advice(""), None);
    }
}
