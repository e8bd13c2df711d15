//! What is known of the relations in a warehouse, so that not every node has to ask for them.

use super::Relation;
use crate::name::RelationName;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Relations by schema, for all workers of a run. Names are compared as the warehouses do: without case.
#[derive(Debug, Default)]
pub struct RelationCache {
    schemas: Mutex<BTreeMap<SchemaKey, Relations>>,
}

/// Database and schema, folded.
type SchemaKey = (String, String);
/// Relations by their folded identifier.
type Relations = BTreeMap<String, Relation>;

impl RelationCache {
    /// Knows of nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The relations of a schema, in the order of their names; none if the schema was never listed.
    pub fn relations(&self, database: Option<&str>, schema: &str) -> Option<Vec<Relation>> {
        self.lock().get(&schema_key(database, schema)).map(|relations| relations.values().cloned().collect())
    }

    /// The relation of a name, if its schema was listed and it is there.
    pub fn get(&self, name: &RelationName) -> Option<Relation> {
        let (database, schema, identifier) = name.folded();
        self.lock().get(&(database, schema))?.get(&identifier).cloned()
    }

    /// Remembers what a schema holds; what was known of it before is replaced.
    pub fn remember(&self, database: Option<&str>, schema: &str, relations: Vec<Relation>) {
        let relations = relations.into_iter().map(|relation| (relation.name.folded().2, relation)).collect();
        self.lock().insert(schema_key(database, schema), relations);
    }

    /// Remembers a new relation. In a schema that was never listed nothing is remembered, since it would
    /// then seem to hold this relation alone.
    pub fn add(&self, relation: Relation) {
        let (database, schema, identifier) = relation.name.folded();
        if let Some(relations) = self.lock().get_mut(&(database, schema)) {
            relations.insert(identifier, relation);
        }
    }

    /// Forgets a relation.
    pub fn drop_relation(&self, name: &RelationName) {
        let (database, schema, identifier) = name.folded();
        if let Some(relations) = self.lock().get_mut(&(database, schema)) {
            relations.remove(&identifier);
        }
    }

    /// Remembers that a relation has another name now, which may lie in another schema.
    pub fn rename(&self, from: &RelationName, to: &RelationName) {
        let (database, schema, identifier) = from.folded();
        let (to_database, to_schema, to_identifier) = to.folded();
        let mut schemas = self.lock();
        let moved = schemas.get_mut(&(database, schema)).and_then(|relations| relations.remove(&identifier));
        if let Some(relations) = schemas.get_mut(&(to_database, to_schema)) {
            let relation_type = moved.and_then(|relation| relation.relation_type);
            relations.insert(to_identifier, Relation { name: to.clone(), relation_type });
        }
    }

    /// Forgets a schema and what it holds: after it was dropped, or after a rollback made the cache doubtful.
    pub fn forget(&self, database: Option<&str>, schema: &str) {
        self.lock().remove(&schema_key(database, schema));
    }

    /// A panic of another worker leaves the map whole: every change is one call.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<SchemaKey, Relations>> {
        self.schemas.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn schema_key(database: Option<&str>, schema: &str) -> SchemaKey {
    (database.unwrap_or_default().to_lowercase(), schema.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::RelationType;
    use crate::name::Quoting;

    fn table(schema: &str, name: &str) -> Relation {
        Relation {
            name: RelationName::new(Some("db"), schema, name, Quoting::ALL),
            relation_type: Some(RelationType::Table),
        }
    }

    #[test]
    fn an_unlisted_schema_stays_unknown() {
        let cache = RelationCache::new();
        cache.add(table("main", "a"));
        assert_eq!(cache.relations(Some("db"), "main"), None);
        cache.remember(Some("DB"), "Main", vec![table("main", "a")]);
        assert_eq!(cache.relations(Some("db"), "main"), Some(vec![table("main", "a")]));
        cache.forget(Some("db"), "MAIN");
        assert_eq!(cache.relations(Some("db"), "main"), None);
    }

    #[test]
    fn a_rename_keeps_the_type_and_replaces_what_was_there() {
        let cache = RelationCache::new();
        cache.remember(Some("db"), "main", vec![table("main", "a__dbt_tmp"), table("main", "A")]);
        cache.rename(&table("main", "a__dbt_tmp").name, &table("main", "a").name);
        assert_eq!(cache.relations(Some("db"), "main"), Some(vec![table("main", "a")]));
        cache.drop_relation(&table("main", "a").name);
        assert_eq!(cache.relations(Some("db"), "main"), Some(vec![]));
    }
}
