//! Columns as templates see them, and the class `api.Column`. A column's type is the warehouse's own word.

use super::method::bound_method;
use super::warehouse::Warehouse;
use super::{failure, unknown_method};
use crate::diagnostic::Code;
use crate::jinja::Arguments;
use crate::jinja::value::{is_absent, list};
use crate::name::quote_identifier;
use minijinja::value::{DynObject, Object, ObjectRepr, Value};
use minijinja::{Error, ErrorKind, State};
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

const STRINGS: &[&str] = &["text", "character varying", "character", "varchar"];
const DUCKDB_FLOATS: &[&str] = &["real", "float", "float4", "float8", "double"];
const SNOWFLAKE_FLOATS: &[&str] = &["float", "float4", "float8", "double", "double precision", "real"];
const DUCKDB_INTEGERS: &[&str] = &[
    "tinyint",
    "smallint",
    "integer",
    "bigint",
    "hugeint",
    "utinyint",
    "usmallint",
    "uinteger",
    "ubigint",
    "int1",
    "int2",
    "int4",
    "int8",
    "short",
    "int",
    "signed",
    "long",
];
const DUCKDB_NUMERICS: &[&str] = &["numeric", "decimal"];
/// On Snowflake every whole number is a `NUMBER(38, 0)`.
const SNOWFLAKE_NUMERICS: &[&str] =
    &["int", "integer", "bigint", "smallint", "tinyint", "byteint", "numeric", "decimal", "number"];

/// A column of a relation or a query.
#[derive(Clone, PartialEq, Eq)]
pub struct ColumnObject {
    warehouse: Warehouse,
    name: String,
    dtype: String,
    char_size: Option<i64>,
    numeric_precision: Option<i64>,
    numeric_scale: Option<i64>,
}

impl ColumnObject {
    /// A column of this type, in the warehouse's own words.
    pub fn new(warehouse: Warehouse, name: &str, dtype: &str) -> Self {
        Self {
            warehouse,
            name: name.to_owned(),
            dtype: dtype.to_owned(),
            char_size: None,
            numeric_precision: None,
            numeric_scale: None,
        }
    }

    /// A column of a type with its sizes in brackets: `numeric(10,2)`.
    pub fn from_description(warehouse: Warehouse, name: &str, description: &str) -> Result<Self, Error> {
        let composite = ["array", "object", "map", "vector", "struct"]
            .iter()
            .any(|word| description.to_lowercase().starts_with(word));
        let Some((dtype, rest)) = description.split_once('(').filter(|_| !composite) else {
            return Ok(Self::new(warehouse, name, description));
        };
        let mut column = Self::new(warehouse, name, dtype);
        let sizes: Vec<&str> = rest.split(')').next().unwrap_or_default().split(',').collect();
        let number = |text: &str| {
            text.trim().parse::<i64>().map_err(|_| {
                let message = format!("the type `{description}` of column `{name}` has a size that is not a number");
                failure(Code::JinjaRender, message)
            })
        };
        match sizes.as_slice() {
            [size] => column.char_size = Some(number(size)?),
            [precision, scale] => {
                column.numeric_precision = Some(number(precision)?);
                column.numeric_scale = Some(number(scale)?);
            }
            _ => {}
        }
        Ok(column)
    }

    /// The same as a value.
    pub fn into_value(self) -> Value {
        Value::from_object(self)
    }

    /// The column that a value is, if it is one.
    pub fn from_value(value: &Value) -> Option<Arc<Self>> {
        value.downcast_object::<Self>()
    }

    /// The column's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The type's word without sizes.
    pub fn dtype(&self) -> &str {
        &self.dtype
    }

    fn is_any_of(&self, words: &[&str]) -> bool {
        words.contains(&self.dtype.to_lowercase().as_str())
    }

    /// Whether it is a text.
    pub fn is_string(&self) -> bool {
        self.is_any_of(STRINGS)
    }

    fn is_float(&self) -> bool {
        match self.warehouse {
            Warehouse::DuckDb => self.is_any_of(DUCKDB_FLOATS),
            Warehouse::Snowflake => self.is_any_of(SNOWFLAKE_FLOATS),
        }
    }

    fn is_integer(&self) -> bool {
        self.warehouse == Warehouse::DuckDb && self.is_any_of(DUCKDB_INTEGERS)
    }

    fn is_numeric(&self) -> bool {
        match self.warehouse {
            Warehouse::DuckDb => self.is_any_of(DUCKDB_NUMERICS),
            Warehouse::Snowflake => self.is_any_of(SNOWFLAKE_NUMERICS),
        }
    }

    fn is_struct(&self) -> bool {
        self.warehouse == Warehouse::DuckDb && self.dtype.to_lowercase().starts_with("struct")
    }

    /// The length of a text; the warehouse's own where none was declared.
    pub fn string_size(&self) -> Result<i64, Error> {
        if !self.is_string() {
            let message = format!("`string_size()` was asked of column `{}`, which is not a text", self.name);
            return Err(failure(Code::JinjaRender, message));
        }
        let default = match self.warehouse {
            Warehouse::DuckDb => 256,
            Warehouse::Snowflake => 16_777_216,
        };
        Ok(self.char_size.filter(|_| self.dtype != "text").unwrap_or(default))
    }

    /// Whether values of the other column do not fit while those of this one would fit there.
    pub fn can_expand_to(&self, other: &Self) -> Result<bool, Error> {
        Ok(self.is_string() && other.is_string() && other.string_size()? > self.string_size()?)
    }

    /// The type with its sizes, for DDL.
    pub fn data_type(&self) -> String {
        if let Ok(size) = self.string_size() {
            return string_type(size);
        }
        match (self.numeric_precision, self.numeric_scale) {
            (Some(precision), Some(scale)) if self.is_numeric() => format!("{}({precision},{scale})", self.dtype),
            _ => self.dtype.clone(),
        }
    }

    /// The fields of a struct as columns with dotted names; any other column as it is.
    pub fn flatten(&self) -> Vec<Self> {
        if !self.is_struct() {
            return vec![self.clone()];
        }
        let mut columns = vec![];
        for field in self.fields() {
            for mut column in field.flatten() {
                column.name = format!("{}.{}", self.name, column.name);
                columns.push(column);
            }
        }
        columns
    }

    fn fields(&self) -> Vec<Self> {
        let body = self.dtype.split_once('(').and_then(|(_, rest)| rest.rsplit_once(')')).map_or("", |(body, _)| body);
        let (mut depth, mut start, mut fields) = (0_i32, 0, vec![]);
        for (at, character) in body.char_indices().chain([(body.len(), ',')]) {
            match character {
                '(' => depth += 1,
                ')' => depth -= 1,
                ',' if depth == 0 => {
                    if let Some((name, dtype)) = body[start..at].trim().split_once(' ') {
                        fields.push(Self::new(self.warehouse, name, dtype));
                    }
                    start = (at + 1).min(body.len());
                }
                _ => {}
            }
        }
        fields
    }
}

fn string_type(size: i64) -> String {
    format!("character varying({size})")
}

/// As Python shows a data class.
impl fmt::Debug for ColumnObject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = |size: Option<i64>| size.map_or_else(|| "None".to_owned(), |size| size.to_string());
        write!(
            formatter,
            "{}(column={:?}, dtype={:?}, char_size={}, numeric_precision={}, numeric_scale={}",
            self.warehouse.column_class(),
            Value::from(self.name.as_str()),
            Value::from(self.dtype.as_str()),
            size(self.char_size),
            size(self.numeric_precision),
            size(self.numeric_scale),
        )?;
        if self.warehouse == Warehouse::DuckDb {
            let fields = if self.is_struct() { self.fields() } else { vec![] };
            write!(formatter, ", fields={fields:?}")?;
        }
        formatter.write_str(")")
    }
}

impl Object for ColumnObject {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn render(self: &Arc<Self>, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self:?}")
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        Some(match key.as_str()? {
            "name" | "column" => Value::from(self.name.as_str()),
            "quoted" => Value::from(quote_identifier(&self.name)),
            "dtype" => Value::from(self.dtype.as_str()),
            "data_type" | "expanded_data_type" => Value::from(self.data_type()),
            "char_size" => Value::from(self.char_size),
            "numeric_precision" => Value::from(self.numeric_precision),
            "numeric_scale" => Value::from(self.numeric_scale),
            "fields" if self.is_struct() => list(self.fields().into_iter().map(Self::into_value)),
            "fields" => list([]),
            _ => return None,
        })
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        let other = other.downcast_ref::<Self>()?;
        let key = |column: &Self| {
            let Self { name, dtype, char_size, numeric_precision, numeric_scale, .. } = column.clone();
            (name, dtype, char_size, numeric_precision, numeric_scale)
        };
        Some(key(self).cmp(&key(other)))
    }

    fn call_method(self: &Arc<Self>, state: &mut State, method: &str, values: &[Value]) -> Result<Value, Error> {
        let mut arguments = Arguments::new(method, values);
        let answer = match method {
            "is_string" => Value::from(self.is_string()),
            "is_number" => Value::from(self.is_integer() || self.is_numeric() || self.is_float()),
            "is_float" => Value::from(self.is_float()),
            "is_integer" => Value::from(self.is_integer()),
            "is_numeric" => Value::from(self.is_numeric()),
            "is_struct" => Value::from(self.is_struct()),
            "string_size" => Value::from(self.string_size()?),
            "can_expand_to" => {
                let other = arguments.required("other_column")?;
                let other = Self::from_value(&other)
                    .ok_or_else(|| failure(Code::JinjaRender, "`can_expand_to()` needs a column"))?;
                Value::from(self.can_expand_to(&other)?)
            }
            "literal" => Value::from(format!("{}::{}", arguments.text("value")?, self.data_type())),
            "flatten" => list(self.flatten().into_iter().map(Self::into_value)),
            "string_type" | "numeric_type" | "translate_type" | "create" | "from_description" => {
                let class = Arc::new(ColumnClass { warehouse: self.warehouse });
                return class.call_method(state, method, values);
            }
            _ => return Err(Error::from(ErrorKind::UnknownMethod)),
        };
        arguments.finish()?;
        Ok(answer)
    }
}

/// `api.Column`: makes columns, and says how types are written.
#[derive(Debug)]
pub(super) struct ColumnClass {
    pub(super) warehouse: Warehouse,
}

/// The word by which dbt replaces a type's word that not every warehouse knows.
fn translate_type(word: &str) -> &str {
    if word.eq_ignore_ascii_case("string") { "TEXT" } else { word }
}

const CLASS_METHODS: &[&str] = &["create", "from_description", "translate_type", "string_type", "numeric_type"];

impl Object for ColumnClass {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        bound_method(self, CLASS_METHODS, key.as_str()?)
    }

    fn render(self: &Arc<Self>, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "<class '{}'>", self.warehouse.column_class())
    }

    fn call(self: &Arc<Self>, _: &mut State, values: &[Value]) -> Result<Value, Error> {
        let mut arguments = Arguments::new("api.Column", values);
        let name = arguments.text("column")?;
        let mut column = ColumnObject::new(self.warehouse, &name, &arguments.text("dtype")?);
        let mut size = |key: &str| {
            let value = arguments.optional(key)?;
            value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
        };
        column.char_size = size("char_size");
        column.numeric_precision = size("numeric_precision");
        column.numeric_scale = size("numeric_scale");
        arguments.finish()?;
        Ok(column.into_value())
    }

    fn call_method(self: &Arc<Self>, _: &mut State, method: &str, values: &[Value]) -> Result<Value, Error> {
        let mut arguments = Arguments::new(method, values);
        let answer = match method {
            "create" => {
                let name = arguments.text("name")?;
                let word = arguments.text("label_or_dtype")?;
                ColumnObject::new(self.warehouse, &name, translate_type(&word)).into_value()
            }
            "from_description" => {
                let name = arguments.text("name")?;
                let description = arguments.text("raw_data_type")?;
                ColumnObject::from_description(self.warehouse, &name, &description)?.into_value()
            }
            "translate_type" => Value::from(translate_type(&arguments.text("dtype")?)),
            "string_type" => {
                let size = arguments.text("size")?;
                Value::from(format!("character varying({size})"))
            }
            "numeric_type" => {
                let word = arguments.required("dtype")?;
                let precision = arguments.required("precision")?;
                let scale = arguments.required("scale")?;
                if is_absent(&precision) || is_absent(&scale) {
                    word
                } else {
                    Value::from(format!("{word}({precision},{scale})"))
                }
            }
            _ => return Err(unknown_method("api.Column", method, CLASS_METHODS)),
        };
        arguments.finish()?;
        Ok(answer)
    }
}

/// How a table's column type is altered so that longer texts fit.
pub(super) fn expanded_string_type(column: &ColumnObject) -> Result<String, Error> {
    column.string_size().map(string_type)
}
