//! SQL of one dialect said in the other.
//!
//! Snowflake's SQL is parsed, changed where DuckDB says a thing differently, and printed. What needs more than
//! syntax is a macro in DuckDB's schema `snowflake` (`macros/snowflake_on_duckdb.sql`), so that its meaning can
//! be read in SQL. What neither can say is a located error: nothing runs with another meaning.

mod build;
mod cast;
mod data_type;
mod date_part;
mod expression;
mod format;
mod functions;
mod literals;
mod path;
mod query;
mod rewrite;
mod statement;
mod table;
mod variant;

use super::Dialect;
use super::error::{parse, syntax_error};
use super::token::{Token, TokenKind, tokens};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, SourceFile, Span};
use sqlparser::ast::{
    Expr, Ident, OrderBy, OrderByExpr, OrderByKind, OrderBySort, Query, Select, Spanned, Statement, TableFactor, Value,
    ValueWithSpan, VisitMut, VisitorMut,
};
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

/// The compiled SQL in `file` as the other dialect says it; unchanged, byte for byte, where nothing has to be said
/// differently. Everything that cannot be said is found at once.
pub fn translate(file: &Arc<SourceFile>, from: Dialect, to: Dialect) -> Result<String, Diagnostics> {
    match (from, to) {
        (Dialect::Snowflake, Dialect::DuckDb) => snowflake_on_duckdb(file),
        (Dialect::DuckDb, Dialect::Snowflake) => {
            let message = "SQL in the dialect of DuckDB cannot be translated for Snowflake";
            Err(Diagnostic::error(Code::SqlTranslation, message)
                .at(Span::new(file, 0..0), "")
                .help("write the model in the Snowflake dialect (`dialect: snowflake`): it runs on both")
                .into())
        }
        _ => Ok(file.text().to_string()),
    }
}

fn snowflake_on_duckdb(file: &Arc<SourceFile>) -> Result<String, Diagnostics> {
    let mut statements =
        parse(file.text(), Dialect::Snowflake).map_err(|error| syntax_error(file, Dialect::Snowflake, &error))?;
    let before = printed(&statements);
    let mut translator = Translator::new(file);
    for statement in &mut statements {
        translator.scopes.clear();
        let _ = statement.visit(&mut translator);
    }
    if translator.found.has_errors() {
        return Err(translator.found);
    }
    let after = printed(&statements);
    if before == after && !has_snowflake_layout(file.text()) { Ok(file.text().to_string()) } else { Ok(after) }
}

fn printed(statements: &[Statement]) -> String {
    let texts: Vec<String> = statements.iter().map(|statement| format!("{statement:#}")).collect();
    texts.join(";\n")
}

/// Whether there are comments with `//` or trailing commas, which the tree does not show and DuckDB does not read.
fn has_snowflake_layout(sql: &str) -> bool {
    let found = tokens(sql, Dialect::Snowflake);
    let slashes = found.iter().any(|token| token.kind == TokenKind::Comment && token.text(sql).starts_with("//"));
    let code: Vec<&Token> = found.iter().filter(|token| token.is_code()).collect();
    let ends_list = |token: &Token| token.is_symbol(sql, ")") || token.is_word(sql, "from");
    slashes || code.windows(2).any(|pair| pair[0].is_symbol(sql, ",") && ends_list(pair[1]))
}

/// Why something cannot be said on DuckDB.
pub(super) struct Refusal {
    message: String,
    help: String,
}

impl Refusal {
    /// What cannot be done, after "`NAME` on DuckDB: ", and what to do instead.
    fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: help.into() }
    }
}

/// What is known of a `select` while its parts are translated.
#[derive(Default)]
struct Scope {
    /// The names of the columns of its `values`, for `$1`; none where it reads something else.
    positional: Option<Vec<Ident>>,
}

/// Walks the tree and changes it in place; inner parts first.
struct Translator<'a> {
    file: &'a Arc<SourceFile>,
    found: Diagnostics,
    scopes: Vec<Scope>,
    /// The `select` that was left last: what the `order by` after it looks at.
    left: Scope,
    /// Aliases of `flatten`, whose `value` and `this` are VARIANTs; lower case.
    flattened: BTreeSet<String>,
    /// Column names that a `select` of this text gave to a VARIANT; lower case.
    variants: BTreeSet<String>,
}

impl<'a> Translator<'a> {
    fn new(file: &'a Arc<SourceFile>) -> Self {
        Self {
            file,
            found: Diagnostics::new(),
            scopes: vec![],
            left: Scope::default(),
            flattened: BTreeSet::new(),
            variants: BTreeSet::new(),
        }
    }

    /// Notes what cannot be translated, underlined where the parser says it stands.
    fn refuse(&mut self, place: sqlparser::tokenizer::Span, what: &str, refusal: &Refusal) {
        let message = format!("{what} on DuckDB: {}", refusal.message);
        let mut finding = Diagnostic::error(Code::SqlTranslation, message).at_if_known(self.span(place), "");
        if !refusal.help.is_empty() {
            finding = finding.help(refusal.help.as_str());
        }
        self.found.push(finding);
    }

    /// Bytes of the compiled SQL for a place of the parser's; `None` for a part that has none.
    fn span(&self, place: sqlparser::tokenizer::Span) -> Option<Span> {
        let offset = |at: sqlparser::tokenizer::Location| {
            let (line, column) = (usize::try_from(at.line).ok()?, usize::try_from(at.column).ok()?);
            (line > 0).then(|| self.file.offset_of(line, column))
        };
        Some(Span::new(self.file, offset(place.start)?..offset(place.end)?))
    }
}

impl VisitorMut for Translator<'_> {
    type Break = ();

    fn pre_visit_statement(&mut self, statement: &mut Statement) -> ControlFlow<()> {
        self.statement(statement);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        self.query(query);
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        self.enter_select(select);
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        self.leave_select(select);
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        self.table_factor(factor);
        ControlFlow::Continue(())
    }

    fn post_visit_value(&mut self, value: &mut ValueWithSpan) -> ControlFlow<()> {
        if let Some(translated) = literals::translated(&value.value) {
            value.value = translated;
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        self.like_all(expr);
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        self.expression(expr);
        ControlFlow::Continue(())
    }

    /// Snowflake puts NULLs last ascending, as DuckDB does, and first descending, as DuckDB does not.
    fn post_visit_order_by_expr(&mut self, order: &mut OrderByExpr) -> ControlFlow<()> {
        if self.is_variant(&order.expr) {
            let help = "say as what it is ordered: add `::string`, `::number` or another cast";
            self.refuse(
                order.expr.span(),
                "ordering by a VARIANT",
                &Refusal::new("its JSON text would be ordered", help),
            );
        }
        if order.options.sort == Some(OrderBySort::Desc) && order.options.nulls_first.is_none() {
            order.options.nulls_first = Some(true);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_order_by(&mut self, _: &mut OrderBy) -> ControlFlow<()> {
        self.scopes.push(std::mem::take(&mut self.left));
        ControlFlow::Continue(())
    }

    fn post_visit_order_by(&mut self, order: &mut OrderBy) -> ControlFlow<()> {
        self.scopes.pop();
        if let OrderByKind::All(options) = &mut order.kind
            && options.sort == Some(OrderBySort::Desc)
            && options.nulls_first.is_none()
        {
            options.nulls_first = Some(true);
        }
        ControlFlow::Continue(())
    }
}

/// Whether a value is `$1`, `$2`, …: the number.
fn positional(value: &Value) -> Option<usize> {
    match value {
        Value::Placeholder(mark) => mark.strip_prefix('$')?.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
