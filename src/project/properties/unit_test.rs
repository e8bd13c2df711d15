//! `unit_tests:` of a properties file.

use super::{not_one_of, read_config, unrendered_config};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::project::yaml::{Entry, Found, Reader, Yaml};
use serde_json::{Map, Value as Json};

/// What is said of a unit test.
#[derive(Debug, Clone)]
pub struct UnitTestProperties {
    /// The test's name.
    pub name: String,
    /// Where the name stands.
    pub name_span: Span,
    /// The description, Jinja not rendered.
    pub description: String,
    /// The name of the tested model, and where it stands.
    pub model: (String, Span),
    /// What the model reads instead of its parents.
    pub given: Vec<GivenProperties>,
    /// What it should make of that.
    pub expect: FixtureProperties,
    /// What templates see instead of the project's values.
    pub overrides: Option<OverrideProperties>,
    /// Which versions of the model are tested; none for all.
    pub versions: Option<VersionChoice>,
    /// `config:` and the keys beside it that belong there, rendered.
    pub config: Map<String, Json>,
    /// Where each config key stands.
    pub config_places: Vec<(String, Span)>,
    /// The same as written.
    pub unrendered_config: Map<String, Json>,
}

/// One entry under `given:`.
#[derive(Debug, Clone)]
pub struct GivenProperties {
    /// `ref('orders')`, `source('crm', 'customers')` or `this`, and where it stands.
    pub input: (String, Span),
    /// Its rows.
    pub fixture: FixtureProperties,
}

/// Rows as they are written.
#[derive(Debug, Clone)]
pub struct FixtureProperties {
    /// Where the entry stands.
    pub span: Span,
    /// How the rows are written.
    pub format: FixtureFormat,
    /// The rows, where they stand in the entry itself.
    pub rows: Option<Yaml>,
    /// The name of the file that has them, and where it stands.
    pub fixture: Option<(String, Span)>,
}

/// How the rows of a fixture are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FixtureFormat {
    /// A list of mappings from columns to values.
    Dict,
    /// CSV with a header.
    Csv,
    /// A query.
    Sql,
}

impl FixtureFormat {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dict => "dict",
            Self::Csv => "csv",
            Self::Sql => "sql",
        }
    }
}

/// What templates see instead of the project's values.
#[derive(Debug, Clone, Default)]
pub struct OverrideProperties {
    /// What macros give, by name or by `package.name`.
    pub macros: Map<String, Json>,
    /// Where each macro's name stands.
    pub macro_places: Vec<(String, Span)>,
    /// Variables by name.
    pub variables: Map<String, Json>,
    /// Environment variables by name.
    pub environment: Map<String, Json>,
}

/// Which versions of a model are tested.
#[derive(Debug, Clone)]
pub struct VersionChoice {
    /// Where `versions:` stands.
    pub span: Span,
    /// Only these.
    pub include: Option<Vec<Json>>,
    /// All but these.
    pub exclude: Option<Vec<Json>>,
}

/// Reads one entry; none where it lacks what every unit test needs, which is found.
pub fn read(entry: &Yaml, written: &Yaml, found: &Found) -> Option<UnitTestProperties> {
    let mut reader = Reader::new(entry, "unit test", found);
    let name = reader.required_text("name");
    let model = reader.required_text("model");
    let (config, config_places) = read_config(&mut reader);
    let given = if reader.yaml("given").is_some() {
        reader.sequence("given").iter().filter_map(|given| read_given(given, found)).collect()
    } else {
        let help = "a model that reads nothing has `given: []`";
        reader.report(missing("given", reader.span()).help(help));
        vec![]
    };
    let expect = if let Some(expect) = reader.yaml("expect") {
        let mut inner = Reader::new(expect, "expectation", found);
        let fixture = read_fixture(&mut inner, &expect.span);
        inner.finish();
        Some(fixture)
    } else {
        reader.report(missing("expect", reader.span()).help("name the rows: `expect: {rows: [{id: 1}]}`"));
        None
    };
    let description = reader.text("description").unwrap_or_default();
    let overrides = reader.reader("overrides", "unit test's override").map(read_overrides);
    let versions = reader.yaml("versions").map(|versions| read_versions(versions, found));
    reader.finish();
    let ((name, name_span), (model, model_span)) = (name?, model?);
    Some(UnitTestProperties {
        name,
        name_span: name_span.clone(),
        description,
        model: (model, model_span.clone()),
        given,
        expect: expect?,
        overrides,
        versions,
        config,
        config_places,
        unrendered_config: unrendered_config(written),
    })
}

fn missing(key: &str, span: &Span) -> Diagnostic {
    Diagnostic::error(Code::YamlValue, format!("the unit test needs `{key}`"))
        .at(span.clone(), format!("`{key}` is missing here"))
}

fn read_given(entry: &Yaml, found: &Found) -> Option<GivenProperties> {
    let mut reader = Reader::new(entry, "unit test's input", found);
    let input = reader.required_text("input");
    let fixture = read_fixture(&mut reader, &entry.span);
    reader.finish();
    let (input, span) = input?;
    Some(GivenProperties { input: (input, span.clone()), fixture })
}

fn read_fixture(reader: &mut Reader<'_>, span: &Span) -> FixtureProperties {
    const FORMATS: [FixtureFormat; 3] = [FixtureFormat::Dict, FixtureFormat::Csv, FixtureFormat::Sql];
    let format = reader.placed_text("format").and_then(|(word, span)| {
        let format = FORMATS.into_iter().find(|format| format.as_str() == word);
        if format.is_none() {
            reader.report(not_one_of("format of rows", &word, span, &FORMATS.map(FixtureFormat::as_str)));
        }
        format
    });
    FixtureProperties {
        span: span.clone(),
        format: format.unwrap_or(FixtureFormat::Dict),
        rows: reader.yaml("rows").cloned(),
        fixture: reader.placed_text("fixture").map(|(name, span)| (name, span.clone())),
    }
}

fn read_overrides(mut reader: Reader<'_>) -> OverrideProperties {
    let macros = reader.mapping("macros");
    let places = macros.and_then(Yaml::as_mapping).into_iter().flatten();
    let macro_places = places.map(|(name, Entry { key, .. })| (name.clone(), key.clone())).collect();
    let map = |yaml: Option<&Yaml>| yaml.map(Yaml::to_json_map).unwrap_or_default();
    let overrides = OverrideProperties {
        macros: map(macros),
        macro_places,
        variables: map(reader.mapping("vars")),
        environment: map(reader.mapping("env_vars")),
    };
    reader.finish();
    overrides
}

fn read_versions(versions: &Yaml, found: &Found) -> VersionChoice {
    let mut reader = Reader::new(versions, "choice of versions", found);
    let mut list = |key| reader.yaml(key).map(|_| reader.sequence(key).iter().map(Yaml::to_json).collect::<Vec<_>>());
    let (include, exclude) = (list("include"), list("exclude"));
    let is_given = |list: &Option<Vec<Json>>| list.as_ref().is_some_and(|list| !list.is_empty());
    if is_given(&include) && is_given(&exclude) {
        let message = "a unit test cannot both include and exclude versions";
        reader.report(
            Diagnostic::error(Code::YamlValue, message)
                .at(versions.span.clone(), "")
                .help("name those to test, or those to leave out"),
        );
    }
    reader.finish();
    VersionChoice { span: versions.span.clone(), include, exclude }
}
