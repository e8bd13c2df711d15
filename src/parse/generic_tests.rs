//! Generic tests: an entry under `data_tests:` becomes a node, named and hashed as dbt does it.

use super::drafts::{Draft, blank, full_name, version_id};
use super::python;
use super::render::Stage;
use super::resolve::Gathered;
use super::sources::{ReadSources, source_id};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, SourceFile, Span, nearest};
use crate::manifest::{ConfigMap, RefCall, SourceCall, TestMetadata};
use crate::name::{ResourceType, UniqueId, quote_identifier};
use crate::project::Package;
use crate::project::properties::{ColumnProperties, Properties, Section};
use crate::project::yaml::{Yaml, YamlValue};
use crate::template::{Templates, has_jinja};
use indexmap::IndexMap;
use md5::{Digest, Md5};
use serde_json::{Map, Value as Json};

/// Keys of a test's entry that are config, not arguments.
const CONFIG_KEYS: [&str; 14] = [
    "severity",
    "tags",
    "enabled",
    "where",
    "limit",
    "warn_if",
    "error_if",
    "fail_calc",
    "store_failures",
    "store_failures_as",
    "meta",
    "database",
    "schema",
    "alias",
];

/// From this length on a test's name is cut and gets a hash.
const LONGEST_NAME: usize = 64;
/// How much of a long name is kept.
const KEPT_OF_NAME: usize = 30;
/// How many hexadecimal digits of the hash stand in a test's id.
const HASH_LENGTH: usize = 10;

/// Tests that read nothing but the node that they stand at: their text need not be rendered to know that.
const PLAIN_TESTS: [&str; 2] = ["macro.dbt.test_not_null", "macro.dbt.test_unique"];

/// What a test stands at.
struct Subject<'a> {
    /// As the test's name has it.
    name: String,
    /// `ref('orders')` or `source('crm', 'customers')`.
    call: String,
    reference: Option<RefCall>,
    source: Option<SourceCall>,
    id: UniqueId,
    tags: Vec<String>,
    file: &'a Properties,
}

/// The tests of all packages. What stands at a node that does not exist, or is disabled, is passed over.
pub fn collect<'a>(
    stage: &Stage<'a>,
    all: &Gathered,
    sources: &ReadSources,
    found: &mut Diagnostics,
) -> Vec<Draft<'a>> {
    let mut drafts = Vec::new();
    for package in &stage.project.packages {
        let templates = stage.project.templates(package.name(), false);
        let builder = Builder { stage, package, templates };
        for file in &package.properties {
            for described in &file.nodes {
                let kind = match described.section {
                    Section::Models => ResourceType::Model,
                    Section::Seeds => ResourceType::Seed,
                    Section::Snapshots => ResourceType::Snapshot,
                    Section::Analyses | Section::DataTests => continue,
                };
                let version = described.version.as_ref().map(|found| &found.version);
                let name = &described.name;
                let id = match version {
                    Some(version) => version_id(package.name(), name, version),
                    None => UniqueId::new(kind, package.name(), name),
                };
                let Some(node) = all.get(&id) else { continue };
                let number = version.map(|version| version.number.text());
                let subject = Subject {
                    call: match &number {
                        Some(number) => format!("ref('{name}', version='{number}')"),
                        None => format!("ref('{name}')"),
                    },
                    name: match version {
                        Some(version) => format!("{name}_{}", version.suffix()),
                        None => name.clone(),
                    },
                    reference: Some(RefCall { package: None, name: name.clone(), version: number, span: None }),
                    source: None,
                    id: node.unique_id.clone(),
                    tags: vec![],
                    file,
                };
                drafts.extend(builder.of_subject(&subject, &described.columns, &described.data_tests, found));
            }
            for described in &file.sources {
                for table in &described.tables {
                    let id = source_id(package.name(), &described.name, &table.name);
                    let Some(source) = sources.enabled.get(&id) else { continue };
                    let call =
                        SourceCall { source_name: described.name.clone(), table_name: table.name.clone(), span: None };
                    let subject = Subject {
                        name: format!("{}_{}", described.name, table.name),
                        call: format!("source('{}', '{}')", described.name, table.name),
                        reference: None,
                        source: Some(call),
                        id,
                        tags: source.config.tags().iter().map(ToString::to_string).collect(),
                        file,
                    };
                    drafts.extend(builder.of_subject(&subject, &table.columns, &table.data_tests, found));
                }
            }
        }
    }
    drafts
}

struct Builder<'s, 'a> {
    stage: &'s Stage<'a>,
    package: &'a Package,
    templates: Templates,
}

/// A test's entry, taken apart.
#[derive(Debug)]
struct Entry {
    name: String,
    namespace: Option<String>,
    arguments: IndexMap<String, Json>,
    config: ConfigMap,
    given_name: Option<String>,
    description: String,
    place: Span,
}

impl<'a> Builder<'_, 'a> {
    fn of_subject(
        &self,
        subject: &Subject<'_>,
        columns: &[ColumnProperties],
        tests: &[Yaml],
        found: &mut Diagnostics,
    ) -> Vec<Draft<'a>> {
        let of_columns =
            columns.iter().flat_map(|column| column.data_tests.iter().map(move |test| (Some(column), test)));
        let all = of_columns.chain(tests.iter().map(|test| (None, test)));
        let mut drafts = Vec::new();
        for (column, test) in all {
            match self.draft(subject, column, test) {
                Ok(draft) => drafts.push(draft),
                Err(error) => found.push(error),
            }
        }
        drafts
    }

    fn draft(
        &self,
        subject: &Subject<'_>,
        column: Option<&ColumnProperties>,
        test: &Yaml,
    ) -> Result<Draft<'a>, Diagnostic> {
        let mut entry = self.entry(test)?;
        let definition = self
            .stage
            .engine
            .registry()
            .find_test(entry.namespace.as_deref(), &entry.name, self.package.name())
            .ok_or_else(|| self.unknown(&entry))?;
        let column_name = column.map(|column| match column.quote {
            Some(true) => quote_identifier(&column.name),
            _ => column.name.clone(),
        });
        if let Some(name) = &column_name {
            entry.arguments.insert("column_name".to_owned(), Json::from(name.as_str()));
        }
        let model = format!("{{{{ get_where_subquery({}) }}}}", subject.call);
        entry.arguments.insert("model".to_owned(), Json::from(model));

        let prefix = if subject.source.is_some() { "source_" } else { "" };
        let identifier = match &entry.namespace {
            Some(namespace) => format!("{namespace}_{prefix}{}_{}", entry.name, subject.name),
            None => format!("{prefix}{}_{}", entry.name, subject.name),
        };
        let (short, full) = match &entry.given_name {
            Some(name) => (name.clone(), name.clone()),
            None => names(&identifier, &entry.arguments),
        };
        if short != full && !entry.config.contains_key("alias") {
            entry.config.insert("alias".to_owned(), Json::from(short.as_str()));
        }
        let raw_code = raw_code(&entry);
        let test = TestMetadata {
            name: entry.name.clone(),
            namespace: entry.namespace.clone(),
            kwargs: entry.arguments.clone(),
            column_name,
            attached_node: Some(subject.id.clone()),
        };
        // No file has this text: its name says what it is, and the finding's chain ends at the entry.
        let file = SourceFile::new(format!("(the test {full})"), raw_code.as_str());
        let mut node = blank(self.package.name(), ResourceType::Test, &full, &file, 0..raw_code.len());
        node.unique_id =
            UniqueId::new(ResourceType::Test, self.package.name(), &format!("{full}.{}", hash(&full, &test)));
        node.path = format!("{short}.sql");
        node.original_file_path.clone_from(&subject.file.original_file_path);
        // The directories of the properties file, without the resource directory.
        let below = subject.file.original_file_path.split_once('/').map_or("", |(_, below)| below);
        node.fqn = full_name(self.package.name(), below, &full);
        node.declared_at = entry.place;
        node.description = entry.description;
        node.depends_on.macros.push(definition.unique_id.clone());
        let is_plain = PLAIN_TESTS.contains(&definition.unique_id.as_str());
        if is_plain {
            node.refs.extend(subject.reference.clone());
            node.sources.extend(subject.source.clone());
        }
        node.test = Some(test);
        let config = with_tags(entry.config, column, &subject.tags);
        Ok(Draft { node, package: self.package, properties: None, config, is_template: !is_plain })
    }

    /// Takes an entry apart: `unique`, `{unique: {…}}` or `{test_name: unique, …}`.
    fn entry(&self, test: &Yaml) -> Result<Entry, Diagnostic> {
        let bad = |at: &Span, message: &str| {
            Diagnostic::error(Code::YamlValue, message).at(at.clone(), "expected a test's name, or `name: arguments`")
        };
        let (name, place, arguments) = match &test.value {
            YamlValue::String(name) => (name.clone(), test.span.clone(), Map::new()),
            YamlValue::Mapping(entries) => match (entries.get("test_name"), entries.first()) {
                (Some(entry), _) => {
                    let name =
                        entry.value.scalar_text().ok_or_else(|| bad(&entry.value.span, "a test's name is a text"))?;
                    let mut arguments = test.to_json_map();
                    arguments.shift_remove("test_name");
                    (name, entry.value.span.clone(), arguments)
                }
                (None, Some((name, entry))) if entries.len() == 1 => {
                    if entry.value.as_mapping().is_none() && !entry.value.is_null() {
                        return Err(bad(&entry.value.span, "the arguments of a test are a mapping"));
                    }
                    (name.clone(), entry.key.clone(), entry.value.to_json_map())
                }
                _ => {
                    return Err(bad(&test.span, "an entry under `data_tests` is one test")
                        .help("indent the arguments below the test's name, or start a new entry with `-`"));
                }
            },
            _ => return Err(bad(&test.span, "an entry under `data_tests` is a test")),
        };
        let (namespace, name) = match name.split_once('.') {
            Some((namespace, name)) => (Some(namespace.to_owned()), name.to_owned()),
            None => (None, name),
        };
        self.sort_out(name, namespace, place, arguments)
    }

    /// Tells config, name and description from the arguments.
    fn sort_out(
        &self,
        name: String,
        namespace: Option<String>,
        place: Span,
        mut given: Map<String, Json>,
    ) -> Result<Entry, Diagnostic> {
        // Arguments may stand under `arguments:` or beside the rest.
        if let Some(Json::Object(inner)) = given.get("arguments").cloned() {
            given.shift_remove("arguments");
            given.extend(inner);
        }
        let mut config = ConfigMap::new();
        let mut nested = match given.shift_remove("config") {
            Some(Json::Object(nested)) => nested,
            _ => Map::new(),
        };
        for key in CONFIG_KEYS {
            if let Some(value) = given.shift_remove(key).filter(|value| !value.is_null()) {
                if nested.contains_key(key) {
                    return Err(Diagnostic::error(
                        Code::YamlValue,
                        format!("the test `{name}` has `{key}` twice: beside and in `config`"),
                    )
                    .at(place, "")
                    .help("keep the one in `config`"));
                }
                config.insert(key.to_owned(), value);
            } else if let Some(value) = nested.shift_remove(key).filter(|value| !value.is_null()) {
                config.insert(key.to_owned(), value);
            }
        }
        config.extend(nested.into_iter().filter(|(_, value)| !value.is_null()));
        for value in config.values_mut() {
            if let Json::String(text) = value
                && has_jinja(text)
            {
                *value = self.templates.render(text, &place)?;
            }
        }
        let given_name = given.shift_remove("name").map(|name| python::text(&name));
        let description = given.shift_remove("description").map(|text| python::text(&text)).unwrap_or_default();
        if given.contains_key("model") {
            return Err(Diagnostic::error(Code::YamlValue, format!("the test `{name}` cannot be given a `model`"))
                .at(place, "it is what the test stands at"));
        }
        Ok(Entry { name, namespace, arguments: given.into_iter().collect(), config, given_name, description, place })
    }

    fn unknown(&self, entry: &Entry) -> Diagnostic {
        let name = match &entry.namespace {
            Some(namespace) => format!("{namespace}.{}", entry.name),
            None => entry.name.clone(),
        };
        let known = self.stage.engine.registry().tests();
        let found = Diagnostic::error(Code::UnknownMacro, format!("there is no generic test `{name}`"))
            .at(entry.place.clone(), "");
        match nearest(&name, known.iter().map(String::as_str)) {
            None if entry.namespace.as_ref().is_some_and(|package| self.stage.project.package(package).is_none()) => {
                let package = entry.namespace.as_deref().unwrap_or_default();
                found.help(format!("there is no package `{package}`: ask for it in packages.yml"))
            }
            Some(near) => found.help(format!("did you mean `{near}`?")),
            None => found.help(format!("write it as `{{% test {}(model, …) %}}`", entry.name)),
        }
    }
}

/// The short and the full name: what is tested and with which arguments, in letters, digits and `_`.
fn names(identifier: &str, arguments: &IndexMap<String, Json>) -> (String, String) {
    let mut keys: Vec<&String> = arguments.keys().filter(|key| *key != "model").collect();
    keys.sort();
    let mut parts: Vec<String> = Vec::new();
    for key in keys {
        match &arguments[key] {
            Json::Array(items) => parts.extend(items.iter().map(python::text)),
            Json::Object(map) => parts.extend(map.values().map(python::text)),
            value => parts.push(python::text(value)),
        }
    }
    let clean: Vec<String> = parts.iter().map(|part| only_word_letters(part)).collect();
    let full = format!("{identifier}_{}", clean.join("__"));
    if full.chars().count() < LONGEST_NAME {
        return (full.clone(), full);
    }
    let kept: String = identifier.chars().take(KEPT_OF_NAME).collect();
    (format!("{kept}_{}", hexadecimal(&full)), full)
}

/// Every run of other letters becomes one `_`.
fn only_word_letters(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut in_run = false;
    for letter in text.chars() {
        let is_word = letter.is_ascii_alphanumeric() || letter == '_';
        if is_word {
            clean.push(letter);
        } else if !in_run {
            clean.push('_');
        }
        in_run = !is_word;
    }
    clean
}

fn hexadecimal(text: &str) -> String {
    use std::fmt::Write as _;
    Md5::digest(text.as_bytes()).iter().fold(String::with_capacity(32), |mut digits, byte| {
        // Writing to a string does not fail.
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}

/// The end of the MD5 of a test's name and of all that it is given, as Python prints it with sorted keys.
fn hash(name: &str, test: &TestMetadata) -> String {
    let kwargs: Map<String, Json> = test.kwargs.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    let metadata = serde_json::json!({"namespace": test.namespace, "name": test.name, "kwargs": kwargs});
    let digits = hexadecimal(&format!("{name}{}", python::repr(&hashable(&metadata))));
    digits[digits.len() - HASH_LENGTH..].to_owned()
}

/// Keys sorted, everything that is no collection as text.
fn hashable(value: &Json) -> Json {
    match value {
        Json::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort();
            Json::Object(keys.into_iter().map(|key| (key.clone(), hashable(&map[key]))).collect())
        }
        Json::Array(items) => items.iter().map(hashable).collect(),
        scalar => Json::String(python::text(scalar)),
    }
}

/// The text of the node: the test's call, and its config.
fn raw_code(entry: &Entry) -> String {
    let namespace = entry.namespace.as_ref().map(|namespace| format!("{namespace}.")).unwrap_or_default();
    let call = format!("{{{{ {namespace}test_{}(**_dbt_generic_test_kwargs) }}}}", entry.name);
    if entry.config.is_empty() {
        return call;
    }
    let value = |value: &Json| match value {
        Json::String(text) => format!("\"{}\"", text.replace('"', "\\\"")),
        other => python::text(other),
    };
    let config: Vec<String> = entry.config.iter().map(|(key, given)| format!("{key}={}", value(given))).collect();
    format!("{call}{{{{ config({}) }}}}", config.join(","))
}

/// The config with the tags of the column and of the source.
fn with_tags(mut config: ConfigMap, column: Option<&ColumnProperties>, more: &[String]) -> ConfigMap {
    let mut tags: Vec<String> = match config.get("tags") {
        Some(Json::Array(items)) => items.iter().map(python::text).collect(),
        Some(Json::String(tag)) => vec![tag.clone()],
        _ => vec![],
    };
    tags.extend(column.into_iter().flat_map(|column| column.tags.iter().cloned()));
    tags.extend_from_slice(more);
    tags.sort();
    tags.dedup();
    if !tags.is_empty() {
        config.insert("tags".to_owned(), Json::from(tags));
    }
    config
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn arguments(value: Json) -> IndexMap<String, Json> {
        value.as_object().expect("an object").clone().into_iter().collect()
    }

    #[test]
    fn names_are_those_of_dbt() {
        let given = arguments(json!({"values": ["a b", 1, true, null], "column_name": "status", "model": "m"}));
        let (short, full) = names("accepted_values_orders", &given);
        assert_eq!(full, "accepted_values_orders_status__a_b__1__True__None");
        assert_eq!(short, full);
        let long = arguments(json!({"column_name": "a_rather_long_name_of_a_column_that_goes_on"}));
        let (short, full) = names("not_null_a_rather_long_name_of_a_model", &long);
        assert_eq!(short, "not_null_a_rather_long_name_of_8f82c502777ae2099d0fe4920905fa4b");
        assert!(full.len() > 63);
    }

    #[test]
    fn hashes_are_those_of_dbt() {
        let test = TestMetadata {
            name: "unique".into(),
            namespace: None,
            kwargs: arguments(json!({"column_name": "order_id", "model": "{{ get_where_subquery(ref('orders')) }}"})),
            column_name: Some("order_id".into()),
            attached_node: None,
        };
        // The id that dbt gives this test in its own example project.
        assert_eq!(hash("unique_orders_order_id", &test), "fed79b3a6e");
    }
}
