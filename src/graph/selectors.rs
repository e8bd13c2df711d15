//! `selectors.yml`: selections with names.

use super::spec::{Criterion, Indirect, SelectionSpec, SetOperation, SetSpec, read_method};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Result, Span, nearest};
use crate::project::yaml::{Found, Reader, Yaml, YamlValue};
use indexmap::IndexMap;

/// The selections of `selectors.yml`, by name.
#[derive(Debug, Clone, Default)]
pub struct Selectors {
    named: IndexMap<String, SelectionSpec>,
    default: Option<String>,
}

impl Selectors {
    /// The selection of a name.
    pub fn get(&self, name: &str) -> Result<&SelectionSpec> {
        self.named.get(name).ok_or_else(|| {
            let found = Diagnostic::error(Code::Selector, format!("there is no selector `{name}`"));
            let known: Vec<&str> = self.named.keys().map(String::as_str).collect();
            let found = match known.as_slice() {
                [] => found.note("the project has no selectors.yml, or it names none"),
                _ => found.note(format!("available selectors: {}", known.join(", "))),
            };
            Diagnostics::from(match nearest(name, known) {
                Some(near) => found.help(format!("did you mean `{near}`?")),
                None => found,
            })
        })
    }

    /// The selection that counts where a command is given none.
    pub fn default_selection(&self) -> Option<&SelectionSpec> {
        self.named.get(self.default.as_ref()?)
    }

    /// The names, in the order of the file.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.named.keys().map(String::as_str)
    }
}

/// Reads `selectors.yml`. `indirect` is the mode of criteria that name none.
pub fn read_selectors(yaml: &Yaml, indirect: Indirect) -> Result<Selectors> {
    let found = Found::default();
    let mut selectors = Selectors::default();
    let mut reader = Reader::new(yaml, "selectors file", &found);
    for entry in reader.sequence("selectors") {
        let mut one = Reader::new(entry, "selector", &found);
        let name = one.required_text("name");
        one.ignore(&["description"]);
        let is_default = one.boolean("default").unwrap_or(false);
        let definition = one.yaml("definition");
        one.finish();
        let (Some((name, span)), Some(definition)) = (name, definition) else { continue };
        let read = Definitions { selectors: &selectors, indirect }.read(definition, true);
        match read {
            Ok(spec) => {
                if is_default && selectors.default.is_some() {
                    one_default(&found, span);
                }
                if is_default {
                    selectors.default = Some(name.clone());
                }
                selectors.named.insert(name, spec);
            }
            Err(error) => found.borrow_mut().extend(error),
        }
    }
    reader.ignore(&["version"]);
    reader.finish();
    let found = found.into_inner();
    if found.has_errors() { Err(found) } else { Ok(selectors) }
}

fn one_default(found: &Found, span: &Span) {
    found.borrow_mut().push(
        Diagnostic::error(Code::Selector, "two selectors say that they are the default")
            .at(span.clone(), "the second one"),
    );
}

struct Definitions<'a> {
    selectors: &'a Selectors,
    indirect: Indirect,
}

impl Definitions<'_> {
    fn read(&self, yaml: &Yaml, top: bool) -> Result<SelectionSpec> {
        match &yaml.value {
            YamlValue::String(text) => Criterion::parse(text, self.indirect)
                .map(SelectionSpec::Criterion)
                .map_err(|error| error.at(yaml.span.clone(), "").into()),
            YamlValue::Mapping(entries) if entries.contains_key("union") || entries.contains_key("intersection") => {
                if top && entries.len() > 1 {
                    return Err(wrong(
                        yaml,
                        "a definition has one of `union` and `intersection`, and nothing beside it",
                    ));
                }
                let (key, operation) = match entries.get_index_of("union") {
                    Some(_) => ("union", SetOperation::Union),
                    None => ("intersection", SetOperation::Intersection),
                };
                self.set(operation, &entries[key].value)
            }
            YamlValue::Mapping(_) => self.criterion(yaml),
            _ => Err(wrong(yaml, format!("a definition is a text or a mapping, not {}", yaml.kind()))),
        }
    }

    fn set(&self, operation: SetOperation, list: &Yaml) -> Result<SelectionSpec> {
        let Some(items) = list.as_sequence() else { return Err(wrong(list, "expected a list")) };
        let mut found = Diagnostics::new();
        let mut parts = Vec::new();
        let mut excluded: Option<SelectionSpec> = None;
        let mut exclusions = 0;
        for item in items {
            // Exclusions stand beside the parts, as an item of their own.
            if item.get("exclude").is_some() && item.get("method").is_none() {
                exclusions += 1;
                excluded = found.keep(self.exclusions(item)).flatten();
            } else {
                parts.extend(found.keep(self.read(item, false)));
            }
        }
        if exclusions > 1 {
            found.push(first_of(wrong(list, "only one `exclude` may stand in a set")));
        }
        if found.has_errors() {
            return Err(found);
        }
        let set = SelectionSpec::Set(SetSpec { operation, parts, indirect: Indirect::Eager, expected: None });
        Ok(match excluded {
            Some(_) => SelectionSpec::Set(SetSpec {
                operation: SetOperation::Difference,
                parts: std::iter::once(set).chain(excluded).collect(),
                indirect: Indirect::Eager,
                expected: None,
            }),
            None => set,
        })
    }

    fn exclusions(&self, yaml: &Yaml) -> Result<Option<SelectionSpec>> {
        let Some(list) = yaml.get("exclude") else { return Ok(None) };
        let Some(items) = list.as_sequence() else { return Err(wrong(list, "`exclude` is a list")) };
        let mut found = Diagnostics::new();
        let mut parts: Vec<SelectionSpec> =
            items.iter().filter_map(|item| found.keep(self.read(item, false))).collect();
        if found.has_errors() {
            return Err(found);
        }
        Ok(match parts.len() {
            0 => None,
            1 => parts.pop(),
            _ => Some(SelectionSpec::Set(SetSpec {
                operation: SetOperation::Union,
                parts,
                indirect: Indirect::Eager,
                expected: None,
            })),
        })
    }

    fn criterion(&self, yaml: &Yaml) -> Result<SelectionSpec> {
        let entries = yaml.as_mapping().into_iter().flatten();
        let (method, value) = match (yaml.get("method"), yaml.get("value"), yaml.as_mapping().map(IndexMap::len)) {
            (Some(method), Some(value), _) if method.as_str() == Some("selector") => {
                let name = value.scalar_text().unwrap_or_default();
                return self.selectors.get(&name).cloned().map_err(|errors| {
                    errors
                        .into_iter()
                        .map(|error| error.at(value.span.clone(), "it must stand before this one"))
                        .collect()
                });
            }
            (Some(method), Some(value), _) => (method.scalar_text().unwrap_or_default(), value),
            (None, _, Some(1)) => match entries.into_iter().next() {
                Some((key, entry)) => (key.clone(), &entry.value),
                None => return Err(wrong(yaml, "a criterion needs a `method` and a `value`")),
            },
            _ => return Err(wrong(yaml, "a criterion needs a `method` and a `value`, or is one `method: value`")),
        };
        let text = |key: &str| yaml.get(key).and_then(Yaml::scalar_text);
        let flag = |key: &str| yaml.get(key).and_then(Yaml::as_bool).unwrap_or(false);
        let depth = |key: &str, depth: &str| {
            // In YAML, unlike on the command line, a depth of 0 is none.
            let steps = text(depth).and_then(|steps| steps.parse().ok()).filter(|steps| *steps > 0);
            flag(key).then_some(steps)
        };
        let raw = yaml.span.text().lines().map(str::trim).collect::<Vec<_>>().join(" ");
        let read = || -> std::result::Result<Criterion, Diagnostic> {
            let (method, arguments) = read_method(&method, &raw)?;
            let indirect = match text("indirect_selection") {
                None => self.indirect,
                Some(word) => Indirect::from_word(&word).ok_or_else(|| {
                    super::spec::invalid(&raw, format!("`{word}` is none of eager, cautious, buildable, empty"))
                })?,
            };
            Criterion {
                raw: raw.clone(),
                method,
                arguments,
                value: value.to_json(),
                childrens_parents: flag("childrens_parents"),
                parents: depth("parents", "parents_depth"),
                children: depth("children", "children_depth"),
                indirect,
            }
            .check()
        };
        let criterion = read().map_err(|error| Diagnostics::from(error.at(yaml.span.clone(), "")))?;
        Ok(difference(SelectionSpec::Criterion(criterion), self.exclusions(yaml)?))
    }
}

fn difference(included: SelectionSpec, excluded: Option<SelectionSpec>) -> SelectionSpec {
    match excluded {
        None => included,
        Some(excluded) => SelectionSpec::Set(SetSpec {
            operation: SetOperation::Difference,
            parts: vec![included, excluded],
            indirect: Indirect::Eager,
            expected: None,
        }),
    }
}

fn wrong(yaml: &Yaml, message: impl Into<String>) -> Diagnostics {
    Diagnostic::error(Code::Selector, message).at(yaml.span.clone(), "").into()
}

fn first_of(found: Diagnostics) -> Diagnostic {
    let mut found = found.into_iter();
    found.next().unwrap_or_else(|| Diagnostic::error(Code::Internal, "an error without a finding"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::{Style, render};
    use crate::project::yaml::parse_text;
    use std::fmt::Write as _;

    fn shown(spec: &SelectionSpec, depth: usize, to: &mut String) {
        let indent = "  ".repeat(depth);
        match spec {
            SelectionSpec::Criterion(criterion) => {
                let arguments = criterion.arguments.join(".");
                writeln!(
                    to,
                    "{indent}{}[{}]:{} parents {:?} children {:?} @{} {:?}",
                    criterion.method.as_str(),
                    arguments,
                    criterion.value,
                    criterion.parents,
                    criterion.children,
                    criterion.childrens_parents,
                    criterion.indirect
                )
                .expect("a string");
            }
            SelectionSpec::Set(set) => {
                writeln!(to, "{indent}{:?}", set.operation).expect("a string");
                set.parts.iter().for_each(|part| shown(part, depth + 1, to));
            }
        }
    }

    #[test]
    fn definitions_are_read_in_all_their_forms() {
        let text = "
selectors:
  - name: plain
    definition: tag:nightly+2
  - name: short
    definition: {tag: nightly}
  - name: long
    default: true
    definition:
      union:
        - method: config.materialized
          value: incremental
          parents: true
          parents_depth: 2
          children: true
          indirect_selection: cautious
          exclude: [{method: fqn, value: a}]
        - intersection:
            - '@source:crm'
            - {path: models/staging}
            - exclude: [tag:slow, fqn:b]
  - name: heir
    definition: {method: selector, value: short}
";
        let yaml = parse_text(text, "selectors.yml").expect("valid YAML");
        let selectors = read_selectors(&yaml, Indirect::Eager).expect("valid selectors");
        let mut written = String::new();
        for name in selectors.names() {
            writeln!(written, "{name}").expect("a string");
            shown(selectors.get(name).expect("a known name"), 1, &mut written);
        }
        assert_eq!(selectors.default_selection(), selectors.get("long").ok());
        insta::assert_snapshot!(written);
    }

    #[test]
    fn what_is_wrong_is_shown_where_it_stands() {
        let text = "
selectors:
  - name: a
    definition: {union: [tag:x], method: fqn}
  - name: b
    definition: {method: tagg, value: x}
  - name: c
    definition: {method: selector, value: nowhere}
  - name: d
    definition: [a]
  - name: e
    definition: {union: [exclude: [a], exclude: [b]]}
  - definition: a
  - name: f
    definition: '@a+'
    defualt: true
";
        let yaml = parse_text(text, "selectors.yml").expect("valid YAML");
        let found = read_selectors(&yaml, Indirect::Eager).expect_err("nothing is right");
        let frames: Vec<String> = found.iter().map(|found| render(found, Style::Plain)).collect();
        insta::assert_snapshot!(frames.join("\n\n"));
    }
}
