//! `tests/jinja_cases.json`: templates with what dbt-core 1.11 makes of them.

use super::render;
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    template: String,
    /// What comes out; none for a case that fails.
    expected: Option<String>,
    /// What the message of the failure has in it.
    error: Option<String>,
    /// Where strata knowingly differs: what comes out instead, and why.
    differs: Option<Difference>,
}

#[derive(Deserialize)]
struct Difference {
    gives: String,
    because: String,
}

#[test]
fn templates_give_what_dbt_gives() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("../../../tests/jinja_cases.json")).unwrap();
    assert!(cases.len() > 90, "all cases are read");
    let mut wrong = Vec::new();
    for case in &cases {
        let result = render(&case.template).map_err(|found| found.message().to_owned());
        let right = match (&case.differs, &case.expected, &case.error, &result) {
            (Some(difference), _, _, result) => {
                assert!(!difference.because.is_empty());
                result.as_ref() == Ok(&difference.gives)
            }
            (None, Some(expected), _, Ok(text)) => text == expected,
            (None, _, Some(error), Err(message)) => message.contains(error.as_str()),
            _ => false,
        };
        if !right {
            wrong.push(format!(
                "{}\n  expected {:?} {:?}\n  got      {result:?}",
                case.template, case.expected, case.error
            ));
        }
    }
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}
