//! What a query names: relations, columns, and the columns that it gives.

use super::Dialect;
use super::error::{parse, syntax_error};
use crate::diagnostic::{Diagnostic, SourceFile};
use sqlparser::ast::{
    Cte, Expr, Ident, ObjectName, Query, Select, SelectItem, SetExpr, Statement, TableFactor, Visit, Visitor,
};
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

/// What a SQL text names. Unquoted names are folded as the dialect folds them for comparison: lower case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct References {
    /// Relations that are read or written, CTEs excluded, as parts (`["db", "schema", "name"]`).
    pub relations: BTreeSet<Vec<String>>,
    /// Columns by their own names, without the relation before them. CTE and output aliases may be among them.
    pub columns: BTreeSet<String>,
    /// The names of the columns that the last query gives; none where they cannot be read from the text
    /// (a `*`, an expression without a name).
    pub output: Option<Vec<String>>,
}

/// What the text names; an error where it cannot be parsed.
pub fn references(file: &Arc<SourceFile>, dialect: Dialect) -> Result<References, Diagnostic> {
    let statements = parse(file.text(), dialect).map_err(|error| syntax_error(file, dialect, &error))?;
    let mut collector = Collector::default();
    for statement in &statements {
        let _ = statement.visit(&mut collector);
    }
    let mut found = collector.found;
    found.output = statements.last().and_then(|statement| match statement {
        Statement::Query(query) => output_of(query, &[]),
        _ => None,
    });
    Ok(found)
}

#[derive(Default)]
struct Collector {
    found: References,
    /// Names of the CTEs that can be seen, a frame a query.
    scopes: Vec<BTreeSet<String>>,
}

impl Visitor for Collector {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let names = query.with.iter().flat_map(|with| &with.cte_tables);
        self.scopes.push(names.map(|cte: &Cte| folded(&cte.alias.name)).collect());
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.scopes.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        let parts: Vec<String> = relation.0.iter().filter_map(|part| part.as_ident()).map(folded).collect();
        let is_cte = parts.len() == 1 && self.scopes.iter().any(|scope| scope.contains(&parts[0]));
        if !is_cte && !parts.is_empty() {
            self.found.relations.insert(parts);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::Identifier(name) => {
                self.found.columns.insert(folded(name));
            }
            Expr::CompoundIdentifier(names) => {
                self.found.columns.extend(names.last().map(folded));
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

fn folded(name: &Ident) -> String {
    if name.quote_style.is_some() { name.value.clone() } else { name.value.to_lowercase() }
}

/// The columns of a query; `outer` are the CTEs that it sees besides its own.
fn output_of(query: &Query, outer: &[Cte]) -> Option<Vec<String>> {
    let own = query.with.as_ref().map_or(outer, |with| with.cte_tables.as_slice());
    output_of_body(&query.body, own)
}

fn output_of_body(body: &SetExpr, ctes: &[Cte]) -> Option<Vec<String>> {
    match body {
        SetExpr::Select(select) => output_of_select(select, ctes),
        SetExpr::Query(inner) => output_of(inner, ctes),
        SetExpr::SetOperation { left, .. } => output_of_body(left, ctes),
        _ => None,
    }
}

fn output_of_select(select: &Select, ctes: &[Cte]) -> Option<Vec<String>> {
    let Some(wanted) = only_table(select) else {
        return select.projection.iter().map(output_name).collect();
    };
    // `select * from final`, the usual end of a model: what the CTE gives.
    let position = ctes.iter().position(|cte| folded(&cte.alias.name) == wanted)?;
    let cte = &ctes[position];
    if cte.alias.columns.is_empty() {
        // Only earlier CTEs can be meant inside, so this ends; a recursive one names itself and is left out.
        output_of(&cte.query, &ctes[..position])
    } else {
        Some(cte.alias.columns.iter().map(|column| folded(&column.name)).collect())
    }
}

/// The name of the one table from which everything is selected as it is.
fn only_table(select: &Select) -> Option<String> {
    let ([SelectItem::Wildcard(options)], [from]) = (select.projection.as_slice(), select.from.as_slice()) else {
        return None;
    };
    match &from.relation {
        TableFactor::Table { name, .. } if from.joins.is_empty() && options.to_string().is_empty() => {
            let [part] = name.0.as_slice() else { return None };
            part.as_ident().map(folded)
        }
        _ => None,
    }
}

fn output_name(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(folded(alias)),
        SelectItem::UnnamedExpr(Expr::Identifier(name)) => Some(folded(name)),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(names)) => names.last().map(folded),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(sql: &str) -> References {
        references(&SourceFile::new("a.sql", sql), Dialect::Snowflake).expect("the text is right")
    }

    #[test]
    fn ctes_are_no_relations() {
        let found = read(
            "with a as (select Id, x.b from db.S.\"T\" x), final as (select id, b as c, a.id from a join other using (id))
             select * from final",
        );
        let relations: Vec<String> = found.relations.iter().map(|parts| parts.join("/")).collect();
        assert_eq!(relations, ["db/s/T", "other"]);
        assert!(found.columns.contains("b") && found.columns.contains("id"));
        assert_eq!(found.output, Some(vec!["id".into(), "c".into(), "id".into()]));
    }

    #[test]
    fn output_that_cannot_be_read_is_none() {
        assert_eq!(read("select * from t").output, None);
        assert_eq!(read("select a + 1 from t").output, None);
        assert_eq!(read("with recursive r as (select * from r) select * from r").output, None);
        assert_eq!(read("(select a from t) union all select b from u").output, Some(vec!["a".into()]));
    }

    #[test]
    fn a_cte_hides_a_table_only_where_it_is_seen() {
        let found = read("select * from (with t as (select 1 as one) select * from t) join t on true");
        assert!(found.relations.contains(&vec!["t".to_owned()]));
    }
}
