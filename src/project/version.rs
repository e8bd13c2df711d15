//! Whether a project accepts the dbt version whose behaviour strata has.

use super::yaml::Reader;
use crate::diagnostic::{Code, Diagnostic};
use std::cmp::Ordering;

/// The dbt version whose behaviour strata has, as templates see it in `dbt_version`.
pub const DBT_VERSION: &str = "1.11.16";

/// Whether an ordering of versions is what an operator asks for.
type Test = fn(Ordering) -> bool;

/// One condition: `>=1.3.0`.
#[derive(Debug, Clone)]
struct Condition {
    ordering: Test,
    version: [u64; 3],
}

impl Condition {
    /// Reads `>=1.3.0`, `<2.0`, `=1.11.2`, `1.5.0rc1`; none for what is no version.
    fn new(text: &str) -> Option<Self> {
        let text = text.trim().trim_matches(['"', '\'']);
        let operators: [(&str, Test); 6] = [
            (">=", Ordering::is_ge),
            ("<=", Ordering::is_le),
            ("==", Ordering::is_eq),
            (">", Ordering::is_gt),
            ("<", Ordering::is_lt),
            ("=", Ordering::is_eq),
        ];
        let (ordering, rest) = operators
            .into_iter()
            .find_map(|(operator, ordering)| Some((ordering, text.strip_prefix(operator)?)))
            .unwrap_or((Ordering::is_eq, text));
        let mut version = [0; 3];
        let mut parts = rest.trim().trim_start_matches('v').splitn(3, '.');
        for (index, slot) in version.iter_mut().enumerate() {
            let Some(part) = parts.next() else { break };
            let digits = part.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(part.len());
            // Only the last part may carry a suffix such as `rc1`.
            if digits == 0 || (digits < part.len() && index < 2) {
                return None;
            }
            *slot = part[..digits].parse().ok()?;
        }
        (!rest.trim().is_empty()).then_some(Self { ordering, version })
    }

    fn accepts(&self, version: [u64; 3]) -> bool {
        (self.ordering)(version.cmp(&self.version))
    }
}

/// Reads `require-dbt-version` and complains where it leaves out every version that strata could stand for.
pub fn check_required(reader: &mut Reader<'_>, project: &str) {
    let Some(value) = reader.yaml("require-dbt-version") else { return };
    let texts = reader.texts("require-dbt-version").unwrap_or_default();
    let mut conditions = Vec::new();
    for text in texts.iter().flat_map(|text| text.split(',')) {
        match Condition::new(text) {
            Some(condition) => conditions.push(condition),
            None => reader.report(
                Diagnostic::error(Code::Project, format!("`{}` is no version condition", text.trim()))
                    .at(value.span.clone(), "expected something like `>=1.3.0`"),
            ),
        }
    }
    let accepted = |version| conditions.iter().all(|condition| condition.accepts(version));
    let own = Condition::new(DBT_VERSION).map_or([1, 11, 0], |condition| condition.version);
    if accepted(own) {
        return;
    }
    let message = format!("`{project}` asks for another dbt than {DBT_VERSION}, whose behaviour strata has");
    let near = (0..40).any(|minor| accepted([1, minor, 0]) || accepted([1, minor, own[2]]));
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
