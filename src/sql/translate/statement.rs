//! Statements that define or write something.

use super::data_type::kind;
use super::{Refusal, Translator};
use sqlparser::ast::{
    ColumnDef, ColumnOption, CreateTable, CreateTableOptions, CreateView, Insert, Spanned, Statement,
};

impl Translator<'_> {
    /// Changes one statement, before its parts are translated.
    pub(super) fn statement(&mut self, statement: &mut Statement) {
        match statement {
            Statement::CreateTable(table) => self.create_table(table),
            Statement::CreateView(view) => create_view(view),
            Statement::Insert(insert) => self.insert(insert),
            Statement::Query(_)
            | Statement::Merge(_)
            | Statement::Update(_)
            | Statement::Delete(_)
            | Statement::Truncate(_)
            | Statement::Drop { .. }
            | Statement::CreateSchema { .. }
            | Statement::AlterTable(_)
            | Statement::Explain { .. }
            | Statement::StartTransaction { .. }
            | Statement::Commit { .. }
            | Statement::Rollback { .. } => {}
            other => {
                let written = other.to_string();
                let words: Vec<&str> = written.split_whitespace().take(2).collect();
                let refusal = Refusal::new("this statement is not translated", "run it on Snowflake only");
                self.refuse(other.span(), &format!("`{}`", words.join(" ").to_lowercase()), &refusal);
            }
        }
    }

    /// What DuckDB stores otherwise (clustering, retention, grants) is left out: it does not change the rows.
    fn create_table(&mut self, table: &mut CreateTable) {
        if table.dynamic || table.iceberg || table.external || table.clone.is_some() {
            let refusal = Refusal::new("only plain tables can be had", "make it a table by `create table … as`");
            self.refuse(table.name.span(), "this kind of table", &refusal);
        }
        table.transient = false;
        table.volatile = false;
        table.copy_grants = false;
        table.cluster_by = None;
        table.comment = None;
        table.change_tracking = None;
        table.enable_schema_evolution = None;
        table.data_retention_time_in_days = None;
        table.max_data_extension_time_in_days = None;
        table.with_tags = None;
        table.table_options = CreateTableOptions::None;
        for column in &mut table.columns {
            self.column(column);
        }
    }

    fn column(&mut self, column: &mut ColumnDef) {
        if let Some(wanted) = kind(&column.data_type) {
            column.data_type = wanted.data_type();
        } else {
            let message = format!("there is no counterpart of the type {}", column.data_type);
            self.refuse(column.name.span, "a column", &Refusal::new(message, "keep the value as text or VARIANT"));
        }
        if column.options.iter().any(|option| matches!(option.option, ColumnOption::Identity(_))) {
            let refusal = Refusal::new("there are none", "number the rows in the model, or use a sequence");
            self.refuse(column.name.span, "an identity column", &refusal);
        }
        column.options.retain(|option| {
            !matches!(option.option, ColumnOption::Comment(_) | ColumnOption::Policy(_) | ColumnOption::Tags(_))
        });
    }

    fn insert(&mut self, insert: &mut Insert) {
        if insert.overwrite {
            let refusal = Refusal::new("it is not translated", "delete the rows first, then insert");
            self.refuse(insert.insert_token.0.span, "`insert overwrite`", &refusal);
        }
    }
}

fn create_view(view: &mut CreateView) {
    view.secure = false;
    view.copy_grants = false;
    view.comment = None;
    view.options = CreateTableOptions::None;
}
