//! What stands in `from`: `flatten`, `generator`, `values`, samples, pivots.

use super::build::{call, literal_number, literal_text, table_macro};
use super::query::named_arguments;
use super::{Refusal, Translator, path};
use sqlparser::ast::{
    Expr, ExprWithAlias, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident,
    ObjectName, PivotValueSource, SetExpr, Spanned, TableAlias, TableAliasColumnDef, TableFactor, TableFunctionArgs,
    TableSampleKind, TableSampleMethod, TableSampleModifier, TableSampleUnit, Value, ValueWithSpan,
};

impl Translator<'_> {
    /// Changes one table, before its parts are translated.
    pub(super) fn table_factor(&mut self, factor: &mut TableFactor) {
        match factor {
            TableFactor::TableFunction { expr: Expr::Function(function), alias } => {
                let (function, alias) = (function.clone(), alias.take());
                self.table_function(&function, alias, factor);
            }
            TableFactor::Function { name, args, alias, .. } => {
                let function = function_of(name.clone(), std::mem::take(args));
                let alias = alias.take();
                self.table_function(&function, alias, factor);
            }
            TableFactor::Table { name, args: Some(arguments), alias, .. } => {
                if name.0.len() > 1 {
                    return; // A table function of the project, called with its schema.
                }
                let function = function_of(name.clone(), std::mem::take(&mut arguments.args));
                let alias = alias.take();
                self.table_function(&function, alias, factor);
            }
            TableFactor::Table { name, version, sample, alias, .. } => {
                if version.take().is_some() {
                    let refusal = Refusal::new("there is no time travel", "read a snapshot instead");
                    self.refuse(name.span(), "`at` or `before`", &refusal);
                }
                if name.to_string().starts_with('@') {
                    let refusal =
                        Refusal::new("there are no stages", "extract the files with a source of type `files`");
                    self.refuse(name.span(), "a stage", &refusal);
                }
                if name.to_string().eq_ignore_ascii_case("dual") {
                    let alias = alias.take();
                    *factor = one_row(alias);
                } else {
                    translate_sample(sample);
                }
            }
            TableFactor::Derived { subquery, alias, sample, .. } => {
                if matches!(subquery.body.as_ref(), SetExpr::Values(_)) {
                    name_values(subquery.body.as_ref(), alias);
                }
                translate_sample(sample);
            }
            TableFactor::Pivot { .. } => self.pivot(factor),
            TableFactor::Unpivot { columns, .. } => name_unpivoted(columns),
            TableFactor::MatchRecognize { table, .. } => {
                let place = table.span();
                let refusal = Refusal::new("it is not translated", "use window functions");
                self.refuse(place, "`match_recognize`", &refusal);
            }
            _ => {}
        }
    }

    fn table_function(&mut self, function: &Function, alias: Option<TableAlias>, factor: &mut TableFactor) {
        let title = function.name.to_string().to_lowercase();
        let translated = match title.as_str() {
            "flatten" => flatten(&function.args),
            "generator" => generator(&function.args),
            "split_to_table" => positional(&function.args).map(|arguments| table_macro("split_to_table", arguments)),
            _ => Err(Refusal::new("this table function is not translated", "")),
        };
        match translated {
            Ok(table) => *factor = with_alias(table, alias),
            Err(refusal) => {
                self.refuse(function.name.span(), &format!("`{title}`"), &refusal);
                *factor = one_row(alias); // What stands inside is not looked at any more.
            }
        }
    }

    fn pivot(&mut self, factor: &mut TableFactor) {
        let place = factor.span();
        let TableFactor::Pivot { value_source, default_on_null, alias, .. } = factor else { return };
        let renames = alias.as_ref().is_some_and(|alias| !alias.columns.is_empty());
        match value_source {
            PivotValueSource::List(values) if default_on_null.is_none() => {
                for value in values.iter_mut().filter(|value| value.alias.is_none() && !renames) {
                    // Snowflake names the column as the value is written, quotes included.
                    let written = value.expr.to_string();
                    value.alias = Some(Ident::with_quote('"', written.replace('"', "\"\"")));
                }
            }
            _ => {
                let refusal = Refusal::new("only a list of values is translated", "list the values: `in ('A', 'B')`");
                self.refuse(place, "`pivot`", &refusal);
            }
        }
    }
}

/// `flatten(input => x [, path => 'a.b'] [, outer => true] [, recursive => true] [, mode => 'array'])`.
fn flatten(arguments: &FunctionArguments) -> Result<TableFactor, Refusal> {
    let named = match named_arguments(arguments) {
        Some(named) => named,
        None => vec![("input".to_owned(), positional(arguments)?.into_iter().next().ok_or_else(no_input)?)],
    };
    let mut input = None;
    let (mut outer, mut recursive, mut mode, mut steps) = (false, false, "BOTH".to_owned(), None);
    for (name, value) in named {
        let help = "write the value as a literal";
        let wrong = || Refusal::new(format!("the value of `{name}` is not understood"), help);
        match name.as_str() {
            "input" => input = Some(value),
            "path" => steps = Some(literal_text(&value).ok_or_else(wrong)?),
            "mode" => mode = literal_text(&value).ok_or_else(wrong)?.to_uppercase(),
            "outer" => outer = boolean(&value).ok_or_else(wrong)?,
            "recursive" => recursive = boolean(&value).ok_or_else(wrong)?,
            other => return Err(Refusal::new(format!("the argument `{other}` is not known"), "")),
        }
    }
    let mut input = input.ok_or_else(no_input)?;
    if let Some(steps) = steps.filter(|steps| !steps.is_empty()) {
        input = path::text_path(input, &steps);
    }
    if !matches!(mode.as_str(), "BOTH" | "ARRAY" | "OBJECT") {
        return Err(Refusal::new(format!("the mode `{mode}` is not known"), "use BOTH, ARRAY or OBJECT"));
    }
    let kind = || super::build::literal_expr(&mode);
    match (outer, recursive, mode.as_str()) {
        (false, false, "BOTH") => Ok(table_macro("flatten", vec![input])),
        (true, false, "BOTH") => Ok(table_macro("flatten_outer", vec![input])),
        (false, false, _) => Ok(table_macro("flatten_of", vec![input, kind()])),
        (true, false, _) => Ok(table_macro("flatten_outer_of", vec![input, kind()])),
        (false, true, "BOTH") => Ok(table_macro("flatten_recursive", vec![input])),
        (_, true, _) => Err(Refusal::new("`recursive` with `outer` or `mode` is not translated", "")),
    }
}

/// `sample (10)`, `sample row (10 rows)` as `tablesample bernoulli (10 percent)`, …
fn translate_sample(sample: &mut Option<TableSampleKind>) {
    let Some(TableSampleKind::BeforeTableAlias(kind) | TableSampleKind::AfterTableAlias(kind)) = sample else {
        return;
    };
    kind.modifier = TableSampleModifier::TableSample;
    let Some(quantity) = &mut kind.quantity else { return };
    let in_rows = quantity.unit == Some(TableSampleUnit::Rows);
    quantity.unit = Some(if in_rows { TableSampleUnit::Rows } else { TableSampleUnit::Percent });
    // DuckDB counts rows out of a reservoir, its default; Bernoulli is Snowflake's default for a percentage.
    kind.name = match (&kind.name, in_rows) {
        (_, true) => None,
        (Some(TableSampleMethod::System | TableSampleMethod::Block), false) => Some(TableSampleMethod::System),
        (_, false) => Some(TableSampleMethod::Bernoulli),
    };
    if let Some(seed) = &mut kind.seed {
        seed.modifier = sqlparser::ast::TableSampleSeedModifier::Repeatable;
    }
}

fn no_input() -> Refusal {
    Refusal::new("it has no input", "write `flatten(input => …)`")
}

/// `generator(rowcount => n)` as `range(n)`.
fn generator(arguments: &FunctionArguments) -> Result<TableFactor, Refusal> {
    let rows = named_arguments(arguments).unwrap_or_default().into_iter().find(|(name, _)| name == "rowcount");
    let (_, count) = rows.ok_or_else(|| Refusal::new("it has no `rowcount`", "write `generator(rowcount => 10)`"))?;
    let Expr::Function(range) = call("range", vec![count]) else {
        return Err(no_input());
    };
    let FunctionArguments::List(list) = range.args else { return Err(no_input()) };
    let mut table = table_macro("range", vec![]);
    if let TableFactor::Table { name, args, .. } = &mut table {
        *name = range.name;
        *args = Some(TableFunctionArgs { args: list.args, settings: None });
    }
    Ok(table)
}

fn function_of(name: ObjectName, args: Vec<FunctionArg>) -> Function {
    Function {
        name,
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList { duplicate_treatment: None, args, clauses: vec![] }),
        within_group: vec![],
        filter: None,
        null_treatment: None,
        over: None,
    }
}

fn positional(arguments: &FunctionArguments) -> Result<Vec<Expr>, Refusal> {
    let FunctionArguments::List(list) = arguments else { return Err(no_input()) };
    let each = list.args.iter().map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Ok(expr.clone()),
        other => Err(Refusal::new(format!("the argument `{other}` is not translated"), "")),
    });
    each.collect()
}

fn boolean(expr: &Expr) -> Option<bool> {
    match expr {
        Expr::Value(ValueWithSpan { value: Value::Boolean(value), .. }) => Some(*value),
        Expr::Identifier(name) => name.value.to_lowercase().parse().ok(),
        other => literal_number(other).map(|value| value != 0),
    }
}

fn with_alias(mut table: TableFactor, new_alias: Option<TableAlias>) -> TableFactor {
    if let TableFactor::Table { alias, .. } = &mut table {
        *alias = new_alias;
    }
    table
}

fn one_row(alias: Option<TableAlias>) -> TableFactor {
    let mut table = table_macro("range", vec![]);
    if let TableFactor::Table { name, args, .. } = &mut table {
        *name = super::build::object_name(vec![Ident::new("range")]);
        *args = Some(TableFunctionArgs {
            args: vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(super::build::number(1)))],
            settings: None,
        });
    }
    with_alias(table, alias)
}

/// Snowflake calls the columns of `values` `column1`, `column2`, …
fn name_values(values: &SetExpr, alias: &mut Option<TableAlias>) {
    let SetExpr::Values(values) = values else { return };
    let width = values.rows.first().map_or(0, |row| row.content.len());
    let alias = alias.get_or_insert_with(|| TableAlias {
        explicit: true,
        name: Ident::new("rows_given"),
        columns: vec![],
        at: None,
    });
    if alias.columns.is_empty() {
        alias.columns = (1..=width)
            .map(|position| TableAliasColumnDef { name: Ident::new(format!("column{position}")), data_type: None })
            .collect();
    }
}

/// Snowflake gives the names of the columns in upper case, as it stores them.
fn name_unpivoted(columns: &mut [ExprWithAlias]) {
    for column in columns.iter_mut().filter(|column| column.alias.is_none()) {
        if let Expr::Identifier(name) = &column.expr {
            let stored = if name.quote_style.is_some() { name.value.clone() } else { name.value.to_uppercase() };
            column.alias = Some(Ident::with_quote('\'', stored.replace('\'', "''")));
        }
    }
}
