//! Rows of a query as templates see them: what dbt gives as an `agate` table.

use super::conversion::cell_value;
use super::{failure, unknown_method};
use crate::adapter::{Cell, ColumnType, Table};
use crate::diagnostic::Code;
use crate::jinja::Arguments;
use crate::jinja::value::{dict, is_absent, none, pairs, repr, text, tuple};
use minijinja::value::{Enumerator, Object, ObjectRepr, Value};
use minijinja::{Error, ErrorKind, State};
use std::fmt;
use std::sync::Arc;

const METHODS: &[&str] = &["select", "exclude", "limit", "rename", "order_by", "distinct", "merge", "print_table"];

/// The rows of a query. Cells become values when a template looks at them.
pub struct TableObject(Arc<Table>);

impl TableObject {
    /// Rows for templates.
    pub fn value(table: Arc<Table>) -> Value {
        Value::from_object(Self(table))
    }

    /// The rows that a value is, if it is a table.
    pub fn from_value(value: &Value) -> Option<Arc<Table>> {
        value.downcast_object_ref::<Self>().map(|table| Arc::clone(&table.0))
    }

    fn row(&self, index: usize) -> Option<Value> {
        (index < self.0.rows.len()).then(|| Value::from_object(Row { table: Arc::clone(&self.0), index }))
    }

    fn rows(&self) -> Vec<Value> {
        (0..self.0.rows.len()).filter_map(|index| self.row(index)).collect()
    }

    fn columns(&self) -> Value {
        let names = self.0.columns.iter().map(|(name, _)| name.clone()).collect();
        let columns = (0..self.0.columns.len())
            .map(|index| Value::from_object(Column { table: Arc::clone(&self.0), index }))
            .collect();
        Value::from_object(Sequence { names, values: columns })
    }

    /// The positions of the columns that an argument names: one name, or several names or positions.
    fn positions(&self, key: &Value) -> Result<Vec<usize>, Error> {
        let keys: Vec<Value> = if key.as_str().is_some() { vec![key.clone()] } else { key.try_iter()?.collect() };
        let names: Vec<&str> = self.0.columns.iter().map(|(name, _)| name.as_str()).collect();
        keys.iter()
            .map(|key| {
                let found = match key.as_str() {
                    Some(name) => names.iter().position(|other| *other == name),
                    None => key.as_usize().filter(|index| *index < names.len()),
                };
                found.ok_or_else(|| {
                    let message = format!("the table has no column {}; it has {}", repr(key), names.join(", "));
                    failure(Code::JinjaRender, message)
                })
            })
            .collect()
    }

    fn with_columns(&self, positions: &[usize]) -> Value {
        let pick = |row: &Vec<Cell>| positions.iter().map(|at| row.get(*at).cloned().unwrap_or(Cell::Null)).collect();
        let columns = positions.iter().map(|at| self.0.columns[*at].clone()).collect();
        Self::value(Arc::new(Table { columns, rows: self.0.rows.iter().map(pick).collect() }))
    }

    fn with_rows(&self, rows: Vec<Vec<Cell>>) -> Value {
        Self::value(Arc::new(Table { columns: self.0.columns.clone(), rows }))
    }

    fn renamed(&self, names: &Value) -> Result<Value, Error> {
        let mut table = (*self.0).clone();
        if let Some(pairs) = pairs(names) {
            for (from, to) in pairs {
                let from = text(&from);
                if let Some((name, _)) = table.columns.iter_mut().find(|(name, _)| *name == from) {
                    *name = text(&to);
                }
            }
        } else {
            let names: Vec<Value> = names.try_iter()?.collect();
            for ((name, _), new) in table.columns.iter_mut().zip(&names) {
                *name = text(new);
            }
        }
        Ok(Self::value(Arc::new(table)))
    }

    fn limited(&self, arguments: &mut Arguments<'_>) -> Result<Value, Error> {
        let first = arguments.integer("start_or_stop")?;
        let bound = |number: i64| usize::try_from(number).unwrap_or(0).min(self.0.rows.len());
        let (start, stop) = match arguments.optional("stop").and_then(|stop| stop.as_i64()) {
            Some(stop) => (bound(first), bound(stop)),
            None => (0, bound(first)),
        };
        let every = arguments.optional("step").and_then(|step| step.as_usize()).filter(|step| *step > 0).unwrap_or(1);
        let rows = self.0.rows.iter().take(stop).skip(start).step_by(every).cloned().collect();
        Ok(self.with_rows(rows))
    }

    fn ordered(&self, arguments: &mut Arguments<'_>) -> Result<Value, Error> {
        let positions = self.positions(&arguments.required("key")?)?;
        let reverse = arguments.flag("reverse", false);
        let mut keyed: Vec<(Vec<Value>, &Vec<Cell>)> =
            self.0.rows.iter().map(|row| (positions.iter().map(|at| cell_value(&row[*at])).collect(), row)).collect();
        keyed.sort_by(|left, right| left.0.cmp(&right.0));
        if reverse {
            keyed.reverse();
        }
        Ok(self.with_rows(keyed.into_iter().map(|(_, row)| row.clone()).collect()))
    }

    fn distinct(&self, arguments: &mut Arguments<'_>) -> Result<Value, Error> {
        let positions = match arguments.optional("key") {
            Some(key) => self.positions(&key)?,
            None => (0..self.0.columns.len()).collect(),
        };
        let mut seen = std::collections::BTreeSet::new();
        let key = |row: &Vec<Cell>| positions.iter().map(|at| format!("{:?}", row[*at])).collect::<Vec<_>>();
        let rows = self.0.rows.iter().filter(|row| seen.insert(key(row))).cloned().collect();
        Ok(self.with_rows(rows))
    }

    /// The rows of tables that have the same columns, one after the other.
    fn merged(tables: &Value) -> Result<Value, Error> {
        let mut merged: Option<Table> = None;
        for value in tables.try_iter()? {
            let Some(table) = Self::from_value(&value) else {
                let message = format!("`merge()` needs a list of tables, and this is in it: {}", repr(&value));
                return Err(failure(Code::JinjaRender, message));
            };
            match &mut merged {
                None => merged = Some((*table).clone()),
                Some(merged) if merged.columns.len() == table.columns.len() => {
                    merged.rows.extend(table.rows.iter().cloned());
                }
                Some(_) => return Err(failure(Code::JinjaRender, "`merge()` needs tables of the same columns")),
            }
        }
        Ok(Self::value(Arc::new(merged.unwrap_or_default())))
    }

    /// The table as text with lines, at most so many rows and columns, cells cut at a width.
    fn printed(&self, max_rows: usize, max_columns: usize, max_width: usize) -> String {
        let cut = |cell: String| match cell.char_indices().nth(max_width) {
            Some((at, _)) => format!("{}...", &cell[..at]),
            None => cell,
        };
        let (width, more_columns) = (self.0.columns.len().min(max_columns), self.0.columns.len() > max_columns);
        let mut lines: Vec<Vec<String>> = vec![];
        lines.push(self.0.columns.iter().take(width).map(|(name, _)| cut(name.clone())).collect());
        for row in self.0.rows.iter().take(max_rows) {
            lines.push(row.iter().take(width).map(|cell| cut(cell.to_string())).collect());
        }
        if self.0.rows.len() > max_rows {
            lines.push(vec!["...".to_owned(); width]);
        }
        if more_columns {
            for line in &mut lines {
                line.push("...".to_owned());
            }
        }
        let columns = lines.first().map_or(0, Vec::len);
        let widths: Vec<usize> =
            (0..columns).map(|at| lines.iter().map(|line| line[at].chars().count()).max().unwrap_or(0)).collect();
        let right: Vec<bool> = (0..columns).map(|at| at < width && is_number(&self.0.columns[at].1)).collect();
        let mut text = String::new();
        for (index, line) in lines.iter().enumerate() {
            let cells: Vec<String> =
                line.iter().enumerate().map(|(at, cell)| pad(cell, widths[at], right[at])).collect();
            text.extend(["| ", &cells.join(" | "), " |\n"]);
            if index == 0 {
                let rules: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
                text.extend(["| ", &rules.join(" | "), " |\n"]);
            }
        }
        text
    }
}

fn is_number(column_type: &ColumnType) -> bool {
    matches!(column_type, ColumnType::BigInt | ColumnType::Decimal(..) | ColumnType::Double | ColumnType::Date)
}

fn pad(cell: &str, width: usize, right: bool) -> String {
    if right { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
}

/// agate's name for a column's type.
pub(super) fn agate_type(column_type: &ColumnType) -> &'static str {
    match column_type {
        ColumnType::Boolean => "Boolean",
        ColumnType::BigInt => "Integer",
        ColumnType::Other(word)
            if word.to_ascii_uppercase().ends_with("INT") || word.eq_ignore_ascii_case("integer") =>
        {
            "Integer"
        }
        ColumnType::Other(word) if word.eq_ignore_ascii_case("float") => "Number",
        ColumnType::Decimal(..) | ColumnType::Double => "Number",
        ColumnType::Date => "Date",
        ColumnType::Timestamp | ColumnType::TimestampTz => "DateTime",
        _ => "Text",
    }
}

impl fmt::Debug for TableObject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("<agate.table.Table object>")
    }
}

impl Object for TableObject {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str() {
            Some(key) => self.get_value_by_str(key),
            None => self.row(key.as_usize()?),
        }
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        Some(match key {
            "rows" => {
                let names = (0..self.0.rows.len()).map(|index| index.to_string()).collect();
                Value::from_object(Sequence { names, values: self.rows() })
            }
            "columns" => self.columns(),
            "column_names" => tuple(self.0.columns.iter().map(|(name, _)| Value::from(name.as_str()))),
            "column_types" => tuple(self.0.columns.iter().map(|(_, one)| Value::from(agate_type(one)))),
            "row_names" => none(),
            _ => return None,
        })
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.0.rows.len())
    }

    /// As agate prints a table: its columns and their types.
    fn render(self: &Arc<Self>, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs = self.0.columns.iter().map(|(name, one)| vec![name.clone(), agate_type(one).to_owned()]);
        let rows = pairs.map(|pair| pair.into_iter().map(Cell::Text).collect()).collect();
        let columns = ["column", "data_type"].map(|name| (name.to_owned(), ColumnType::Text)).to_vec();
        let structure = Self(Arc::new(Table { columns, rows }));
        formatter.write_str(&structure.printed(usize::MAX, 2, usize::MAX))
    }

    fn call_method(self: &Arc<Self>, state: &mut State, method: &str, values: &[Value]) -> Result<Value, Error> {
        let mut arguments = Arguments::new(method, values);
        let answer = match method {
            "select" => self.with_columns(&self.positions(&arguments.required("key")?)?),
            "exclude" => {
                let gone = self.positions(&arguments.required("key")?)?;
                let kept: Vec<usize> = (0..self.0.columns.len()).filter(|at| !gone.contains(at)).collect();
                self.with_columns(&kept)
            }
            "limit" => self.limited(&mut arguments)?,
            "rename" => self.renamed(&arguments.required("column_names")?)?,
            "order_by" => self.ordered(&mut arguments)?,
            "distinct" => self.distinct(&mut arguments)?,
            "merge" => Self::merged(&arguments.required("tables")?)?,
            "print_table" => {
                let mut limit = |name: &str, default: usize| {
                    arguments.given(name).map_or(default, |value| value.as_usize().unwrap_or(usize::MAX))
                };
                let (rows, columns) = (limit("max_rows", 20), limit("max_columns", 6));
                arguments.keyword("output");
                let width = arguments.keyword("max_column_width").and_then(|width| width.as_usize()).unwrap_or(20);
                super::current(state)?.host().log(self.printed(rows, columns, width).trim_end(), true);
                none()
            }
            _ => return Err(unknown_method("a table of rows", method, METHODS)),
        };
        arguments.finish()?;
        Ok(answer)
    }
}

/// A sequence whose members also have names: the columns of a table, or its rows.
struct Sequence {
    names: Vec<String>,
    values: Vec<Value>,
}

impl fmt::Debug for Sequence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_short(formatter, "MappedSequence", &self.values)
    }
}

impl Object for Sequence {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        member(&self.names, key).and_then(|index| self.values.get(index).cloned())
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.values.len())
    }

    fn render(self: &Arc<Self>, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self:?}")
    }

    fn call_method(self: &Arc<Self>, _: &mut State, method: &str, values: &[Value]) -> Result<Value, Error> {
        mapped_method(&self.names, &self.values, method, values)
    }
}

/// One row: cells by position and by column name.
struct Row {
    table: Arc<Table>,
    index: usize,
}

impl Row {
    fn cells(&self) -> Vec<Value> {
        self.table.rows[self.index].iter().map(cell_value).collect()
    }

    fn names(&self) -> Vec<String> {
        self.table.columns.iter().map(|(name, _)| name.clone()).collect()
    }
}

impl fmt::Debug for Row {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_short(formatter, "Row", &self.cells())
    }
}

impl Object for Row {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let index = match key.as_str() {
            Some(name) => self.table.columns.iter().position(|(other, _)| other == name),
            None => key.as_usize(),
        };
        self.table.rows[self.index].get(index?).map(cell_value)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.table.columns.len())
    }

    fn render(self: &Arc<Self>, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self:?}")
    }

    fn call_method(self: &Arc<Self>, _: &mut State, method: &str, values: &[Value]) -> Result<Value, Error> {
        mapped_method(&self.names(), &self.cells(), method, values)
    }
}

/// One column: its cells, name and type.
struct Column {
    table: Arc<Table>,
    index: usize,
}

impl Column {
    fn cells(&self) -> Vec<Value> {
        self.table.rows.iter().map(|row| row.get(self.index).map_or_else(none, cell_value)).collect()
    }
}

impl fmt::Debug for Column {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_short(formatter, "Column", &self.cells())
    }
}

impl Object for Column {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let (name, column_type) = &self.table.columns[self.index];
        match key.as_str() {
            Some("name") => Some(Value::from(name.as_str())),
            Some("data_type") => Some(Value::from(agate_type(column_type))),
            Some("index") => Some(Value::from(self.index)),
            Some(_) => None,
            None => self.table.rows.get(key.as_usize()?)?.get(self.index).map(cell_value),
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.table.rows.len())
    }

    fn render(self: &Arc<Self>, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self:?}")
    }

    fn call_method(self: &Arc<Self>, _: &mut State, method: &str, values: &[Value]) -> Result<Value, Error> {
        let arguments = Arguments::new(method, values);
        let mut cells = self.cells();
        match method {
            "values" => {}
            "values_without_nulls" => cells.retain(|cell| !is_absent(cell)),
            "values_sorted" => cells.sort(),
            "values_without_nulls_sorted" => {
                cells.retain(|cell| !is_absent(cell));
                cells.sort();
            }
            "values_distinct" => {
                let mut seen = std::collections::BTreeSet::new();
                cells.retain(|cell| seen.insert(cell.clone()));
            }
            _ => return mapped_method(&[], &cells, method, values),
        }
        arguments.finish()?;
        Ok(tuple(cells))
    }
}

fn member(names: &[String], key: &Value) -> Option<usize> {
    match key.as_str() {
        Some(name) => names.iter().position(|other| other == name),
        None => key.as_usize(),
    }
}

/// The methods of agate's sequences with names.
fn mapped_method(names: &[String], cells: &[Value], method: &str, values: &[Value]) -> Result<Value, Error> {
    let mut arguments = Arguments::new(method, values);
    let pairs_of = || names.iter().map(|name| Value::from(name.as_str())).zip(cells.iter().cloned());
    let answer = match method {
        "values" => tuple(cells.iter().cloned()),
        "keys" => tuple(pairs_of().map(|(name, _)| name)),
        "items" => tuple(pairs_of().map(|(name, cell)| tuple([name, cell]))),
        "dict" => dict(pairs_of()),
        "get" => {
            let key = arguments.required("key")?;
            let default = arguments.given("default").unwrap_or_else(none);
            member(names, &key).and_then(|index| cells.get(index).cloned()).unwrap_or(default)
        }
        _ => return Err(Error::from(ErrorKind::UnknownMethod)),
    };
    arguments.finish()?;
    Ok(answer)
}

/// As agate shows a sequence: the first five members.
fn write_short(formatter: &mut fmt::Formatter<'_>, class: &str, values: &[Value]) -> fmt::Result {
    let mut shown: Vec<String> = values.iter().take(5).map(repr).collect();
    if values.len() > 5 {
        shown.push("...".to_owned());
    }
    write!(formatter, "<agate.{class}: ({})>", shown.join(", "))
}
