//! Queries and their `select`s.

use super::{Refusal, Scope, Translator};
use sqlparser::ast::{
    Expr, FunctionArg, FunctionArguments, GroupByExpr, Ident, LimitClause, Query, Select, SelectItem,
    SelectItemQualifiedWildcardKind, SetExpr, SetOperator, Spanned, TableFactor, TableWithJoins, TopQuantity,
};

impl Translator<'_> {
    /// What belongs to a whole query: set operators, limits.
    pub(super) fn query(&mut self, query: &mut Query) {
        minus_to_except(&mut query.body);
        if let SetExpr::Select(select) = query.body.as_mut()
            && let Some(top) = select.top.take()
        {
            match top.quantity {
                Some(TopQuantity::Constant(count)) if query.limit_clause.is_none() => {
                    query.limit_clause = Some(limit(super::build::number(i64::try_from(count).unwrap_or(i64::MAX))));
                }
                Some(TopQuantity::Expr(count)) if query.limit_clause.is_none() => {
                    query.limit_clause = Some(limit(count));
                }
                _ => {
                    let place = select.select_token.0.span;
                    self.refuse(place, "`top`", &Refusal::new("it stands beside another limit", "use `limit`"));
                }
            }
        }
        if let Some(fetch) = query.fetch.take() {
            match fetch.quantity {
                Some(count) if !fetch.percent && !fetch.with_ties => match &mut query.limit_clause {
                    Some(LimitClause::LimitOffset { limit, .. }) => *limit = Some(count),
                    other => *other = Some(limit(count)),
                },
                _ => self.refuse(
                    query.body.span(),
                    "`fetch`",
                    &Refusal::new("only a count is translated", "use `limit`"),
                ),
            }
        }
    }

    /// Looks at what a `select` reads, before its parts are translated.
    pub(super) fn enter_select(&mut self, select: &mut Select) {
        let mut scope = Scope::default();
        if let [TableWithJoins { relation, joins }] = select.from.as_mut_slice()
            && joins.is_empty()
        {
            scope.positional = values_columns(relation);
        }
        self.scopes.push(scope);
        let mut flattens = false;
        let mut aliases = Vec::new();
        for table in &select.from {
            for factor in std::iter::once(&table.relation).chain(table.joins.iter().map(|join| &join.relation)) {
                if let Some(alias) = flatten_alias(factor) {
                    flattens = true;
                    aliases.push(alias);
                }
            }
        }
        for item in &select.projection {
            let all = match item {
                SelectItem::Wildcard(_) => flattens,
                SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(table), _) => {
                    aliases.contains(&table.to_string().to_lowercase())
                }
                _ => false,
            };
            if all {
                let refusal = Refusal::new("the column `seq` cannot be had", "name the columns, such as `f.value`");
                self.refuse(item.span(), "all columns of `flatten`", &refusal);
            }
        }
        self.flattened.extend(aliases);
        if !select.connect_by.is_empty() {
            let place = select.select_token.0.span;
            self.refuse(place, "`connect by`", &Refusal::new("it is not translated", "write a recursive CTE"));
        }
    }

    /// Remembers which of its columns are VARIANTs, once its parts are translated.
    pub(super) fn leave_select(&mut self, select: &mut Select) {
        self.left = self.scopes.pop().unwrap_or_default();
        for item in &select.projection {
            if let SelectItem::ExprWithAlias { expr, alias } = item
                && self.is_variant(expr)
            {
                self.variants.insert(alias.value.to_lowercase());
            }
        }
        if let GroupByExpr::Expressions(expressions, _) = &mut select.group_by {
            // `group by null` makes one group on Snowflake; DuckDB would take a literal as a position.
            expressions
                .retain(|expr| !matches!(expr, Expr::Value(value) if value.value == sqlparser::ast::Value::Null));
        }
    }
}

fn limit(count: Expr) -> LimitClause {
    LimitClause::LimitOffset { limit: Some(count), offset: None, limit_by: vec![] }
}

fn minus_to_except(body: &mut SetExpr) {
    if let SetExpr::SetOperation { left, op, right, .. } = body {
        if *op == SetOperator::Minus {
            *op = SetOperator::Except;
        }
        minus_to_except(left);
        minus_to_except(right);
    }
}

/// The alias of a `flatten` (its own name where it has none), in lower case.
fn flatten_alias(factor: &TableFactor) -> Option<String> {
    let (name, alias) = match factor {
        TableFactor::Function { name, alias, .. } | TableFactor::Table { name, alias, args: Some(_), .. } => {
            (name.to_string(), alias)
        }
        TableFactor::TableFunction { expr: Expr::Function(function), alias } => (function.name.to_string(), alias),
        _ => return None,
    };
    name.eq_ignore_ascii_case("flatten")
        .then(|| alias.as_ref().map_or_else(|| "flatten".to_owned(), |alias| alias.name.value.to_lowercase()))
}

/// The names of the columns of `values`: those of the alias, else `column1`, `column2`, …
fn values_columns(factor: &TableFactor) -> Option<Vec<Ident>> {
    let TableFactor::Derived { subquery, alias, .. } = factor else { return None };
    let SetExpr::Values(values) = subquery.body.as_ref() else { return None };
    let named: Vec<Ident> = alias.iter().flat_map(|alias| &alias.columns).map(|column| column.name.clone()).collect();
    if !named.is_empty() {
        return Some(named);
    }
    let width = values.rows.first().map_or(0, |row| row.content.len());
    Some((1..=width).map(|position| Ident::new(format!("column{position}"))).collect())
}

/// The value of a named argument (`input => x`), and whether every argument has a name.
pub(super) fn named_arguments(arguments: &FunctionArguments) -> Option<Vec<(String, Expr)>> {
    use sqlparser::ast::FunctionArgExpr;
    let FunctionArguments::List(list) = arguments else { return None };
    list.args
        .iter()
        .map(|argument| match argument {
            FunctionArg::Named { name, arg: FunctionArgExpr::Expr(expr), .. } => {
                Some((name.value.to_lowercase(), expr.clone()))
            }
            FunctionArg::ExprNamed { name, arg: FunctionArgExpr::Expr(expr), .. } => {
                Some((name.to_string().to_lowercase(), expr.clone()))
            }
            _ => None,
        })
        .collect()
}
