//! The arguments of a generic test, as its macro gets them.

use crate::diagnostic::{Diagnostic, SourceFile};
use crate::jinja::value::{dict, list};
use crate::jinja::{RenderContext, Template, from_json};
use crate::manifest::TestMetadata;
use minijinja::value::Value;
use serde_json::Value as Json;
use std::sync::Arc;

/// The name under which a generic test's text finds its arguments.
pub const TEST_ARGUMENTS: &str = "_dbt_generic_test_kwargs";

/// Functions that may stand in an argument without braces around them: `to: ref('customers')`.
const BARE_FUNCTIONS: [&str; 5] = ["env_var", "ref", "var", "source", "doc"];

/// The arguments of a generic test with the Jinja in their texts evaluated: an expression alone keeps its type,
/// so that `{{ ref('customers') }}` is a relation. Column names are taken as they are.
pub fn test_arguments(test: &TestMetadata, context: &Arc<RenderContext>) -> Result<Value, Diagnostic> {
    let mut arguments = Vec::with_capacity(test.kwargs.len());
    for (name, value) in &test.kwargs {
        let value = if name == "column_name" { from_json(value) } else { evaluate(value, context)? };
        arguments.push((name.as_str(), value));
    }
    Ok(dict(arguments))
}

fn evaluate(value: &Json, context: &Arc<RenderContext>) -> Result<Value, Diagnostic> {
    match value {
        Json::String(text) => evaluate_text(text, context),
        Json::Array(items) => {
            let items = items.iter().map(|item| evaluate(item, context)).collect::<Result<Vec<_>, _>>()?;
            Ok(list(items))
        }
        Json::Object(map) => {
            let pairs = map.iter().map(|(key, value)| Ok((key.as_str(), evaluate(value, context)?)));
            Ok(dict(pairs.collect::<Result<Vec<_>, Diagnostic>>()?))
        }
        _ => Ok(from_json(value)),
    }
}

fn evaluate_text(text: &str, context: &Arc<RenderContext>) -> Result<Value, Diagnostic> {
    let bare = is_bare_call(text);
    if !bare && !text.contains("{{") && !text.contains("{%") && !text.contains("{#") {
        return Ok(Value::from(text));
    }
    let text = if bare { format!("{{{{ {text} }}}}") } else { text.to_owned() };
    let template = Template::whole(&SourceFile::new("test argument", text))?;
    context.engine().evaluate(&template, context)
}

fn is_bare_call(text: &str) -> bool {
    let text = text.trim();
    let Some((name, rest)) = text.split_once('(') else { return false };
    BARE_FUNCTIONS.contains(&name.trim_end()) && rest.len() > 1 && rest.ends_with(')')
}

#[cfg(test)]
mod tests {
    use super::is_bare_call;

    #[test]
    fn bare_calls_are_told_from_texts() {
        assert!(is_bare_call(" ref('customers') "));
        assert!(is_bare_call("var ('x', 1)"));
        assert!(!is_bare_call("reference('x')"));
        assert!(!is_bare_call("ref()"));
        assert!(!is_bare_call("amount > abs(1)"));
    }
}
