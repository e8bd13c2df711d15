//! Sources in properties YAML.

use super::{ColumnProperties, not_one_of, read_column, read_config, read_tests};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::project::config::{QuotingConfig, read_quoting};
use crate::project::yaml::{Found, Reader, Yaml};
use serde_json::{Map, Value as Json};
use std::sync::Arc;

/// What is said of a source: a schema (or a system) with tables.
#[derive(Debug, Clone)]
pub struct SourceProperties {
    /// The source's name.
    pub name: String,
    /// Where the name stands.
    pub name_span: Span,
    /// The description, Jinja not rendered.
    pub description: String,
    /// The database, if not the target's.
    pub database: Option<String>,
    /// The schema, if it is not called like the source.
    pub schema: Option<String>,
    /// What loads it, in words.
    pub loader: String,
    /// `config:` and the keys beside it that belong there.
    pub config: Map<String, Json>,
    /// The system to fetch from, Jinja not rendered.
    pub connector: Option<Arc<Yaml>>,
    /// The tables.
    pub tables: Vec<TableProperties>,
}

/// What is said of a table of a source, with what the source says for all of them merged in.
#[derive(Debug, Clone)]
pub struct TableProperties {
    /// The table's name.
    pub name: String,
    /// Where the name stands.
    pub name_span: Span,
    /// The description, Jinja not rendered.
    pub description: String,
    /// The name in the warehouse, if another.
    pub identifier: Option<String>,
    /// Columns in order.
    pub columns: Vec<ColumnProperties>,
    /// `config:` and the keys beside it that belong there, without the source's.
    pub config: Map<String, Json>,
    /// Tests of the table as a whole, Jinja not rendered.
    pub data_tests: Vec<Yaml>,
    /// Which parts of the name are quoted.
    pub quoting: QuotingConfig,
    /// What says when the table was loaded.
    pub loaded_at: LoadedAtProperties,
    /// When the table counts as old; none where that was switched off with `null`.
    pub freshness: Option<FreshnessProperties>,
    /// `external:`, how a table is made from files, for the packages that do so.
    pub external: Option<Map<String, Json>>,
    /// What to fetch, Jinja not rendered.
    pub extract: Option<Arc<Yaml>>,
}

/// When a table counts as old: counts and periods (`minute`, `hour`, `day`). Without thresholds nothing was said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FreshnessProperties {
    /// After which to warn.
    pub warn_after: Option<(u64, String)>,
    /// After which it is an error.
    pub error_after: Option<(u64, String)>,
    /// A condition on the rows that are looked at.
    pub filter: Option<String>,
}

impl FreshnessProperties {
    /// Whether it says anything that a table could be judged by.
    pub fn has_thresholds(&self) -> bool {
        self.warn_after.is_some() || self.error_after.is_some()
    }
}

/// What says when a table was loaded; where both are given, the query counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoadedAtProperties {
    /// The column that says when a row was loaded.
    pub field: Option<String>,
    /// A query of one value, Jinja not rendered.
    pub query: Option<String>,
    /// Whether anything was said of it, be it `null`: then `dbt_project.yml` has no say.
    pub is_said: bool,
}

/// `freshness:` as given at one place; an explicit `null` switches it off.
enum Given {
    Absent,
    Off,
    Thresholds { warn_after: After, error_after: After, filter: Option<String> },
}

/// A threshold as given at one place.
enum After {
    Absent,
    Off,
    Set(u64, String),
}

/// What a source says for all its tables.
struct ForAll {
    quoting: QuotingConfig,
    loaded_at: LoadedAtProperties,
    freshness: Option<FreshnessProperties>,
}

pub(super) fn read(entry: &Yaml, found: &Found) -> Option<SourceProperties> {
    let mut reader = Reader::new(entry, "source", found);
    let name = reader.required_text("name");
    let (config, _) = read_config(&mut reader);
    let for_all = ForAll {
        quoting: quoting(&mut reader),
        loaded_at: loaded_at(&mut reader, None),
        freshness: both_freshness(&mut reader, Some(FreshnessProperties::default())),
    };
    let source = SourceProperties {
        name: String::new(),
        name_span: entry.span.clone(),
        description: reader.text("description").unwrap_or_default(),
        database: reader.text("database").or_else(|| reader.text("catalog")),
        schema: reader.text("schema"),
        loader: reader.text("loader").unwrap_or_default(),
        config,
        connector: reader.mapping("connector").map(|connector| Arc::new(connector.clone())),
        tables: reader.sequence("tables").iter().filter_map(|table| read_table(table, &for_all, found)).collect(),
    };
    reader.ignore(&["catalog"]);
    reader.not_supported("overrides");
    reader.finish();
    let (name, span) = name?;
    Some(SourceProperties { name, name_span: span.clone(), ..source })
}

fn read_table(entry: &Yaml, for_all: &ForAll, found: &Found) -> Option<TableProperties> {
    let mut reader = Reader::new(entry, "table", found);
    let name = reader.required_text("name");
    let (config, _) = read_config(&mut reader);
    let own = quoting(&mut reader);
    let table = TableProperties {
        name: String::new(),
        name_span: entry.span.clone(),
        description: reader.text("description").unwrap_or_default(),
        identifier: reader.text("identifier"),
        columns: reader.sequence("columns").iter().filter_map(|column| read_column(column, found)).collect(),
        data_tests: read_tests(&mut reader),
        quoting: QuotingConfig {
            database: own.database.or(for_all.quoting.database),
            schema: own.schema.or(for_all.quoting.schema),
            identifier: own.identifier.or(for_all.quoting.identifier),
        },
        loaded_at: loaded_at(&mut reader, Some(&for_all.loaded_at)),
        freshness: both_freshness(&mut reader, for_all.freshness.clone()),
        extract: reader.mapping("extract").map(|extract| Arc::new(extract.clone())),
        external: reader.mapping("external").map(Yaml::to_json_map),
        config,
    };
    reader.ignore(&["loader"]);
    reader.finish();
    let (name, span) = name?;
    Some(TableProperties { name, name_span: span.clone(), ..table })
}

fn quoting(reader: &mut Reader<'_>) -> QuotingConfig {
    let Some(mut inner) = reader.reader("quoting", "quoting") else { return QuotingConfig::default() };
    let quoting = read_quoting(&mut inner);
    inner.ignore(&["column"]);
    inner.finish();
    quoting
}

/// A text as given at one place; `null` says that there is none.
enum Said<'a> {
    Nothing,
    Null,
    Text(String, &'a Span),
}

impl Said<'_> {
    fn is_nothing(&self) -> bool {
        matches!(self, Self::Nothing)
    }

    fn into_text(self) -> Option<String> {
        match self {
            Self::Text(text, _) => Some(text),
            Self::Nothing | Self::Null => None,
        }
    }
}

/// `loaded_at_field` and `loaded_at_query` of a source, or of a table whose source said `inherited`. A table that gives
/// the field, be it `null`, has no use for its source's query.
fn loaded_at(reader: &mut Reader<'_>, inherited: Option<&LoadedAtProperties>) -> LoadedAtProperties {
    let field = said(reader, "loaded_at_field");
    let query = said(reader, "loaded_at_query");
    if let (Said::Text(_, field), Said::Text(_, query)) = (&field, &query) {
        reader.report(
            Diagnostic::error(Code::YamlValue, "`loaded_at_field` and `loaded_at_query` are given at the same place")
                .at((*query).clone(), "the query")
                .at((*field).clone(), "the field")
                .help("keep the one that says when the table was loaded"),
        );
    }
    let base = inherited.cloned().unwrap_or_default();
    LoadedAtProperties {
        is_said: base.is_said || !field.is_nothing() || !query.is_nothing(),
        query: if query.is_nothing() && field.is_nothing() { base.query } else { query.into_text() },
        field: if field.is_nothing() { base.field } else { field.into_text() },
    }
}

/// A text under a key or under the same key of `config:`.
fn said<'a>(reader: &mut Reader<'a>, key: &'static str) -> Said<'a> {
    let configured = reader.yaml("config").and_then(|config| config.get(key));
    let beside = reader.entry_or_null(key);
    let Some(value) = [beside, configured].into_iter().flatten().find(|value| !value.is_null()) else {
        return if beside.is_some() || configured.is_some() { Said::Null } else { Said::Nothing };
    };
    let wrong = match value.scalar_text() {
        Some(text) if !text.trim().is_empty() => return Said::Text(text, &value.span),
        Some(_) => Diagnostic::error(Code::YamlValue, format!("`{key}` is an empty text"))
            .help("name a column, or write `null` to inherit none"),
        None => Diagnostic::error(Code::YamlValue, format!("`{key}` must be a text, not {}", value.kind())),
    };
    reader.report(wrong.at(value.span.clone(), ""));
    Said::Nothing
}

/// `freshness:` as it stands, and then as it stands in `config:`, on top of what was said before.
fn both_freshness(reader: &mut Reader<'_>, base: Option<FreshnessProperties>) -> Option<FreshnessProperties> {
    let given = |value: Option<&Yaml>, reader: &Reader<'_>| match value {
        None => Given::Absent,
        Some(value) => thresholds(value, reader.found()),
    };
    let beside = given(reader.entry_or_null("freshness"), reader);
    let configured = given(reader.yaml("config").and_then(|config| config.get("freshness")), reader);
    merged(merged(base, beside), configured)
}

fn thresholds(value: &Yaml, found: &Found) -> Given {
    if value.is_null() {
        return Given::Off;
    }
    let mut reader = Reader::new(value, "freshness", found);
    let (warn_after, error_after) = (after(&mut reader, "warn_after"), after(&mut reader, "error_after"));
    let filter = reader.text("filter");
    reader.finish();
    Given::Thresholds { warn_after, error_after, filter }
}

const PERIODS: [&str; 3] = ["minute", "hour", "day"];

fn after(reader: &mut Reader<'_>, key: &'static str) -> After {
    let Some(value) = reader.entry_or_null(key) else { return After::Absent };
    if value.is_null() {
        return After::Off;
    }
    let mut inner = Reader::new(value, "threshold", reader.found());
    let count = inner.count("count");
    let period = inner.placed_text("period");
    inner.finish();
    match (count, period) {
        (_, Some((period, span))) if !PERIODS.contains(&period.as_str()) => {
            reader.report(not_one_of("period", &period, span, &PERIODS));
            After::Absent
        }
        (Some(count), Some((period, _))) => After::Set(count, period),
        (None, None) => After::Absent,
        (count, _) => {
            let missing = if count.is_some() { "period" } else { "count" };
            // One that is there but makes no sense has been told already.
            if value.get(missing).is_none_or(Yaml::is_null) {
                reader.report(
                    Diagnostic::warning(Code::YamlValue, format!("`{key}` has no `{missing}`, so it says nothing"))
                        .at(value.span.clone(), "")
                        .help("write both: {count: 12, period: hour}"),
                );
            }
            After::Absent
        }
    }
}

/// What is given later wins, threshold by threshold.
fn merged(base: Option<FreshnessProperties>, given: Given) -> Option<FreshnessProperties> {
    let limit = |after: After, base: Option<(u64, String)>| match after {
        After::Absent => base,
        After::Off => None,
        After::Set(count, period) => Some((count, period)),
    };
    match (given, base) {
        (Given::Absent, base) => base,
        (Given::Off, _) => None,
        (Given::Thresholds { warn_after, error_after, filter }, base) => {
            let was_off = base.is_none();
            let base = base.unwrap_or_default();
            let merged = FreshnessProperties {
                warn_after: limit(warn_after, base.warn_after),
                error_after: limit(error_after, base.error_after),
                filter: filter.or(base.filter),
            };
            // What was switched off needs a threshold to be on again.
            (!was_off || merged.has_thresholds()).then_some(merged)
        }
    }
}

/// `freshness` of `dbt_project.yml`, of which a value that makes no sense says nothing.
pub fn freshness_from_config(value: &Json) -> Option<FreshnessProperties> {
    let after = |key: &str| {
        let given = value.get(key)?;
        let period = given.get("period")?.as_str().filter(|period| PERIODS.contains(period))?;
        Some((given.get("count")?.as_u64()?, period.to_owned()))
    };
    let filter = value.get("filter").and_then(Json::as_str).map(str::to_owned);
    (!value.is_null()).then(|| FreshnessProperties {
        warn_after: after("warn_after"),
        error_after: after("error_after"),
        filter,
    })
}
