//! When tables last changed as the warehouse itself knows it, asked for all sources of a database at once.

use super::freshness::{Measured, time, unknown};
use crate::adapter::{Cell, Response};
use crate::compile::{Compiler, Surroundings};
use crate::diagnostic::{Diagnostics, Result};
use crate::manifest::Source;
use crate::name::RelationName;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// What is known of the databases that were asked.
#[derive(Default)]
pub struct LastModified {
    answers: Mutex<BTreeMap<Option<String>, Option<Answer>>>,
}

/// What a database said: a row for each table that it knows, by schema and name in upper case.
struct Answer {
    response: Response,
    rows: BTreeMap<(String, String), (Cell, Cell)>,
}

impl LastModified {
    /// How old a source is; none where the warehouse does not know such things. The first that asks of a database asks
    /// for all `sources` that are in it.
    pub fn of(
        &self,
        source: &Source,
        sources: &[&Source],
        compiler: &Compiler,
        surroundings: &Surroundings,
    ) -> Result<Option<(Response, Measured)>> {
        let database = &source.relation_name.database;
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if !answers.contains_key(database) {
            let tables: Vec<&RelationName> =
                sources.iter().map(|one| &one.relation_name).filter(|table| table.database == *database).collect();
            answers.insert(database.clone(), ask(&tables, compiler, surroundings)?);
        }
        let Some(Some(answer)) = answers.get(database) else { return Ok(None) };
        let Some((modified, now)) = answer.rows.get(&key_of(&source.relation_name)) else {
            return Err(unknown(source, "is not among the tables that the database knows")
                .help("check its schema and identifier, and that the role may see it")
                .into());
        };
        match (time(source, modified)?, time(source, now)?) {
            (Some(max_loaded_at), Some(snapshotted_at)) => {
                Ok(Some((answer.response.clone(), Measured { max_loaded_at, snapshotted_at })))
            }
            _ => Err(Diagnostics::from(unknown(source, "was changed at a time that the database does not tell"))),
        }
    }
}

fn ask(tables: &[&RelationName], compiler: &Compiler, surroundings: &Surroundings) -> Result<Option<Answer>> {
    let Some((response, table)) = compiler.collect_last_modified(tables, surroundings)? else { return Ok(None) };
    let text = |cell: &Cell| cell.to_string().to_uppercase();
    let rows = table.rows.iter().filter_map(|row| match row.as_slice() {
        [schema, identifier, modified, now] => {
            Some(((text(schema), text(identifier)), (modified.clone(), now.clone())))
        }
        _ => None,
    });
    // The rows that were read are the answer, nothing that was done.
    let response = Response { rows_affected: None, ..response };
    Ok(Some(Answer { response, rows: rows.collect() }))
}

fn key_of(table: &RelationName) -> (String, String) {
    let part = |part: &Option<String>| part.as_deref().unwrap_or_default().to_uppercase();
    (part(&table.schema), part(&table.identifier))
}
