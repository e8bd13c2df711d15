//! `adapter.*` about relations and schemas, and what is remembered of them.

use super::{Adapter, Call, list, none};
use crate::adapter::{Relation, RelationType, Table};
use crate::diagnostic::Code;
use crate::jinja::context::conversion::relation_value;
use crate::jinja::context::relation::RelationObject;
use crate::jinja::context::warehouse::Warehouse;
use crate::jinja::context::{failure, failure_with_help};
use crate::jinja::host::Session;
use crate::jinja::{Arguments, RenderContext};
use crate::name::{Quoting, RelationName};
use minijinja::value::Value;
use minijinja::{Error, State};
use std::sync::Arc;

/// A schema that is being listed: over when this is dropped, however that comes.
struct Listing<'call> {
    session: Option<&'call dyn Session>,
    database: Option<&'call str>,
    schema: &'call str,
}

impl Drop for Listing<'_> {
    fn drop(&mut self) {
        if let Some(session) = self.session {
            session.end_listing(self.database, self.schema);
        }
    }
}

impl Adapter {
    /// Whether a relation exists, as `get_relation` tells. Where the command must not ask the warehouse, it is taken to.
    pub(in crate::jinja::context) fn knows(
        &self,
        state: &mut State,
        context: &Arc<RenderContext>,
        name: &RelationName,
    ) -> Result<bool, Error> {
        if context.host().session().is_none() {
            return Ok(true);
        }
        let method = "get_relation";
        let context = Arc::clone(context);
        let mut call = Call { adapter: self, state, context, method, arguments: Arguments::new(method, &[]) };
        let found = call.find_relation(name.database.as_deref(), name.schema.as_deref(), name.identifier.as_deref())?;
        Ok(!found.is_none())
    }
}

impl Call<'_, '_, '_, '_> {
    /// The answer of a method about relations; none if it is not one.
    pub(super) fn relation_answer(&mut self) -> Result<Option<Value>, Error> {
        Ok(Some(match self.method {
            "get_relation" => {
                let database = self.arguments.optional_text("database");
                let schema = self.arguments.optional_text("schema");
                let identifier = self.arguments.optional_text("identifier");
                self.find_relation(database.as_deref(), schema.as_deref(), identifier.as_deref())?
            }
            "load_relation" => {
                let relation = self.relation("relation")?;
                self.find_relation(relation.database(), relation.schema(), relation.identifier())?
            }
            "already_exists" => {
                let schema = self.arguments.optional_text("schema");
                let name = self.arguments.optional_text("name");
                let database = self.context.find("database").and_then(|database| database.as_str().map(str::to_owned));
                let found = self.find_relation(database.as_deref(), schema.as_deref(), name.as_deref())?;
                Value::from(!found.is_none())
            }
            "list_relations" => {
                let database = self.arguments.optional_text("database");
                let schema = self.arguments.text("schema")?;
                let relations = self.relations(database.as_deref(), &schema)?;
                self.relation_values(&relations)
            }
            "list_relations_without_caching" => {
                let schema = self.relation("schema_relation")?;
                let relations = self.list_schema(&schema)?;
                self.relation_values(&relations)
            }
            "list_schemas" => {
                let database = self.arguments.required("database")?;
                let table = self.call_macro_for_rows("list_schemas", &[("database", database)])?;
                list(table.rows.iter().filter_map(|row| row.first()).map(|cell| Value::from(cell.to_string())))
            }
            "check_schema_exists" => self.check_schema_exists()?,
            "create_schema" => {
                let schema = self.relation("relation")?.without_identifier();
                self.call_macro("create_schema", &[("relation", schema.into_value())])?;
                none()
            }
            "drop_schema" => self.drop_schema()?,
            "drop_relation" => self.drop_relation()?,
            "rename_relation" => self.rename_relation()?,
            "truncate_relation" => {
                let relation = self.relation("relation")?;
                self.call_macro("truncate_relation", &[("relation", Value::from_dyn_object(relation))])?;
                none()
            }
            "cache_added" => {
                let relation = self.relation("relation")?.relation();
                self.remember(|session| session.relation_added(relation));
                Value::from("")
            }
            "cache_dropped" => {
                let relation = self.relation("relation")?.full_name();
                self.remember(|session| session.relation_dropped(&relation));
                Value::from("")
            }
            "cache_renamed" => {
                let (from, to) = (self.relation("from_relation")?, self.relation("to_relation")?);
                self.remember_rename(&from, &to);
                Value::from("")
            }
            _ => return self.column_answer(),
        }))
    }

    fn remember(&self, change: impl FnOnce(&dyn crate::jinja::host::Session)) {
        if let Some(session) = self.context.host().session() {
            change(session);
        }
    }

    /// What was just made is often renamed before anything else knew of it: then only the new name says its type.
    fn remember_rename(&self, from: &RelationObject, to: &RelationObject) {
        self.remember(|session| {
            session.relation_renamed(&from.full_name(), &to.full_name());
            if to.type_word().is_some() {
                session.relation_added(to.relation());
            }
        });
    }

    fn relation_values(&self, relations: &[Relation]) -> Value {
        let warehouse = self.adapter.warehouse;
        list(relations.iter().map(|relation| relation_value(warehouse, relation)))
    }

    /// The relations of a schema: asked for once, then remembered, whoever asks next.
    fn relations(&mut self, database: Option<&str>, schema: &str) -> Result<Vec<Relation>, Error> {
        if let Some(relations) = self.session()?.cached_relations(database, schema) {
            return Ok(relations);
        }
        let name = RelationName {
            database: database.map(str::to_owned),
            schema: Some(schema.to_owned()),
            identifier: None,
            quoting: self.adapter.quoting,
        };
        let schema_relation = RelationObject::new(self.adapter.warehouse, &Relation { name, relation_type: None });
        // Others wait for this worker, also if it fails.
        let host = Arc::clone(self.context.shared_host());
        let _listing = Listing { session: host.session(), database, schema };
        let relations = self.list_schema(&schema_relation.without_identifier())?;
        self.session()?.remember_relations(database, schema, relations.clone());
        Ok(relations)
    }

    /// The relations of a schema as the warehouse says now: rows of database, name, schema and type.
    fn list_schema(&mut self, schema: &RelationObject) -> Result<Vec<Relation>, Error> {
        let schema = schema.clone().into_value();
        let listed = self.call_macro_for_rows("list_relations_without_caching", &[("schema_relation", schema)]);
        let table = match listed {
            // A schema that does not exist holds nothing.
            Err(error) if self.adapter.warehouse.says_schema_is_missing(&error.to_string()) => return Ok(vec![]),
            other => other?,
        };
        listed_relations(self.adapter.warehouse, &table)
    }

    /// The relation of that name, or none. Where the command must not ask the warehouse, nothing is known to exist.
    fn find_relation(
        &mut self,
        database: Option<&str>,
        schema: Option<&str>,
        identifier: Option<&str>,
    ) -> Result<Value, Error> {
        let Some(schema) = schema else { return Ok(none()) };
        if self.context.host().session().is_none() {
            return Ok(none());
        }
        let fold = |part: Option<&str>, quoted: bool| {
            let folds = self.adapter.warehouse.folds_names() && !quoted;
            part.map(|part| if folds { part.to_uppercase() } else { part.to_owned() })
        };
        let quoting = self.adapter.quoting;
        let search = [
            fold(database, quoting.database),
            fold(Some(schema), quoting.schema),
            fold(identifier, quoting.identifier),
        ];
        let wanted = [0, 1, 2].map(|index| search[index].as_deref());
        let mut found = vec![];
        for relation in self.relations(database, schema)? {
            let relation = RelationObject::new(self.adapter.warehouse, &relation);
            if relation.matches(wanted)? {
                found.push(relation);
            }
        }
        let mut found = found.into_iter();
        match (found.next(), found.next()) {
            (None, _) => Ok(none()),
            (Some(relation), None) => Ok(relation.into_value()),
            (Some(first), Some(second)) => Err(failure(
                Code::JinjaRender,
                format!(
                    "`adapter.get_relation` found several relations of one name: {} and {}",
                    first.render_name(),
                    second.render_name()
                ),
            )),
        }
    }

    fn check_schema_exists(&mut self) -> Result<Value, Error> {
        let database = self.arguments.optional_text("database");
        let schema = self.arguments.text("schema")?;
        let name = RelationName::new(database.as_deref(), &schema, "INFORMATION_SCHEMA", self.adapter.quoting);
        let relation = RelationObject::new(self.adapter.warehouse, &Relation { name, relation_type: None });
        let information_schema = relation.information_schema(None).into_value();
        let values = [("information_schema", information_schema), ("schema", Value::from(schema))];
        let table = self.call_macro_for_rows("check_schema_exists", &values)?;
        let count = table.scalar().and_then(|cell| cell.to_string().parse::<f64>().ok());
        Ok(Value::from(count.is_some_and(|count| count > 0.0)))
    }

    fn drop_schema(&mut self) -> Result<Value, Error> {
        let schema = self.relation("relation")?.without_identifier();
        self.call_macro("drop_schema", &[("relation", schema.clone().into_value())])?;
        if let Some(name) = schema.schema() {
            self.remember(|session| session.remember_relations(schema.database(), name, vec![]));
        }
        Ok(none())
    }

    fn drop_relation(&mut self) -> Result<Value, Error> {
        let relation = self.relation("relation")?;
        if relation.type_word().is_none() {
            return Err(failure_with_help(
                Code::JinjaRender,
                format!("{relation} cannot be dropped: whether it is a table or a view is not known"),
                "take the relation from load_relation() or adapter.get_relation(), or give it a type",
            ));
        }
        self.remember(|session| session.relation_dropped(&relation.full_name()));
        self.call_macro("drop_relation", &[("relation", Value::from_dyn_object(relation))])?;
        Ok(none())
    }

    fn rename_relation(&mut self) -> Result<Value, Error> {
        let (from, to) = (self.relation("from_relation")?, self.relation("to_relation")?);
        self.remember_rename(&from, &to);
        let values = [("from_relation", Value::from_dyn_object(from)), ("to_relation", Value::from_dyn_object(to))];
        self.call_macro("rename_relation", &values)?;
        Ok(none())
    }
}

/// Rows of `list_relations_without_caching` as relations. Snowflake gives columns by name, others by position.
fn listed_relations(warehouse: Warehouse, table: &Table) -> Result<Vec<Relation>, Error> {
    let position = |name: &str, index: usize| table.position(name).unwrap_or(index);
    let places = match warehouse {
        Warehouse::DuckDb => [0, 1, 2, 3],
        Warehouse::Snowflake => {
            [position("database_name", 0), position("name", 1), position("schema_name", 2), position("kind", 3)]
        }
    };
    let flags = ["is_dynamic", "is_iceberg"].map(|name| table.position(name));
    let mut relations = Vec::with_capacity(table.rows.len());
    for row in &table.rows {
        let text = |place: usize| row.get(place).map(ToString::to_string).filter(|text| !text.is_empty());
        let [database, identifier, schema, kind] = places.map(text);
        if identifier.is_none() || schema.is_none() {
            let message = "macro `list_relations_without_caching` must give rows of database, name, schema and type";
            return Err(failure(Code::JinjaRender, message));
        }
        let is_set = flags.map(|place| place.and_then(text).is_some_and(|text| text.starts_with('Y')));
        relations.push(Relation {
            name: RelationName { database, schema, identifier, quoting: Quoting::ALL },
            relation_type: Some(listed_type(&kind.unwrap_or_default(), is_set)),
        });
    }
    Ok(relations)
}

/// What a relation is by the word for it, and whether it is a dynamic table, and one in Iceberg's format.
fn listed_type(kind: &str, [is_dynamic, is_iceberg]: [bool; 2]) -> RelationType {
    let word = kind.to_lowercase().replace(' ', "_");
    match RelationType::from_word(&word) {
        Some(RelationType::Table) if is_dynamic => RelationType::DynamicTable,
        Some(RelationType::Table) if is_iceberg => RelationType::IcebergTable,
        Some(relation_type) => relation_type,
        None if matches!(word.as_str(), "base_table" | "transient" | "temporary") => RelationType::Table,
        None => RelationType::External,
    }
}
