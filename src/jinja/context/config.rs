//! `config(…)` and `config.get(…)`.

use super::{current, failure, failure_with_help};
use crate::diagnostic::Code;
use crate::jinja::host::Phase;
use crate::jinja::value::{is_absent, none, pairs, repr, text};
use crate::jinja::{Arguments, from_json, to_json};
use crate::manifest::ConfigMap;
use crate::name::ResourceType;
use minijinja::value::{Object, ObjectRepr, Value};
use minijinja::{Error, State};
use serde_json::{Value as Json, json};
use std::fmt;
use std::sync::{Arc, LazyLock};

/// The object `config`. What it reads and writes is the render's, so one object serves all.
pub(super) struct Config;

impl fmt::Debug for Config {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("<function config>")
    }
}

const METHODS: &[&str] =
    &["get", "require", "set", "meta_get", "meta_require", "persist_relation_docs", "persist_column_docs"];

/// Keys that every node's config has, with dbt's defaults: `config.get` finds them whether they were set or not.
static NODE_DEFAULTS: LazyLock<ConfigMap> = LazyLock::new(|| {
    defaults(json!({
        "enabled": true, "alias": null, "schema": null, "database": null, "tags": [], "meta": {}, "group": null,
        "static_analysis": null, "materialized": "view", "incremental_strategy": null, "batch_size": null,
        "lookback": 1, "begin": null, "persist_docs": {}, "post-hook": [], "pre-hook": [], "quoting": {},
        "column_types": {}, "full_refresh": null, "unique_key": null, "on_schema_change": "ignore",
        "on_configuration_change": "apply", "grants": {}, "packages": [],
        "docs": {"show": true, "node_color": null}, "contract": {"enforced": false, "alias_types": true},
        "event_time": null, "concurrent_batches": null,
    }))
});
static MODEL_DEFAULTS: LazyLock<ConfigMap> =
    LazyLock::new(|| with(&NODE_DEFAULTS, json!({"access": "protected", "freshness": null})));
static SEED_DEFAULTS: LazyLock<ConfigMap> =
    LazyLock::new(|| with(&NODE_DEFAULTS, json!({"materialized": "seed", "delimiter": ",", "quote_columns": null})));
static SNAPSHOT_DEFAULTS: LazyLock<ConfigMap> = LazyLock::new(|| {
    with(
        &NODE_DEFAULTS,
        json!({
            "materialized": "snapshot", "strategy": null, "target_schema": null, "target_database": null,
            "updated_at": null, "check_cols": null, "dbt_valid_to_current": null,
            "snapshot_meta_column_names": {
                "dbt_valid_to": null, "dbt_valid_from": null, "dbt_scd_id": null, "dbt_updated_at": null,
                "dbt_is_deleted": null,
            },
        }),
    )
});
static TEST_DEFAULTS: LazyLock<ConfigMap> = LazyLock::new(|| {
    defaults(json!({
        "enabled": true, "alias": null, "schema": "dbt_test__audit", "database": null, "tags": [], "meta": {},
        "group": null, "static_analysis": null, "materialized": "test", "severity": "ERROR",
        "store_failures": null, "store_failures_as": null, "where": null, "limit": null, "fail_calc": "count(*)",
        "warn_if": "!= 0", "error_if": "!= 0",
    }))
});
static SOURCE_DEFAULTS: LazyLock<ConfigMap> = LazyLock::new(|| {
    defaults(json!({"enabled": true, "event_time": null, "meta": {}, "tags": [], "static_analysis": null}))
});

fn defaults(json: Json) -> ConfigMap {
    json.as_object().cloned().unwrap_or_default()
}

fn with(base: &ConfigMap, more: Json) -> ConfigMap {
    let mut map = base.clone();
    map.extend(defaults(more));
    map
}

fn defaults_of(resource_type: ResourceType) -> &'static ConfigMap {
    match resource_type {
        ResourceType::Model => &MODEL_DEFAULTS,
        ResourceType::Seed => &SEED_DEFAULTS,
        ResourceType::Snapshot => &SNAPSHOT_DEFAULTS,
        ResourceType::Test => &TEST_DEFAULTS,
        ResourceType::Source => &SOURCE_DEFAULTS,
        _ => &NODE_DEFAULTS,
    }
}

/// The config of a resource with dbt's defaults for the keys that were not set.
pub fn complete_config(resource_type: ResourceType, values: &ConfigMap) -> ConfigMap {
    let mut map = defaults_of(resource_type).clone();
    if let Some(default) = default_of_own(values.get("materialized"), "on_schema_change") {
        map.insert("on_schema_change".to_owned(), default);
    }
    for (key, value) in values {
        if !value.is_null() || !map.contains_key(key) {
            map.insert(key.clone(), value.clone());
        }
    }
    map
}

/// Defaults that strata's own materializations have and dbt's have not: what a source adds is kept.
fn default_of_own(materialized: Option<&Json>, key: &str) -> Option<Json> {
    let own = matches!(materialized.and_then(Json::as_str), Some("extract" | "scd2"));
    (own && key == "on_schema_change").then(|| Json::from("append_new_columns"))
}

/// The type of the resource that a unique id names.
fn resource_type(unique_id: &str) -> ResourceType {
    match unique_id.split('.').next() {
        Some("seed") => ResourceType::Seed,
        Some("snapshot") => ResourceType::Snapshot,
        Some("test") => ResourceType::Test,
        Some("unit_test") => ResourceType::UnitTest,
        Some("source") => ResourceType::Source,
        Some("analysis") => ResourceType::Analysis,
        Some("operation") => ResourceType::Operation,
        _ => ResourceType::Model,
    }
}

/// The value of a key as `config.get` sees it: what was set, else dbt's default (which may be none), else nothing.
fn lookup(state: &State, key: &str) -> Result<Option<Value>, Error> {
    let context = current(state)?;
    let host = context.host();
    let key = match key {
        "pre_hook" => "pre-hook",
        "post_hook" => "post-hook",
        key => key,
    };
    if let Some(value) = host.config(key).filter(|value| !value.is_null()) {
        return Ok(Some(from_json(&value)));
    }
    let Some(id) = host.node() else { return Ok(None) };
    if let Some(default) = default_of_own(host.config("materialized").as_ref(), key) {
        return Ok(Some(from_json(&default)));
    }
    Ok(defaults_of(resource_type(id.as_str())).get(key).map(from_json))
}

fn missing(state: &State, key: &str) -> Error {
    let node = current(state).ok().and_then(|context| context.host().node().map(ToString::to_string));
    let message = match node {
        Some(node) => format!("`{node}` does not define the required config `{key}`"),
        None => format!("the required config `{key}` is not defined here"),
    };
    failure_with_help(Code::Config, message, format!("set it: `{{{{ config({key}=…) }}}}`"))
}

fn is_parsing(state: &State) -> Result<bool, Error> {
    Ok(current(state)?.host().phase() == Phase::Parse)
}

impl Config {
    /// `config(key=value, …)` or `config({…})`.
    fn set(state: &State, values: Vec<(Value, Value)>) -> Result<Value, Error> {
        let context = current(state)?;
        if context.host().phase() == Phase::Execute {
            return Ok(Value::from(""));
        }
        let mut map = ConfigMap::new();
        for (key, value) in values {
            let key = match text(&key).as_str() {
                "pre_hook" => "pre-hook".to_owned(),
                "post_hook" => "post-hook".to_owned(),
                key => key.to_owned(),
            };
            let json = to_json(&value);
            if map.insert(key.clone(), json).is_some() {
                let message = format!("config `{key}` is given twice, with `-` and with `_`");
                return Err(failure(Code::Config, message));
            }
        }
        context.host().configure(map, context.call_site()).map_err(crate::jinja::host_error)?;
        Ok(Value::from(""))
    }

    fn validate(state: &mut State, validator: Option<Value>, value: &Value) -> Result<(), Error> {
        if let Some(validator) = validator {
            validator.call(state, std::slice::from_ref(value))?;
        }
        Ok(())
    }

    fn get(state: &mut State, mut arguments: Arguments<'_>) -> Result<Value, Error> {
        let key = arguments.text("name")?;
        let default = arguments.given("default");
        let validator = arguments.optional("validator");
        arguments.finish()?;
        if is_parsing(state)? {
            return Ok(Value::from(""));
        }
        let value = lookup(state, &key)?;
        if value.is_some() || default.is_some() {
            // dbt validates only where a default is given.
            let validator = validator.filter(|_| default.as_ref().is_some_and(|default| !default.is_none()));
            let value = value.or(default).unwrap_or_else(none);
            Self::validate(state, validator, &value)?;
            return Ok(value);
        }
        Ok(none())
    }

    fn require(state: &mut State, mut arguments: Arguments<'_>) -> Result<Value, Error> {
        let key = arguments.text("name")?;
        let validator = arguments.optional("validator");
        arguments.finish()?;
        if is_parsing(state)? {
            return Ok(Value::from(""));
        }
        let value = lookup(state, &key)?.ok_or_else(|| missing(state, &key))?;
        Self::validate(state, validator, &value)?;
        Ok(value)
    }

    fn meta(state: &mut State, mut arguments: Arguments<'_>, required: bool) -> Result<Value, Error> {
        let key = arguments.text("name")?;
        let default = if required { None } else { arguments.given("default") };
        let validator = arguments.optional("validator");
        arguments.finish()?;
        if is_parsing(state)? {
            return Ok(Value::from(""));
        }
        let found = lookup(state, "meta")?.and_then(|meta| meta.get_attr(&key).ok()).filter(|v| !v.is_undefined());
        let value = match found {
            Some(value) => value,
            None if required => return Err(missing(state, &format!("meta.{key}"))),
            None => return Ok(default.unwrap_or_else(none)),
        };
        Self::validate(state, validator, &value)?;
        Ok(value)
    }

    fn persist_docs(state: &State, key: &str) -> Result<Value, Error> {
        if is_parsing(state)? {
            return Ok(Value::from(false));
        }
        let value = lookup(state, "persist_docs")?.unwrap_or_else(none);
        if is_absent(&value) {
            return Ok(Value::from(false));
        }
        if pairs(&value).is_none() {
            let message = format!("config `persist_docs` must be a mapping, not {}", repr(&value));
            return Err(failure_with_help(Code::Config, message, "write `persist_docs: {relation: true}`"));
        }
        let flag = value.get_attr(key).unwrap_or_default();
        Ok(if flag.is_undefined() { Value::from(false) } else { flag })
    }
}

impl Object for Config {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn render(self: &Arc<Self>, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("<config>")
    }

    fn call(self: &Arc<Self>, state: &mut State, values: &[Value]) -> Result<Value, Error> {
        let mut arguments = Arguments::new("config", values);
        let (positional, named) = (arguments.rest(), arguments.keywords());
        let values = match (positional, named.is_empty()) {
            ([], _) => named.into_iter().map(|(key, value)| (Value::from(key), value)).collect(),
            ([map], true) => pairs(map)
                .ok_or_else(|| failure(Code::Config, format!("config() takes a mapping, not {}", repr(map))))?,
            _ => return Err(failure(Code::Config, "config() takes either one mapping or keyword arguments")),
        };
        Self::set(state, values)
    }

    fn call_method(self: &Arc<Self>, state: &mut State, method: &str, values: &[Value]) -> Result<Value, Error> {
        let mut arguments = Arguments::new(method, values);
        match method {
            "get" => Self::get(state, arguments),
            "require" => Self::require(state, arguments),
            "meta_get" => Self::meta(state, arguments, false),
            "meta_require" => Self::meta(state, arguments, true),
            "set" => {
                let (key, value) = (arguments.required("name")?, arguments.required("value")?);
                arguments.finish()?;
                Self::set(state, vec![(key, value)])
            }
            "persist_relation_docs" => Self::persist_docs(state, "relation"),
            "persist_column_docs" => Self::persist_docs(state, "columns"),
            _ => Err(super::unknown_method("config", method, METHODS)),
        }
    }
}
