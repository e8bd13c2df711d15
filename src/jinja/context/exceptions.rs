//! `exceptions.*`: errors and warnings that macros raise.

use super::record::Record;
use super::{current, failure, failure_with_help};
use crate::diagnostic::{Code, nearest};
use crate::jinja::value::{is_absent, text};
use crate::jinja::{Arguments, native};
use minijinja::value::Value;
use minijinja::{Error, State};

/// Functions whose first argument is the message, and what kind of finding it is.
const RAISING: &[(&str, Code)] = &[
    ("raise_compiler_error", Code::CompilerError),
    ("raise_fail_fast_error", Code::CompilerError),
    ("raise_dependency_error", Code::Package),
    ("raise_cache_inconsistent", Code::Internal),
    ("raise_database_error", Code::Database),
    ("raise_not_implemented", Code::NotSupported),
];

/// Functions that dbt calls itself when it reads a project; no macro has reason to.
const OF_THE_PARSER: &[&str] = &[
    "raise_ambiguous_alias",
    "raise_ambiguous_catalog_match",
    "raise_dataclass_not_dict",
    "raise_dep_not_found",
    "raise_duplicate_patch_name",
    "raise_duplicate_resource_name",
    "raise_invalid_property_yml_version",
];

/// The object `exceptions`.
pub(super) fn exceptions() -> Value {
    let mut fields: Vec<(&'static str, Value)> = vec![
        ("warn", native("warn", warn)),
        ("missing_config", native("missing_config", missing_config)),
        ("missing_materialization", native("missing_materialization", missing_materialization)),
        ("missing_relation", native("missing_relation", missing_relation)),
        ("relation_wrong_type", native("relation_wrong_type", relation_wrong_type)),
        ("column_type_missing", native("column_type_missing", column_type_missing)),
        ("raise_contract_error", native("raise_contract_error", contract_error)),
        ("raise_unknown_column", native("raise_unknown_column", unknown_column)),
        ("raise_unknown_columns", native("raise_unknown_columns", unknown_columns)),
        (
            "warn_snapshot_timestamp_data_types",
            native("warn_snapshot_timestamp_data_types", warn_snapshot_timestamp_data_types),
        ),
    ];
    for (name, code) in RAISING {
        let function = native(name, move |_, mut arguments: Arguments<'_>| {
            let message = arguments.text("msg")?;
            Err(failure(*code, message))
        });
        fields.push((name, function));
    }
    for name in OF_THE_PARSER {
        let function = native(name, move |_, mut arguments: Arguments<'_>| {
            let words: Vec<String> = arguments.rest().iter().map(text).collect();
            Err(failure(Code::CompilerError, format!("{name}: {}", words.join(", "))))
        });
        fields.push((name, function));
    }
    Record::value("exceptions", fields)
}

fn warn(state: &mut State, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let message = arguments.text("msg")?;
    current(state)?.host().warn(&message);
    Ok(Value::from(""))
}

/// The field of a node's dict, for messages.
fn field(value: &Value, key: &str) -> String {
    value.get_attr(key).ok().filter(|found| !is_absent(found)).map_or_else(|| "?".to_owned(), |found| text(&found))
}

fn missing_config(_: &mut State, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let (model, name) = (arguments.required("model")?, arguments.text("name")?);
    let message = format!("`{}` does not define the required config `{name}`", field(&model, "unique_id"));
    Err(failure_with_help(Code::Config, message, format!("set it: `{{{{ config({name}=…) }}}}`")))
}

fn missing_materialization(_: &mut State, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let (model, adapter) = (arguments.required("model")?, arguments.text("adapter_type")?);
    let config = model.get_attr("config").unwrap_or_default();
    let message = format!("no materialization `{}` was found for {adapter}", field(&config, "materialized"));
    Err(failure(Code::UnknownMacro, message))
}

fn missing_relation(_: &mut State, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    Err(failure(Code::JinjaRender, format!("relation `{}` does not exist", arguments.text("relation")?)))
}

fn relation_wrong_type(_: &mut State, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let (relation, expected) = (arguments.required("relation")?, arguments.text("expected_type")?);
    let (name, found) = (text(&relation), field(&relation, "type"));
    Err(failure_with_help(
        Code::CompilerError,
        format!("{name} exists as a {found}, and a {expected} should be made there"),
        format!("drop {name}, or run with --full-refresh so that it is replaced"),
    ))
}

fn column_type_missing(_: &mut State, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let columns = arguments.required("column_names")?;
    let names: Vec<String> = columns.try_iter()?.map(|name| text(&name)).collect();
    Err(failure_with_help(
        Code::CompilerError,
        format!("a contracted model must say the data_type of each column; it is missing for {}", names.join(", ")),
        "add `data_type:` to these columns in the properties file",
    ))
}

/// A row of a unit test names a column that is not among those known: strata's own, for its built-in macros.
fn unknown_column(_: &mut State, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let (column, known, whose) = (arguments.text("column")?, arguments.required("known")?, arguments.text("whose")?);
    let known: Vec<String> = known.try_iter()?.map(|name| text(&name)).collect();
    let all = format!("its columns are {}", known.join(", "));
    let help = match nearest(&column.to_lowercase(), known.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`? {all}"),
        None => all,
    };
    Err(failure_with_help(Code::CompilerError, format!("there is no column `{column}` in {whose}"), help))
}

/// Nothing is known of the columns of what an input of a unit test stands for.
fn unknown_columns(_: &mut State, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let (name, relation) = (arguments.text("name")?, arguments.text("relation")?);
    let message = format!("the columns of the input `{name}` are not known, because {relation} does not exist");
    let help = format!("build it first: `strata build --select {name}`, or give the rows with `format: sql`");
    Err(failure_with_help(Code::CompilerError, message, help))
}

/// The columns that a contract declares beside those that the query has.
fn contract_error(_: &mut State, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let (declared, found) = (arguments.required("yaml_columns")?, arguments.required("sql_columns")?);
    let read = |columns: &Value| -> Result<Vec<(String, String)>, Error> {
        Ok(columns.try_iter()?.map(|column| (field(&column, "name"), field(&column, "data_type"))).collect())
    };
    let (declared, found) = (read(&declared)?, read(&found)?);
    if declared.is_empty() {
        let message = "the model has a contract that is enforced, but declares no columns";
        return Err(failure_with_help(Code::CompilerError, message, "declare its columns in the properties file"));
    }
    let of = |columns: &[(String, String)], name: &str| {
        columns.iter().find(|(other, _)| other == name).map(|(_, data_type)| data_type.clone())
    };
    let mut lines = vec![];
    for (name, data_type) in &found {
        match of(&declared, name) {
            None => lines.push(format!("{name}: {data_type} in the query, not in the contract")),
            Some(other) if other != *data_type => {
                lines.push(format!("{name}: {data_type} in the query, {other} in the contract"));
            }
            Some(_) => {}
        }
    }
    for (name, data_type) in &declared {
        if of(&found, name).is_none() {
            lines.push(format!("{name}: {data_type} in the contract, not in the query"));
        }
    }
    lines.sort();
    Err(failure_with_help(
        Code::CompilerError,
        format!("the model's columns are not those of its contract: {}", lines.join("; ")),
        "change the query or the contract so that names and data types are the same",
    ))
}

fn warn_snapshot_timestamp_data_types(state: &mut State, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let (snapshot, updated) = (arguments.text("snapshot_time_data_type")?, arguments.text("updated_at_data_type")?);
    let message = format!(
        "the snapshot's time is a {snapshot}, its `updated_at` column a {updated}: versions may be cut at wrong \
         moments; cast `updated_at` to {snapshot}"
    );
    current(state)?.host().warn(&message);
    Ok(Value::from(""))
}
