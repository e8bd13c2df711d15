//! `adapter.*` that only `dbt-snowflake` has: which catalog a model's table is in, and how it is laid out there.

use super::{Call, none};
use crate::diagnostic::Code;
use crate::jinja::context::warehouse::Warehouse;
use crate::jinja::context::{failure, failure_with_help};
use crate::jinja::value::{dict, is_absent, repr, text};
use minijinja::Error;
use minijinja::value::{Value, ValueKind};

/// The formats of tables, as dbt's `table_format` has them.
const FORMATS: [&str; 2] = ["default", "iceberg"];

impl Call<'_, '_, '_, '_> {
    /// `adapter.build_catalog_relation(model)`: none where a warehouse knows no catalogs. dbt's macros give
    /// `config.model`, which is the node that is being built; that is what is meant here if nothing is given.
    pub(super) fn build_catalog_relation(&mut self) -> Result<Value, Error> {
        let given = self.arguments.optional("config").filter(|model| !is_absent(model));
        let model = given.or_else(|| self.context.find("model")).unwrap_or_default();
        let config = model.get_attr("config").unwrap_or_default();
        let get = |key: &str| config.get_attr(key).ok().filter(|value| !is_absent(value));
        if let Some(catalog) = ["catalog_name", "catalog"].into_iter().find_map(get) {
            let message = format!("the catalog integration `{}` cannot be used: strata has none", text(&catalog));
            return Err(failure(Code::NotSupported, message));
        }
        if self.adapter.warehouse != Warehouse::Snowflake {
            return Ok(none());
        }
        let format = get("table_format").map_or_else(|| FORMATS[0].to_owned(), |format| text(&format).to_lowercase());
        if !FORMATS.contains(&format.as_str()) {
            let message = format!("`table_format` is default or iceberg, not {format}");
            return Err(failure(Code::Config, message));
        }
        let is_iceberg = format == FORMATS[1];
        // `transient` that is there and empty is false, as in dbt.
        let transient = match config.get_attr("transient") {
            Ok(value) if !value.is_undefined() => value.is_true(),
            _ => true,
        };
        let mut fields = vec![
            ("catalog_type", Value::from(if is_iceberg { "BUILT_IN" } else { "INFO_SCHEMA" })),
            ("catalog_name", Value::from(if is_iceberg { "SNOWFLAKE" } else { "INFO_SCHEMA" })),
            ("table_format", Value::from(format)),
            ("cluster_by", cluster_by(get("cluster_by"))?),
            ("automatic_clustering", Value::from(get("automatic_clustering").is_some_and(|value| value.is_true()))),
            ("is_transient", Value::from(transient && !is_iceberg)),
        ];
        if is_iceberg {
            fields.push((
                "base_location",
                base_location(&model, get("base_location_root"), get("base_location_subpath")),
            ));
            fields.push(("change_tracking", change_tracking(get("change_tracking"))?));
            for key in [
                "external_volume",
                "storage_serialization_policy",
                "max_data_extension_time_in_days",
                "data_retention_time_in_days",
            ] {
                fields.push((key, get(key).unwrap_or_else(none)));
            }
        }
        Ok(dict(fields.into_iter().map(|(key, value)| (Value::from(key), value))))
    }
}

/// `cluster_by`, a text or a list, as it is written into SQL.
fn cluster_by(value: Option<Value>) -> Result<Value, Error> {
    let Some(value) = value else { return Ok(none()) };
    match value.kind() {
        ValueKind::String => Ok(value),
        ValueKind::Seq | ValueKind::Iterable => {
            let parts: Vec<String> = value.try_iter()?.map(|part| text(&part)).collect();
            Ok(Value::from(parts.join(", ")))
        }
        _ => {
            let message = format!("`cluster_by` is an expression or a list of expressions, not {}", repr(&value));
            Err(failure(Code::Config, message))
        }
    }
}

/// Where the files of a table lie in its volume.
fn base_location(model: &Value, root: Option<Value>, subpath: Option<Value>) -> Value {
    let part = |name: &str| model.get_attr(name).map(|value| text(&value)).unwrap_or_default();
    let root = root.map_or_else(|| "_dbt".to_owned(), |root| text(&root));
    let mut path = format!("{root}/{}/{}", part("schema"), part("alias"));
    if let Some(subpath) = subpath {
        path.push('/');
        path.push_str(&text(&subpath));
    }
    Value::from(path)
}

/// `change_tracking` in SQL's words.
fn change_tracking(value: Option<Value>) -> Result<Value, Error> {
    let Some(value) = value else { return Ok(none()) };
    match text(&value).to_lowercase().as_str() {
        "true" => Ok(Value::from("TRUE")),
        "false" => Ok(Value::from("FALSE")),
        other => Err(failure_with_help(
            Code::Config,
            format!("`change_tracking` is true or false, not {other}"),
            "leave it out to keep what the schema, the database or the account says",
        )),
    }
}
