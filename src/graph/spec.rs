//! The selection grammar, to the letter that of dbt 1.11.

use crate::diagnostic::{Code, Diagnostic, Diagnostics, Result, nearest};
use serde_json::Value as Json;

/// What a command is to select.
#[derive(Debug, Clone, PartialEq)]
pub enum SelectionSpec {
    /// One criterion: `+tag:nightly`.
    Criterion(Criterion),
    /// Several, combined.
    Set(SetSpec),
}

/// Several selections, combined.
#[derive(Debug, Clone, PartialEq)]
pub struct SetSpec {
    /// How.
    pub operation: SetOperation,
    /// Of what.
    pub parts: Vec<SelectionSpec>,
    /// Which tests come along.
    pub indirect: Indirect,
    /// As written, where it is worth a warning that it selects nothing.
    pub expected: Option<String>,
}

/// How selections are combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetOperation {
    /// What any of them selects.
    Union,
    /// What all of them select.
    Intersection,
    /// What the first selects and no other.
    Difference,
}

/// Which tests come along with the nodes that they look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Indirect {
    /// Those that look at any selected node.
    #[default]
    Eager,
    /// Those that look at selected nodes only.
    Cautious,
    /// Those that look at selected nodes and their ancestors only.
    Buildable,
    /// None.
    Empty,
}

impl Indirect {
    /// The mode that a word means.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "eager" => Some(Self::Eager),
            "cautious" => Some(Self::Cautious),
            "buildable" => Some(Self::Buildable),
            "empty" => Some(Self::Empty),
            _ => None,
        }
    }
}

/// One criterion.
#[derive(Debug, Clone, PartialEq)]
pub struct Criterion {
    /// As written.
    pub raw: String,
    /// By what to match.
    pub method: Method,
    /// What follows the method after a dot: `materialized` in `config.materialized:view`.
    pub arguments: Vec<String>,
    /// What to match: a text, or any value from YAML.
    pub value: Json,
    /// `@`: descendants and all their ancestors too.
    pub childrens_parents: bool,
    /// `+` before it: ancestors too, up to a depth.
    pub parents: Option<Depth>,
    /// `+` after it: descendants too, up to a depth.
    pub children: Option<Depth>,
    /// Which tests come along.
    pub indirect: Indirect,
}

/// How many steps; none for all.
pub type Depth = Option<usize>;

macro_rules! methods {
    ($($variant:ident => $word:literal,)*) => {
        /// By what a criterion matches.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "each is dbt's word of the same name")]
        pub enum Method { $($variant,)* }

        impl Method {
            const ALL: &'static [(&'static str, Method)] = &[$(($word, Method::$variant),)*];

            /// dbt's word.
            pub fn as_str(self) -> &'static str {
                match self { $(Method::$variant => $word,)* }
            }
        }
    };
}

methods! {
    Fqn => "fqn",
    Tag => "tag",
    Group => "group",
    Access => "access",
    Source => "source",
    Path => "path",
    File => "file",
    Package => "package",
    Config => "config",
    TestName => "test_name",
    TestType => "test_type",
    ResourceType => "resource_type",
    State => "state",
    Exposure => "exposure",
    Metric => "metric",
    Result => "result",
    SourceStatus => "source_status",
    Version => "version",
    SemanticModel => "semantic_model",
    SavedQuery => "saved_query",
    UnitTest => "unit_test",
}

impl Method {
    fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(name, _)| *name == word).map(|(_, method)| *method)
    }

    /// How a value without a method is meant: a path if it has a separator, a file by its extension, else a name.
    fn default_of(value: &str) -> Self {
        let lower = value.to_lowercase();
        if value.contains(std::path::MAIN_SEPARATOR) {
            Self::Path
        } else if [".sql", ".py", ".csv"].iter().any(|extension| lower.ends_with(extension)) {
            Self::File
        } else {
            Self::Fqn
        }
    }
}

impl Criterion {
    /// Reads `[@][N+]method[.arg…]:value[+N]`.
    pub fn parse(raw: &str, indirect: Indirect) -> std::result::Result<Self, Diagnostic> {
        let (childrens_parents, rest) = match raw.strip_prefix('@') {
            Some(rest) => (true, rest),
            None => (false, raw),
        };
        let (parents, rest) = split_parents(rest, raw)?;
        let (method, rest) = split_method(rest);
        let (value, children) = split_children(rest, raw)?;
        let (method, arguments) = match method {
            Some(method) => read_method(method, raw)?,
            None => (Method::default_of(value), vec![]),
        };
        let criterion = Self {
            raw: raw.to_owned(),
            method,
            arguments,
            value: Json::from(value),
            childrens_parents,
            parents,
            children,
            indirect,
        };
        criterion.check()
    }

    /// What no criterion may be.
    pub(super) fn check(self) -> std::result::Result<Self, Diagnostic> {
        if self.children.is_some() && self.childrens_parents {
            return Err(invalid(&self.raw, "`@` before it and `+` after it exclude each other")
                .help("`@` takes descendants along anyway"));
        }
        Ok(self)
    }
}

/// Reads a method with its arguments: `config.materialized`.
pub(super) fn read_method(text: &str, raw: &str) -> std::result::Result<(Method, Vec<String>), Diagnostic> {
    let mut parts = text.split('.').map(str::to_owned);
    let word = parts.next().unwrap_or_default();
    let Some(method) = Method::from_word(&word) else {
        let found = invalid(raw, format!("`{word}` is no method to select by"));
        return Err(match nearest(&word, Method::ALL.iter().map(|(name, _)| *name)) {
            Some(name) => found.help(format!("did you mean `{name}:`?")),
            None => found.help(format!(
                "methods are {}",
                Method::ALL.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
            )),
        });
    };
    Ok((method, parts.collect()))
}

/// That a selector cannot be understood.
pub(super) fn invalid(raw: &str, why: impl std::fmt::Display) -> Diagnostic {
    Diagnostic::error(Code::Selector, format!("the selector `{raw}` cannot be understood: {why}"))
}

fn split_parents<'a>(text: &'a str, raw: &str) -> std::result::Result<(Option<Depth>, &'a str), Diagnostic> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    match text[digits..].strip_prefix('+') {
        Some(rest) => Ok((Some(depth(&text[..digits], raw)?), rest)),
        None => Ok((None, text)),
    }
}

fn split_method(text: &str) -> (Option<&str>, &str) {
    match text.split_once(':') {
        Some((method, value))
            if !method.is_empty()
                && method.chars().all(|letter| letter.is_alphanumeric() || matches!(letter, '_' | '.')) =>
        {
            (Some(method), value)
        }
        _ => (None, text),
    }
}

fn split_children<'a>(text: &'a str, raw: &str) -> std::result::Result<(&'a str, Option<Depth>), Diagnostic> {
    match text.rsplit_once('+') {
        Some((value, digits)) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Ok((value, Some(depth(digits, raw)?)))
        }
        _ => Ok((text, None)),
    }
}

fn depth(digits: &str, raw: &str) -> std::result::Result<Depth, Diagnostic> {
    if digits.is_empty() {
        return Ok(None);
    }
    digits.parse().map(Some).map_err(|_| invalid(raw, format!("`{digits}` is too large for a depth")))
}

impl SelectionSpec {
    /// What `--select` and `--exclude` mean. Without any `--select` everything is meant.
    pub fn from_flags(select: &[String], exclude: &[String], indirect: Indirect) -> Result<Self> {
        let mut found = Diagnostics::new();
        let everything = ["fqn:*".to_owned(), "source:*".to_owned()];
        let included =
            if select.is_empty() { union(&everything, indirect, false) } else { union(select, indirect, true) };
        let excluded = union(exclude, indirect, true);
        let parts: Vec<Self> = [included, excluded].into_iter().filter_map(|part| found.keep(part)).collect();
        if found.has_errors() {
            return Err(found);
        }
        // dbt combines include and exclude by the default mode, not by the flag's.
        let indirect = Indirect::Eager;
        Ok(Self::Set(SetSpec { operation: SetOperation::Difference, parts, indirect, expected: None }))
    }
}

/// A union of specs that are separated by blanks, each an intersection of criteria that are separated by commas.
fn union(texts: &[String], indirect: Indirect, expected: bool) -> Result<SelectionSpec> {
    let mut found = Diagnostics::new();
    let mut parts = Vec::new();
    for text in texts.iter().flat_map(|text| text.split(' ')) {
        let mut criteria = Vec::new();
        for criterion in text.split(',') {
            match Criterion::parse(criterion, indirect) {
                Ok(criterion) => criteria.push(SelectionSpec::Criterion(criterion)),
                Err(error) => found.push(error),
            }
        }
        parts.push(SelectionSpec::Set(SetSpec {
            operation: SetOperation::Intersection,
            parts: criteria,
            indirect,
            expected: expected.then(|| text.to_owned()),
        }));
    }
    if found.has_errors() {
        return Err(found);
    }
    Ok(SelectionSpec::Set(SetSpec { operation: SetOperation::Union, parts, indirect, expected: None }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(raw: &str) -> String {
        match Criterion::parse(raw, Indirect::Eager) {
            Ok(found) => {
                let depth = |depth: Option<Depth>| match depth {
                    None => "-".to_owned(),
                    Some(None) => "all".to_owned(),
                    Some(Some(depth)) => depth.to_string(),
                };
                format!(
                    "{} {:?} {} @{} parents={} children={}",
                    found.method.as_str(),
                    found.arguments,
                    found.value,
                    found.childrens_parents,
                    depth(found.parents),
                    depth(found.children)
                )
            }
            Err(error) => error.message().to_owned(),
        }
    }

    #[test]
    fn criteria_are_read_as_dbt_reads_them() {
        let raws = [
            "model",
            "+model",
            "model+",
            "2+model+3",
            "@model",
            "@model+",
            "tag:a+b",
            "a+1+2",
            "tag:nightly",
            "config.meta.owner:me",
            "models/staging",
            "orders.sql",
            "ORDERS.SQL",
            "+path:models/x+",
            "a:b:c",
            "weird-m:x",
            "",
            "+",
            "*",
            "tagg:x",
            "1+",
            "12",
            "source:crm.customers+1",
            "99999999999999999999+x",
        ];
        let table: Vec<String> = raws.iter().map(|raw| format!("{raw:24} {}", parsed(raw))).collect();
        insta::assert_snapshot!(table.join("\n"));
    }
}
