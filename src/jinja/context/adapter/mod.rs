//! The object `adapter`: what dbt's adapters do by SQL is a macro here, which the object calls in the same render.

mod columns;
mod constraints;
mod duckdb;
mod relations;
mod snapshots;
mod snowflake;
mod strategies;

use super::column::ColumnClass;
use super::method::bound_method;
use super::relation::RelationObject;
use super::relation_class::RelationClass;
use super::results::response_value;
use super::table::TableObject;
use super::warehouse::Warehouse;
use super::{current, failure, failure_with_help};
use crate::adapter::{Answer, ColumnType, Table};
use crate::diagnostic::Code;
use crate::jinja::host::{HostError, Phase, Session};
use crate::jinja::value::{is_absent, list, none, repr, tuple};
use crate::jinja::{Arguments, RenderContext, host_error};
use crate::name::{Quoting, quote_identifier};
use minijinja::value::{Kwargs, Object, ObjectRepr, Value};
use minijinja::{Error, State};
use std::fmt;
use std::sync::Arc;

/// The object `adapter`. What differs between renders it finds in the render that calls it.
#[derive(Debug)]
pub(super) struct Adapter {
    pub(super) warehouse: Warehouse,
    /// How the project quotes names.
    pub(super) quoting: Quoting,
    /// `adapter.config`: project, quoting, and the target's fields as `credentials`.
    pub(super) config: Value,
    /// `adapter.behavior`.
    pub(super) behavior: Value,
    /// Makes names of indexes differ from run to run.
    pub(super) invocation_id: String,
    /// Where `external` models are written.
    pub(super) external_root: String,
}

/// Every method, for "did you mean" and for `{% set quote = adapter.quote %}`.
const METHODS: &[&str] = &[
    "add_query",
    "already_exists",
    "assert_valid_snapshot_target_given_strategy",
    "build_catalog_relation",
    "cache_added",
    "cache_dropped",
    "cache_renamed",
    "check_schema_exists",
    "commit",
    "commit_if_has_connection",
    "convert_datetimes_to_strs",
    "convert_type",
    "create_schema",
    "describe_dynamic_table",
    "disable_transactions",
    "dispatch",
    "drop_relation",
    "drop_schema",
    "execute",
    "expand_target_column_types",
    "external_read_location",
    "external_root",
    "external_write_options",
    "get_binding_char",
    "get_catalog_integration",
    "get_column_schema_from_query",
    "get_columns_in_relation",
    "get_columns_in_table",
    "get_hard_deletes_behavior",
    "get_incremental_strategy_macro",
    "get_missing_columns",
    "get_relation",
    "get_seed_file_path",
    "is_ducklake",
    "is_motherduck",
    "list_relations",
    "list_relations_without_caching",
    "list_schemas",
    "load_relation",
    "load_seed",
    "location_exists",
    "parse_index",
    "quote",
    "quote_as_configured",
    "quote_seed_column",
    "rename_relation",
    "render_raw_columns_constraints",
    "render_raw_model_constraints",
    "rollback",
    "standardize_grants_dict",
    "store_relation",
    "truncate_relation",
    "type",
    "valid_incremental_strategies",
    "valid_snapshot_target",
    "verify_database",
    "warn_once",
];

/// Whether a value is the object `adapter`, and no other thing of that name.
pub(in crate::jinja) fn is_adapter(value: &Value) -> bool {
    value.downcast_object_ref::<Adapter>().is_some()
}

/// One call of a method: everything that the methods' functions need.
struct Call<'call, 'state, 'template, 'environment> {
    adapter: &'call Adapter,
    state: &'state mut State<'template, 'environment>,
    context: Arc<RenderContext>,
    method: &'call str,
    arguments: Arguments<'call>,
}

impl Call<'_, '_, '_, '_> {
    /// The warehouse, which only some commands may touch.
    fn session(&self) -> Result<&dyn Session, Error> {
        self.context.host().session().ok_or_else(|| {
            failure_with_help(
                Code::NotSupported,
                format!("`adapter.{}` needs the warehouse, which this command does not touch", self.method),
                "guard the call with `{% if execute %}`, or use a command that connects (compile, run, build)",
            )
        })
    }

    /// Calls a macro of the project or, as most often, the built-in one.
    fn call_macro(&mut self, name: &str, values: &[(&'static str, Value)]) -> Result<Value, Error> {
        let function = self.context.find(name).ok_or_else(|| {
            failure(
                Code::UnknownMacro,
                format!("`adapter.{}` needs the macro `{name}`, which does not exist", self.method),
            )
        })?;
        let named: Kwargs = values.iter().cloned().collect();
        function.call(self.state, &[named.into()])
    }

    /// Calls a macro that gives rows.
    fn call_macro_for_rows(&mut self, name: &str, values: &[(&'static str, Value)]) -> Result<Arc<Table>, Error> {
        let value = self.call_macro(name, values)?;
        TableObject::from_value(&value).ok_or_else(|| {
            failure(Code::JinjaRender, format!("macro `{name}` should give rows, but gave {}", repr(&value)))
        })
    }

    /// The next argument, which must be a relation.
    fn relation(&mut self, name: &str) -> Result<Arc<RelationObject>, Error> {
        let value = self.arguments.required(name)?;
        RelationObject::from_value(&value).ok_or_else(|| {
            let message = format!("`adapter.{}`: `{name}` must be a relation, not {}", self.method, repr(&value));
            failure_with_help(Code::JinjaRender, message, "relations are what ref(), source() and this give")
        })
    }

    fn execute(&mut self) -> Result<Value, Error> {
        let sql = self.arguments.text("sql")?;
        let auto_begin = self.arguments.flag("auto_begin", false);
        let fetch = self.arguments.flag("fetch", false);
        let limit = self.arguments.optional("limit").and_then(|limit| limit.as_usize());
        let Answer { response, mut table } = run(self.session()?, &sql, auto_begin)?;
        if !fetch {
            table = Table::default();
        }
        if let Some(limit) = limit {
            table.rows.truncate(limit);
        }
        Ok(tuple([response_value(response), TableObject::value(Arc::new(table))]))
    }

    fn add_query(&mut self) -> Result<Value, Error> {
        let sql = self.arguments.text("sql")?;
        let auto_begin = self.arguments.flag("auto_begin", true);
        let bindings = self.arguments.optional("bindings");
        self.arguments.optional("abridge_sql_log");
        if bindings.is_some_and(|bindings| bindings.is_true()) {
            return Err(failure_with_help(
                Code::NotSupported,
                "`adapter.add_query` with bindings is not supported",
                "write the values into the SQL, or load rows with a seed",
            ));
        }
        run(self.session()?, &sql, auto_begin)?;
        Ok(none())
    }

    fn load_seed(&mut self) -> Result<Value, Error> {
        let relation = self.relation("relation")?;
        let Some(node) = self.context.host().node().cloned() else {
            return Err(failure(Code::JinjaRender, "`adapter.load_seed` can only be called while a seed is loaded"));
        };
        let rows = self.session()?.load_seed(&relation.full_name(), &node).map_err(host_error)?;
        Ok(Value::from(rows))
    }

    fn dispatch(&mut self) -> Result<Value, Error> {
        let name = self.arguments.text("macro_name")?;
        let namespace = self.arguments.optional("macro_namespace");
        let namespace = namespace.map(|value| {
            value.as_str().map(str::to_owned).ok_or_else(|| {
                let message = format!("adapter.dispatch(): macro_namespace must be a text, not {}", repr(&value));
                failure_with_help(Code::JinjaRender, message, "give the name of a package")
            })
        });
        let namespace = namespace.transpose()?;
        let registry = self.context.engine().registry();
        registry.dispatch(&name, namespace.as_deref(), self.context.package())
    }

    fn convert_type(&mut self) -> Result<Value, Error> {
        let table = self.arguments.required("agate_table")?;
        let index = self.arguments.integer("col_idx")?;
        let table = TableObject::from_value(&table)
            .ok_or_else(|| failure(Code::JinjaRender, "`adapter.convert_type` needs a table"))?;
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        let Some((_, column_type)) = table.columns.get(index) else {
            return Err(failure(Code::JinjaRender, format!("the table has no column number {index}")));
        };
        let small = |cell: &crate::adapter::Cell| match cell {
            crate::adapter::Cell::Integer(number) => i32::try_from(*number).is_ok(),
            _ => true,
        };
        let fits = *column_type == ColumnType::BigInt && table.rows.iter().all(|row| row.get(index).is_none_or(small));
        Ok(Value::from(if fits { "integer".to_owned() } else { self.adapter.warehouse.seed_type(column_type) }))
    }

    fn quote_as_configured(&mut self) -> Result<Value, Error> {
        let identifier = self.arguments.text("identifier")?;
        let quoting = self.adapter.quoting;
        let quoted = match self.arguments.text("quote_key")?.as_str() {
            "database" => quoting.database,
            "schema" => quoting.schema,
            "identifier" => quoting.identifier,
            _ => false,
        };
        Ok(Value::from(if quoted { quote_identifier(&identifier) } else { identifier }))
    }

    fn quote_seed_column(&mut self) -> Result<Value, Error> {
        let column = self.arguments.text("column")?;
        let quoted = match self.arguments.given("quote_config") {
            None => self.adapter.warehouse.quotes_seed_columns(),
            Some(value) if is_absent(&value) => self.adapter.warehouse.quotes_seed_columns(),
            Some(value) if value == Value::from(true) || value == Value::from(false) => value.is_true(),
            Some(value) => {
                let message = format!("config `quote_columns` must be true or false, not {}", repr(&value));
                return Err(failure(Code::Config, message));
            }
        };
        Ok(Value::from(if quoted { quote_identifier(&column) } else { column }))
    }

    /// What dbt answers while it only reads a project: nothing exists. None where the method answers as ever.
    fn parse_answer(&self) -> Option<Value> {
        Some(match self.method {
            "execute" => {
                tuple([response_value(crate::adapter::Response::default()), TableObject::value(Arc::default())])
            }
            "add_query" => tuple([none(), none()]),
            "get_column_schema_from_query"
            | "get_columns_in_relation"
            | "get_columns_in_table"
            | "get_missing_columns"
            | "list_relations"
            | "list_relations_without_caching"
            | "list_schemas" => list([]),
            "check_schema_exists" | "already_exists" | "location_exists" => Value::from(false),
            "drop_relation"
            | "truncate_relation"
            | "rename_relation"
            | "valid_snapshot_target"
            | "assert_valid_snapshot_target_given_strategy"
            | "expand_target_column_types"
            | "get_relation"
            | "load_relation"
            | "create_schema"
            | "drop_schema"
            | "get_incremental_strategy_macro"
            | "get_hard_deletes_behavior"
            | "commit"
            | "commit_if_has_connection"
            | "rollback"
            | "load_seed" => none(),
            "cache_added" | "cache_dropped" | "cache_renamed" => Value::from(""),
            _ => return None,
        })
    }

    fn answer(&mut self) -> Result<Value, Error> {
        let warehouse = self.adapter.warehouse;
        Ok(match self.method {
            "type" => Value::from(warehouse.as_str()),
            "dispatch" => self.dispatch()?,
            "execute" => self.execute()?,
            "add_query" => self.add_query()?,
            "commit" | "commit_if_has_connection" => self.commit()?,
            "rollback" => {
                self.session()?.rollback().map_err(|failed| host_error(HostError::Database(failed)))?;
                none()
            }
            "load_seed" => self.load_seed()?,
            "convert_type" => self.convert_type()?,
            "convert_datetimes_to_strs" => self.arguments.required("table")?,
            "quote" => Value::from(quote_identifier(&self.arguments.text("identifier")?)),
            "quote_as_configured" => self.quote_as_configured()?,
            "quote_seed_column" => self.quote_seed_column()?,
            "verify_database" => {
                self.arguments.required("database")?;
                Value::from("")
            }
            "valid_incremental_strategies" => {
                list(warehouse.incremental_strategies().iter().map(|strategy| Value::from(*strategy)))
            }
            "get_incremental_strategy_macro" => self.get_incremental_strategy_macro()?,
            "get_hard_deletes_behavior" => self.get_hard_deletes_behavior()?,
            "valid_snapshot_target" => self.valid_snapshot_target()?,
            "assert_valid_snapshot_target_given_strategy" => self.valid_snapshot_target_given_strategy()?,
            "standardize_grants_dict" => self.standardize_grants_dict()?,
            "render_raw_columns_constraints" => self.render_columns_constraints()?,
            "render_raw_model_constraints" => self.render_model_constraints()?,
            "warn_once" => {
                let message = self.arguments.text("msg")?;
                self.context.host().warn(&message);
                none()
            }
            "build_catalog_relation" => self.build_catalog_relation()?,
            "describe_dynamic_table" => {
                let relation = self.relation("relation")?;
                self.call_macro("snowflake__describe_dynamic_table", &[("relation", Value::from_dyn_object(relation))])?
            }
            "get_catalog_integration" | "store_relation" => {
                let message = format!("`adapter.{}` is not supported", self.method);
                return Err(failure(Code::NotSupported, message));
            }
            _ => match self.relation_answer()? {
                Some(answer) => answer,
                None => self.duckdb_answer()?,
            },
        })
    }

    fn commit(&mut self) -> Result<Value, Error> {
        self.session()?.commit().map_err(|failed| host_error(HostError::Database(failed)))?;
        Ok(none())
    }
}

/// Runs SQL in the session.
fn run(session: &dyn Session, sql: &str, auto_begin: bool) -> Result<Answer, Error> {
    session.execute(sql, auto_begin).map_err(|failed| host_error(HostError::Database(failed)))
}

impl Object for Adapter {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn render(self: &Arc<Self>, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "<adapter {}>", self.warehouse.as_str())
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let key = key.as_str()?;
        match key {
            "Relation" => Some(Value::from_object(RelationClass { warehouse: self.warehouse, quoting: self.quoting })),
            "Column" => Some(Value::from_object(ColumnClass { warehouse: self.warehouse })),
            "config" => Some(self.config.clone()),
            "behavior" => Some(self.behavior.clone()),
            _ => bound_method(self, METHODS, key),
        }
    }

    fn call_method(self: &Arc<Self>, state: &mut State, method: &str, values: &[Value]) -> Result<Value, Error> {
        if !METHODS.contains(&method) {
            return Err(super::unknown_method("adapter", method, METHODS));
        }
        let context = current(state)?;
        let arguments = Arguments::new(method, values);
        let mut call = Call { adapter: self, state, context, method, arguments };
        if call.context.host().phase() == Phase::Parse
            && let Some(answer) = call.parse_answer()
        {
            return Ok(answer);
        }
        let answer = call.answer()?;
        call.arguments.finish()?;
        Ok(answer)
    }
}
