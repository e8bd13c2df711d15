//! Sources in properties YAML.

use super::{ColumnProperties, not_one_of, read_column, read_config, read_tests};
use crate::diagnostic::Span;
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
    /// The column that says when a row was loaded.
    pub loaded_at_field: Option<String>,
    /// When the table counts as old.
    pub freshness: Option<FreshnessProperties>,
    /// What to fetch, Jinja not rendered.
    pub extract: Option<Arc<Yaml>>,
}

/// When a table counts as old: counts and periods (`minute`, `hour`, `day`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FreshnessProperties {
    /// After which to warn.
    pub warn_after: Option<(u64, String)>,
    /// After which it is an error.
    pub error_after: Option<(u64, String)>,
    /// A condition on the rows that are looked at.
    pub filter: Option<String>,
}

/// `freshness:` as given at one place; an explicit `null` switches it off.
enum Given {
    Absent,
    Off,
    Thresholds(FreshnessProperties),
}

/// What a source says for all its tables.
struct ForAll {
    quoting: QuotingConfig,
    loaded_at_field: Option<String>,
    freshness: Option<FreshnessProperties>,
}

pub(super) fn read(entry: &Yaml, found: &Found) -> Option<SourceProperties> {
    let mut reader = Reader::new(entry, "source", found);
    let name = reader.required_text("name");
    let (config, _) = read_config(&mut reader);
    let for_all = ForAll {
        quoting: quoting(&mut reader),
        loaded_at_field: loaded_at_field(&mut reader, &config),
        freshness: merged(merged(None, freshness(&mut reader)), config_freshness(&mut reader)),
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
    let freshness = merged(for_all.freshness.clone(), freshness(&mut reader));
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
        loaded_at_field: loaded_at_field(&mut reader, &config).or_else(|| for_all.loaded_at_field.clone()),
        freshness: merged(freshness, config_freshness(&mut reader)),
        extract: reader.mapping("extract").map(|extract| Arc::new(extract.clone())),
        config,
    };
    reader.not_supported("external");
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

fn loaded_at_field(reader: &mut Reader<'_>, config: &Map<String, Json>) -> Option<String> {
    reader.not_supported("loaded_at_query");
    let beside = reader.text("loaded_at_field");
    beside.or_else(|| Some(config.get("loaded_at_field")?.as_str()?.to_owned()))
}

fn freshness(reader: &mut Reader<'_>) -> Given {
    match reader.entry_or_null("freshness") {
        None => Given::Absent,
        Some(value) => thresholds(value, reader.found()),
    }
}

fn config_freshness(reader: &mut Reader<'_>) -> Given {
    match reader.yaml("config").and_then(|config| config.get("freshness")) {
        None => Given::Absent,
        Some(value) => thresholds(value, reader.found()),
    }
}

fn thresholds(value: &Yaml, found: &Found) -> Given {
    if value.is_null() {
        return Given::Off;
    }
    let mut reader = Reader::new(value, "freshness", found);
    let mut after = |key| {
        let mut inner = reader.reader(key, "threshold")?;
        let count = inner.count("count");
        let period = inner.placed_text("period");
        inner.finish();
        let (period, span) = period?;
        if !["minute", "hour", "day"].contains(&period.as_str()) {
            found.borrow_mut().push(not_one_of("period", &period, span, &["minute", "hour", "day"]));
            return None;
        }
        Some((count?, period))
    };
    let (warn_after, error_after) = (after("warn_after"), after("error_after"));
    let filter = reader.text("filter");
    reader.finish();
    Given::Thresholds(FreshnessProperties { warn_after, error_after, filter })
}

/// What is given later wins, threshold by threshold.
fn merged(base: Option<FreshnessProperties>, given: Given) -> Option<FreshnessProperties> {
    match given {
        Given::Absent => base,
        Given::Off => None,
        Given::Thresholds(own) => {
            let base = base.unwrap_or_default();
            Some(FreshnessProperties {
                warn_after: own.warn_after.or(base.warn_after),
                error_after: own.error_after.or(base.error_after),
                filter: own.filter.or(base.filter),
            })
        }
    }
}
