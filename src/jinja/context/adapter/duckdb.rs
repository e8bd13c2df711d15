//! `adapter.*` that only `dbt-duckdb` has: external files, `MotherDuck`, indexes.

use super::{Call, none, run};
use crate::diagnostic::Code;
use crate::jinja::context::failure;
use crate::jinja::context::functions::md5_hex;
use crate::jinja::context::record::Record;
use crate::jinja::context::relation::RelationObject;
use crate::jinja::value::{is_absent, list, pairs, repr, text};
use crate::jinja::{Arguments, native};
use minijinja::Error;
use minijinja::value::Value;
use std::path::Path;

impl Call<'_, '_, '_, '_> {
    /// The answer of one of these methods. The caller has checked that the method is known.
    pub(super) fn duckdb_answer(&mut self) -> Result<Value, Error> {
        Ok(match self.method {
            "is_motherduck" | "disable_transactions" => Value::from(false),
            "is_ducklake" => {
                self.arguments.required("relation")?;
                Value::from(false)
            }
            "external_root" => Value::from(self.adapter.external_root.as_str()),
            "get_binding_char" => Value::from("?"),
            "location_exists" => {
                let location = self.arguments.text("location")?.replace('\'', "''");
                let sql = format!("select 1 from '{location}' where 1=0");
                Value::from(run(self.session()?, &sql, false).is_ok())
            }
            "external_write_options" => self.external_write_options()?,
            "external_read_location" => self.external_read_location()?,
            "get_seed_file_path" => {
                let model = self.arguments.required("model")?;
                let part = |key: &str| model.get_attr(key).ok().filter(|part| !is_absent(part)).map(|part| text(&part));
                let path = part("original_file_path").unwrap_or_default();
                let root = part("root_path").unwrap_or_else(|| ".".to_owned());
                Value::from(Path::new(&root).join(path).to_string_lossy().into_owned())
            }
            "parse_index" => self.parse_index()?,
            other => {
                let message = format!("`adapter.{other}` is not supported on {}", self.adapter.warehouse.as_str());
                return Err(failure(Code::NotSupported, message));
            }
        })
    }

    /// The options of `COPY … TO`: the given ones, completed by what the file's name says.
    fn external_write_options(&mut self) -> Result<Value, Error> {
        let location = self.arguments.text("write_location")?;
        let options = self.arguments.required("rendered_options")?;
        let known = pairs(&options).unwrap_or_default();
        let has = |key: &str| known.iter().any(|(known, _)| known.as_str() == Some(key));
        let mut options: Vec<(String, String)> = known.iter().map(|(key, value)| (text(key), text(value))).collect();
        if !has("format") {
            let extension = Path::new(&location).extension().map(|ending| ending.to_string_lossy().to_lowercase());
            let format = extension.unwrap_or_else(|| if has("delimiter") { "csv" } else { "parquet" }.to_owned());
            options.push(("format".to_owned(), format));
        }
        if options.iter().any(|(key, value)| key == "format" && value == "csv") && !has("header") {
            options.push(("header".to_owned(), "1".to_owned()));
        }
        let written = options.into_iter().map(|(key, value)| match key.to_lowercase().as_str() {
            "partition_by" if value.contains(',') && !value.starts_with('(') => format!("{key} ({value})"),
            "delimiter" | "quote" | "escape" | "null" if !value.starts_with('\'') => format!("{key} '{value}'"),
            _ => format!("{key} {value}"),
        });
        Ok(Value::from(written.collect::<Vec<_>>().join(", ")))
    }

    /// The place to read back from: a pattern where the rows were written as several files.
    fn external_read_location(&mut self) -> Result<Value, Error> {
        let location = self.arguments.text("write_location")?;
        let options = self.arguments.required("rendered_options")?;
        let option = |key: &str| options.get_attr(key).ok().filter(|value| !is_absent(value) && value.is_true());
        let partitions = option("partition_by").map(|columns| text(&columns).split(',').count());
        if partitions.is_none() && option("per_thread_output").is_none() {
            return Ok(Value::from(location));
        }
        let format = option("format").map_or_else(|| "parquet".to_owned(), |format| text(&format));
        let stars = "/*".repeat(1 + partitions.unwrap_or(0));
        Ok(Value::from(format!("{location}{stars}.{format}")))
    }

    /// An entry of the config `indexes`: its columns, whether it is unique, and a name for it.
    fn parse_index(&mut self) -> Result<Value, Error> {
        let raw = self.arguments.required("raw_index")?;
        if is_absent(&raw) {
            return Ok(none());
        }
        let columns = raw.get_attr("columns").unwrap_or_default();
        if pairs(&raw).is_none() || is_absent(&columns) {
            let message = format!("an index is a mapping with `columns` and `unique`, not {}", repr(&raw));
            return Err(failure(Code::Config, message));
        }
        let names: Vec<String> = columns.try_iter()?.map(|name| text(&name)).collect();
        let unique = raw.get_attr("unique").is_ok_and(|unique| unique.is_true());
        let (parts, run_id) = (names.clone(), self.adapter.invocation_id.clone());
        // An index keeps its name while the old table still stands beside the new one: hence a new name each run.
        let render = native("render", move |_, mut arguments: Arguments<'_>| {
            let relation = arguments.required("relation")?;
            let relation = RelationObject::from_value(&relation).map_or_else(|| text(&relation), |r| r.render_name());
            Ok(Value::from(md5_hex(&format!("{}_{relation}_{unique}_{run_id}", parts.join("_")))))
        });
        let columns = list(names.into_iter().map(Value::from));
        Ok(Record::value("an index", [("columns", columns), ("unique", Value::from(unique)), ("render", render)]))
    }
}
