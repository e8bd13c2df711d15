//! One YAML text rendered with a small context: `"{{ env_var('DATABASE', 'dev') }}"`.
//!
//! This is minijinja as it is. dbt's own Jinja, with macros, `ref()` and the rest, lives in [`crate::jinja`].

use crate::diagnostic::{Code, Diagnostic, Span, nearest};
use minijinja::machinery::{ast, parse_expr};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Rest, ValueKind};
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, Value};
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// The prefix of environment variables that hold secrets.
pub const SECRET_PREFIX: &str = "DBT_ENV_SECRET_";

/// What texts may see.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// The environment variables.
    pub environment: Arc<BTreeMap<String, String>>,
    /// Whether `env_var` gives variables that hold secrets. Only profiles, packages and connectors may have them.
    pub secrets: bool,
    /// What `var()` finds.
    pub variables: Arc<Map<String, Json>>,
    /// Further names, such as `target`.
    pub names: Map<String, Json>,
}

/// The filters that say that the text of a lone expression is to be read as a value.
const NATIVE_FILTERS: [&str; 3] = ["as_bool", "as_number", "as_native"];

/// Renders texts in one scope.
pub struct Templates {
    environment: Environment<'static>,
    names: Value,
}

/// Why a function of the context refused.
#[derive(Debug)]
struct Refusal {
    code: Code,
    help: Option<String>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.code.fmt(formatter)
    }
}

impl std::error::Error for Refusal {}

/// Whether a text has any Jinja in it.
pub fn has_jinja(text: &str) -> bool {
    text.as_bytes().windows(2).any(|pair| matches!(pair, b"{{" | b"{%" | b"{#"))
}

impl Templates {
    /// Makes ready to render in `scope`.
    pub fn new(scope: Scope) -> Self {
        let mut environment = Environment::new();
        environment.set_debug(true);
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_syntax(SyntaxConfig::builder().keep_trailing_newline(true).build().unwrap_or_default());
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.set_formatter(|output, state, value| match value.kind() {
            // Python's words where minijinja has others.
            ValueKind::None => output.write_str("None").map_err(Error::from),
            ValueKind::Bool => output.write_str(if value.is_true() { "True" } else { "False" }).map_err(Error::from),
            _ => minijinja::escape_formatter(output, state, value),
        });
        let Scope { environment: shell, secrets, variables, names } = scope;
        environment.add_function("env_var", move |name: &str, default: Option<Value>| {
            environment_variable(&shell, secrets, name, default)
        });
        environment.add_function("var", move |name: &str, default: Rest<Value>, named: Kwargs| {
            let default = match default.first() {
                Some(value) => Some(value.clone()),
                None => named.get::<Option<Value>>("default")?,
            };
            named.assert_all_used()?;
            variable(&variables, name, default)
        });
        environment.add_function("fromjson", |text: &str| {
            serde_json::from_str::<Json>(text).map(|json| to_value(&json)).map_err(invalid)
        });
        environment.add_function("tojson", |value: Value| to_json(&value).map(|json| json.to_string()));
        environment.add_filter("as_text", |value: Value| as_text(&value));
        for filter in NATIVE_FILTERS {
            environment.add_filter(filter, |value: Value| Value::from_safe_string(as_text(&value)));
        }
        Self { environment, names: to_value(&Json::Object(names)) }
    }

    /// What a text says. A lone expression keeps its type: `"{{ var('days') }}"` may be a number or a list.
    /// `span` is where the text stands, for errors.
    pub fn render(&self, text: &str, span: &Span) -> Result<Json, Diagnostic> {
        if let Some((offset, expression)) = lone_expression(text)
            && let Ok(compiled) = self.environment.compile_expression(expression)
        {
            let value = compiled.eval(&self.names).map_err(|error| located(&error, text, offset, span))?;
            if value.is_undefined() {
                return Err(located(&Error::from(ErrorKind::UndefinedError), text, offset, span));
            }
            let value = if value.is_safe() { converted(&value, expression) } else { Ok(value) };
            return value.and_then(|value| to_json(&value)).map_err(|error| located(&error, text, offset, span));
        }
        self.environment.render_str(text, &self.names).map(Json::String).map_err(|error| located(&error, text, 0, span))
    }
}

impl fmt::Debug for Templates {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Templates")
    }
}

fn environment_variable(
    shell: &BTreeMap<String, String>,
    secrets: bool,
    name: &str,
    default: Option<Value>,
) -> Result<Value, Error> {
    if name.starts_with(SECRET_PREFIX) && !secrets {
        return Err(refuse(
            Code::JinjaRender,
            format!("the secret `{name}` cannot be used here"),
            Some("secrets may stand in profiles.yml, packages.yml and in the `connector:` of a source".to_owned()),
        ));
    }
    match shell.get(name) {
        Some(value) => Ok(Value::from(value.as_str())),
        None => default.filter(|default| !default.is_none()).ok_or_else(|| {
            let help = match nearest(name, shell.keys().map(String::as_str)) {
                Some(near) => format!("set it, or give a default; did you mean `{near}`?"),
                None => format!("set it, or give a default: env_var('{name}', '…')"),
            };
            refuse(Code::UnknownVariable, format!("the environment variable `{name}` is not set"), Some(help))
        }),
    }
}

fn variable(variables: &Map<String, Json>, name: &str, default: Option<Value>) -> Result<Value, Error> {
    match (variables.get(name), default) {
        (Some(value), _) => Ok(to_value(value)),
        (None, Some(default)) => Ok(default),
        (None, None) => {
            let help = match nearest(name, variables.keys().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("give it with `--vars '{{{name}: …}}'`, or give a default: var('{name}', …)"),
            };
            Err(refuse(Code::UnknownVariable, format!("the variable `{name}` has no value"), Some(help)))
        }
    }
}

fn refuse(code: Code, message: String, help: Option<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message).with_source(Refusal { code, help })
}

fn invalid(error: serde_json::Error) -> Error {
    Error::new(ErrorKind::InvalidOperation, error.to_string())
}

fn to_value(json: &Json) -> Value {
    match json {
        Json::Null => Value::from(()),
        Json::Bool(value) => Value::from(*value),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(whole), _) => Value::from(whole),
            (None, Some(whole)) => Value::from(whole),
            (None, None) => Value::from(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => items.iter().map(to_value).collect(),
        Json::Object(map) => Value::from_pairs(map.iter().map(|(key, value)| (key.as_str(), to_value(value)))),
    }
}

/// The plain value of what an expression gave; functions and other objects have none.
fn to_json(value: &Value) -> Result<Json, Error> {
    Ok(match value.kind() {
        ValueKind::Undefined | ValueKind::None => Json::Null,
        ValueKind::Bool => Json::Bool(value.is_true()),
        ValueKind::Number => match value.as_i64() {
            Some(whole) if value.is_integer() => Json::from(whole),
            _ => serde_json::from_str(&value.to_string()).unwrap_or_else(|_| Json::String(value.to_string())),
        },
        ValueKind::String => Json::from(value.as_str().unwrap_or_default()),
        ValueKind::Map => {
            let mut map = Map::new();
            for key in value.try_iter()? {
                map.insert(key.to_string(), to_json(&value.get_item(&key)?)?);
            }
            Json::Object(map)
        }
        ValueKind::Seq | ValueKind::Iterable => {
            value.try_iter()?.map(|item| to_json(&item)).collect::<Result<_, _>>()?
        }
        kind => {
            let message = format!("the expression gives a {kind}, which is no plain value");
            return Err(Error::new(ErrorKind::InvalidOperation, message));
        }
    })
}

/// The text of a value as Python writes it.
fn as_text(value: &Value) -> String {
    match value.kind() {
        ValueKind::None => "None".to_owned(),
        ValueKind::Bool => if value.is_true() { "True" } else { "False" }.to_owned(),
        _ => value.to_string(),
    }
}

/// What a text that went through one of [`NATIVE_FILTERS`] says. Inside an expression such a text is still a text, as
/// in dbt: `{{ target.type == 'x' | as_bool }}` compares two texts.
fn converted(value: &Value, expression: &str) -> Result<Value, Error> {
    let read = native(&as_text(value));
    let outermost = match parse_expr(expression)? {
        ast::Expr::Filter(filter) => filter.name,
        _ => "as_native",
    };
    let refused = match (outermost, read.kind()) {
        ("as_bool", kind) if kind != ValueKind::Bool => "neither `True` nor `False`",
        ("as_number", kind) if kind != ValueKind::Number => "not a number",
        _ => return Ok(read),
    };
    Err(Error::new(ErrorKind::InvalidOperation, format!("`{value}` is {refused}")))
}

/// The value of a literal as Python writes it; any other text is itself.
fn native(text: &str) -> Value {
    let literal = Environment::empty();
    let constant = |text: &str| {
        let expression = literal.compile_expression(text).ok()?;
        // A name that is not defined means that the text is no literal.
        expression.undeclared_variables(false).is_empty().then(|| expression.eval(()).ok()).flatten()
    };
    constant(text).unwrap_or_else(|| Value::from(text))
}

/// The expression of a text that is nothing else, and where it starts.
fn lone_expression(text: &str) -> Option<(usize, &str)> {
    let inner = text.strip_prefix("{{")?.strip_suffix("}}")?;
    let start = inner.strip_prefix(['-', '+']).unwrap_or(inner);
    let offset = text.len() - start.len() - 2;
    Some((offset, start.strip_suffix('-').unwrap_or(start)))
}

/// The error as a diagnostic at the place where it arose, as far as the text can be found in its file.
fn located(error: &Error, text: &str, offset: usize, span: &Span) -> Diagnostic {
    let refusal = std::error::Error::source(error).and_then(|source| source.downcast_ref::<Refusal>());
    let code = match (refusal, error.kind()) {
        (Some(refusal), _) => refusal.code,
        (None, ErrorKind::SyntaxError) => Code::JinjaSyntax,
        (None, _) => Code::JinjaRender,
    };
    let message = match (error.detail(), error.kind()) {
        (Some(detail), _) => detail.to_owned(),
        (None, ErrorKind::UndefinedError) => "a name in this expression is not defined".to_owned(),
        (None, kind) => kind.to_string(),
    };
    let place = error
        .range()
        .zip(span.text().find(text))
        .map(|(range, start)| {
            let start = span.range().start + start + offset;
            Span::new(span.file(), start + range.start..start + range.end)
        })
        .filter(|place| !place.text().is_empty())
        .unwrap_or_else(|| span.clone());
    let found = Diagnostic::error(code, message).at(place, "");
    match refusal.and_then(|refusal| refusal.help.clone()) {
        Some(help) => found.help(help),
        None => found,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::{SourceFile, Style, render};
    use serde_json::json;

    fn templates(secrets: bool) -> Templates {
        let variables = json!({"days": 3, "list": [1, "a"], "on": true, "nothing": null});
        let shell = [("HOST", "db.example"), ("PORT", "5432"), ("FLAG", "True"), ("DBT_ENV_SECRET_KEY", "hush")];
        Templates::new(Scope {
            environment: Arc::new(shell.map(|(name, value)| (name.to_owned(), value.to_owned())).into()),
            secrets,
            variables: Arc::new(variables.as_object().expect("an object").clone()),
            names: json!({"target": {"name": "dev", "schema": "main"}}).as_object().expect("an object").clone(),
        })
    }

    fn rendered(text: &str) -> Result<Json, Diagnostic> {
        let file = SourceFile::new("dbt_project.yml", format!("key: \"{text}\"\n"));
        templates(false).render(text, &Span::new(&file, 5..7 + text.len()))
    }

    #[test]
    fn a_lone_expression_keeps_its_type() {
        let cases = [
            ("{{ var('days') }}", json!(3)),
            ("{{- var('list') -}}", json!([1, "a"])),
            ("{{ var('on') }}", json!(true)),
            ("{{ var('nothing') }}", json!(null)),
            ("{{ env_var('PORT') }}", json!("5432")),
            ("{{ env_var('PORT') | as_number }}", json!(5432)),
            ("{{ env_var('FLAG') | as_bool }}", json!(true)),
            ("{{ '[1, 2]' | as_native }}", json!([1, 2])),
            ("{{ env_var('HOST') | as_native }}", json!("db.example")),
            ("{{ var('on') | as_bool }}", json!(true)),
            ("{{ env_var('HOST') == 'db.example' | as_bool() }}", json!(true)),
            ("{{ env_var('HOST') == 'other' | as_number }}", json!(false)),
            ("{{ (env_var('HOST') == 'other') | as_bool }}", json!(false)),
            ("{{ env_var('PORT') | as_number if var('on') else 1 }}", json!(5432)),
            ("{{ env_var('FLAG') | as_bool }}!", json!("True!")),
            ("{{ env_var('NONE', 'x') }}", json!("x")),
            ("{{ var('none', default=7) }}", json!(7)),
            ("{{ var('days') }}{{ var('days') }}", json!("33")),
            ("a {{ var('on') }} {{ target.name.upper() }}", json!("a True DEV")),
            ("{% if target.name == 'dev' %}d{% else %}p{% endif %}", json!("d")),
            ("plain", json!("plain")),
        ];
        for (text, value) in cases {
            assert_eq!(rendered(text).expect(text), value, "{text}");
        }
    }

    #[test]
    fn secrets_are_given_only_where_they_are_allowed() {
        let text = "{{ env_var('DBT_ENV_SECRET_KEY') }}";
        let file = SourceFile::new("profiles.yml", text);
        let span = Span::whole(&file);
        assert_eq!(templates(true).render(text, &span).expect("allowed"), json!("hush"));
        let refused = templates(false).render(text, &span).expect_err("refused");
        assert!(!render(&refused, Style::Plain).contains("hush"));
    }

    #[test]
    fn errors_point_into_the_text() {
        let bad = [
            "x {{ env_var('HOTS') }}",
            "{{ var('day') }}",
            "{{ target.naem.upper() }}",
            "{{ unknown }}",
            "{{ 1 + }}",
            "{% if x %}",
            "{{ env_var('DBT_ENV_SECRET_KEY') }}",
            "{{ 'x' | as_number }}",
        ];
        let frames = bad.map(|text| render(&rendered(text).expect_err(text), Style::Plain));
        insta::assert_snapshot!(frames.join("\n\n"));
    }
}
