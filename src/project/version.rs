//! Whether a project accepts the dbt version whose behaviour strata has.

use super::semver::{VersionRange, VersionSpecifier};
use super::yaml::Reader;
use crate::diagnostic::{Code, Diagnostic};

/// The dbt version whose behaviour strata has, as templates see it in `dbt_version`.
pub const DBT_VERSION: &str = "1.11.16";

/// The dbt version whose behaviour strata has, to compare with.
pub fn dbt_version() -> VersionSpecifier {
    VersionSpecifier::parse(DBT_VERSION).unwrap_or_else(|| VersionSpecifier::exactly([1, 11, 0]))
}

/// Whether a package or project with these conditions, each perhaps several with commas between, accepts a version.
/// Conditions that cannot be understood accept everything.
pub fn accepts<'a>(conditions: impl IntoIterator<Item = &'a str>, version: &VersionSpecifier) -> bool {
    let conditions: Vec<VersionSpecifier> =
        conditions.into_iter().flat_map(|text| text.split(',')).filter_map(VersionSpecifier::parse_loosely).collect();
    VersionRange::of(&conditions).is_some_and(|range| range.contains(version))
}

/// Reads `require-dbt-version` and complains where it leaves out every version that strata could stand for.
pub fn check_required(reader: &mut Reader<'_>, project: &str) {
    let Some(value) = reader.yaml("require-dbt-version") else { return };
    let texts = reader.texts("require-dbt-version").unwrap_or_default();
    let mut conditions = Vec::new();
    for text in texts.iter().flat_map(|text| text.split(',')) {
        match VersionSpecifier::parse_loosely(text) {
            Some(condition) => conditions.push(condition),
            None => reader.report(
                Diagnostic::error(Code::Project, format!("`{}` is no version condition", text.trim()))
                    .at(value.span.clone(), "expected something like `>=1.3.0`"),
            ),
        }
    }
    let range = VersionRange::of(&conditions);
    let accepted = |version| range.as_ref().is_some_and(|range| range.contains(&version));
    let own = dbt_version();
    if accepted(own.clone()) {
        return;
    }
    let message = format!("`{project}` asks for another dbt than {DBT_VERSION}, whose behaviour strata has");
    let patches = [0, own.numbers()[2]];
    let near =
        (0..40).any(|minor| patches.into_iter().any(|patch| accepted(VersionSpecifier::exactly([1, minor, patch]))));
    let found = if near {
        Diagnostic::warning(Code::Project, message)
    } else {
        Diagnostic::error(Code::Project, message).help("widen `require-dbt-version` if the project fits dbt 1.11")
    };
    reader.report(found.at(value.span.clone(), ""));
}

#[cfg(test)]
mod tests {
    use super::super::yaml::{Found, parse_text};
    use super::*;
    use crate::diagnostic::Severity;

    fn severity(required: &str) -> Option<Severity> {
        let yaml = parse_text(&format!("require-dbt-version: {required}"), "dbt_project.yml").expect("valid YAML");
        let found = Found::default();
        check_required(&mut Reader::new(&yaml, "project", &found), "shop");
        let found = found.into_inner();
        found.iter().map(crate::diagnostic::Diagnostic::severity).max()
    }

    #[test]
    fn every_1_x_range_is_accepted() {
        assert_eq!(severity("['>=1.3.0', '<2.0.0']"), None);
        assert_eq!(severity("'>=1.6.0rc1,<2.0.0'"), None);
        assert_eq!(severity("1.11.16"), None);
        assert_eq!(severity("'>=1.12.0'"), Some(Severity::Warning));
        assert_eq!(severity("['>=1.0.0', '<1.9.0']"), Some(Severity::Warning));
        assert_eq!(severity("'>=2.0.0'"), Some(Severity::Error));
        assert_eq!(severity("newest"), Some(Severity::Error));
    }
}
