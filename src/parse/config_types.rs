//! What config values may be.

use crate::diagnostic::{Code, Diagnostic, Diagnostics, Span, nearest};
use crate::manifest::Node;
use rustc_hash::FxHashMap;
use serde_json::Value as Json;

/// What a value may be.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Truth,
    Text,
    Texts,
    Number,
    Mapping,
    OneOf(&'static [&'static str]),
}

impl Kind {
    fn fits(self, value: &Json) -> bool {
        match self {
            Self::Truth => value.is_boolean(),
            // A number may stand for a text: `alias: 2024`.
            Self::Text => value.is_string() || value.is_number(),
            Self::Texts => match value {
                Json::Array(items) => items.iter().all(|item| item.is_string() || item.is_number()),
                value => value.is_string() || value.is_number(),
            },
            Self::Number => value.is_number() || value.as_str().is_some_and(|text| text.parse::<f64>().is_ok()),
            Self::Mapping => value.is_object(),
            Self::OneOf(words) => {
                value.as_str().is_some_and(|word| words.iter().any(|one| one.eq_ignore_ascii_case(word)))
            }
        }
    }

    fn words(self) -> String {
        match self {
            Self::Truth => "`true` or `false`".to_owned(),
            Self::Text => "a text".to_owned(),
            Self::Texts => "a text or a list of texts".to_owned(),
            Self::Number => "a number".to_owned(),
            Self::Mapping => "a mapping".to_owned(),
            Self::OneOf(words) => format!("one of {}", words.join(", ")),
        }
    }
}

const TYPES: [(&str, Kind); 33] = [
    ("enabled", Kind::Truth),
    ("materialized", Kind::Text),
    ("alias", Kind::Text),
    ("schema", Kind::Text),
    ("database", Kind::Text),
    ("tags", Kind::Texts),
    ("packages", Kind::Texts),
    ("meta", Kind::Mapping),
    ("group", Kind::Text),
    ("persist_docs", Kind::Mapping),
    ("quoting", Kind::Mapping),
    ("column_types", Kind::Mapping),
    ("full_refresh", Kind::Truth),
    ("unique_key", Kind::Texts),
    ("on_schema_change", Kind::OneOf(&["ignore", "fail", "append_new_columns", "sync_all_columns"])),
    ("on_configuration_change", Kind::OneOf(&["apply", "continue", "fail"])),
    ("grants", Kind::Mapping),
    ("docs", Kind::Mapping),
    ("contract", Kind::Mapping),
    ("incremental_strategy", Kind::Text),
    ("event_time", Kind::Text),
    ("concurrent_batches", Kind::Truth),
    ("dialect", Kind::OneOf(&["duckdb", "snowflake"])),
    ("severity", Kind::OneOf(&["error", "warn"])),
    ("store_failures", Kind::Truth),
    ("store_failures_as", Kind::OneOf(&["table", "view", "ephemeral"])),
    ("fail_calc", Kind::Text),
    ("warn_if", Kind::Text),
    ("error_if", Kind::Text),
    ("limit", Kind::Number),
    ("where", Kind::Text),
    ("delimiter", Kind::Text),
    ("quote_columns", Kind::Truth),
];

/// Keys that are easily mistaken; strange keys are otherwise the user's own.
const MISTAKEN: [(&str, &str); 6] = [
    ("materialised", "materialized"),
    ("materialize", "materialized"),
    ("materialization", "materialized"),
    ("unique_keys", "unique_key"),
    ("tag", "tags"),
    ("on_schema_changes", "on_schema_change"),
];

/// Complains of values of the wrong kind.
pub fn check(node: &Node, places: &FxHashMap<String, Span>, found: &mut Diagnostics) {
    let place = |key: &str| places.get(key).unwrap_or(&node.declared_at).clone();
    for (key, kind) in TYPES {
        let Some(value) = node.config.get(key) else { continue };
        if kind.fits(value) {
            continue;
        }
        let mut complaint = Diagnostic::error(
            Code::Config,
            format!("the config `{key}` of `{}` cannot be `{}`", node.name, shown(value)),
        )
        .at(place(key), format!("expected {}", kind.words()));
        if let (Kind::OneOf(words), Some(given)) = (kind, value.as_str())
            && let Some(near) = nearest(given, words.iter().copied())
        {
            complaint = complaint.help(format!("did you mean `{near}`?"));
        }
        found.push(complaint);
    }
    for (wrong, right) in MISTAKEN {
        if node.config.get(wrong).is_some() {
            found.push(
                Diagnostic::warning(Code::UnknownKey, format!("nothing reads the config `{wrong}` of `{}`", node.name))
                    .at(place(wrong), "")
                    .help(format!("did you mean `{right}`?")),
            );
        }
    }
}

fn shown(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}
