//! What is known of the relations in a warehouse, so that not every node has to ask for them.

use super::Relation;
use crate::name::RelationName;
use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Relations by schema, for all workers of a run. Names are compared as the warehouses do: without case.
#[derive(Debug, Default)]
pub struct RelationCache {
    schemas: Mutex<BTreeMap<SchemaKey, Schema>>,
    /// Somebody is done with listing a schema.
    listed: Condvar,
}

/// Database and schema, folded.
type SchemaKey = (String, String);
/// Relations by their folded identifier.
type Relations = BTreeMap<String, Relation>;

#[derive(Debug)]
enum Schema {
    Listed(Relations),
    /// One worker asks the warehouse; the others wait for what it says.
    BeingListed {
        by: usize,
        /// What changed since it asked: the answer may not know of it.
        meanwhile: Vec<Change>,
        /// Whether the answer may be wrong.
        is_doubtful: bool,
    },
}

#[derive(Debug)]
enum Change {
    Added(String, Relation),
    Dropped(String),
}

impl Schema {
    /// Notes a change; gives what was there of the name.
    fn change(&mut self, change: Change) -> Option<Relation> {
        match self {
            Self::Listed(relations) => apply(relations, change),
            Self::BeingListed { meanwhile, .. } => {
                meanwhile.push(change);
                None
            }
        }
    }
}

fn apply(relations: &mut Relations, change: Change) -> Option<Relation> {
    match change {
        Change::Added(identifier, relation) => relations.insert(identifier, relation),
        Change::Dropped(identifier) => relations.remove(&identifier),
    }
}

impl RelationCache {
    /// Knows of nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The relations of a schema, in the order of their names; none if the schema was never listed.
    pub fn relations(&self, database: Option<&str>, schema: &str) -> Option<Vec<Relation>> {
        match self.lock().get(&schema_key(database, schema))? {
            Schema::Listed(relations) => Some(relations.values().cloned().collect()),
            Schema::BeingListed { .. } => None,
        }
    }

    /// The same for a worker that asks the warehouse itself if it gets none, and then calls [`remember`](Self::remember)
    /// or [`end_listing`](Self::end_listing). While another worker asks about the schema, it waits; but not in the midst
    /// of listing one itself, so that no two wait for each other.
    pub fn relations_or_turn(&self, database: Option<&str>, schema: &str, worker: usize) -> Option<Vec<Relation>> {
        let key = schema_key(database, schema);
        let mut schemas = self.lock();
        loop {
            match schemas.get(&key) {
                Some(Schema::Listed(relations)) => return Some(relations.values().cloned().collect()),
                Some(Schema::BeingListed { .. }) => {
                    let lists = |one: &Schema| matches!(one, Schema::BeingListed { by, .. } if *by == worker);
                    if schemas.values().any(lists) {
                        return None;
                    }
                    schemas = self.listed.wait(schemas).unwrap_or_else(PoisonError::into_inner);
                }
                None => {
                    schemas.insert(key, Schema::BeingListed { by: worker, meanwhile: vec![], is_doubtful: false });
                    return None;
                }
            }
        }
    }

    /// Lets the others have their turn, if the worker that had it has not remembered anything.
    pub fn end_listing(&self, database: Option<&str>, schema: &str, worker: usize) {
        let key = schema_key(database, schema);
        let mut schemas = self.lock();
        if matches!(schemas.get(&key), Some(Schema::BeingListed { by, .. }) if *by == worker) {
            schemas.remove(&key);
            self.listed.notify_all();
        }
    }

    /// The relation of a name, if its schema was listed and it is there.
    pub fn get(&self, name: &RelationName) -> Option<Relation> {
        let (database, schema, identifier) = name.folded();
        match self.lock().get(&(database, schema))? {
            Schema::Listed(relations) => relations.get(&identifier).cloned(),
            Schema::BeingListed { .. } => None,
        }
    }

    /// Remembers what a schema holds; what was known of it before is replaced.
    pub fn remember(&self, database: Option<&str>, schema: &str, relations: Vec<Relation>) {
        let key = schema_key(database, schema);
        let mut relations: Relations =
            relations.into_iter().map(|relation| (relation.name.folded().2, relation)).collect();
        let mut schemas = self.lock();
        match schemas.remove(&key) {
            Some(Schema::BeingListed { is_doubtful: true, .. }) => {}
            Some(Schema::BeingListed { meanwhile, .. }) => {
                for change in meanwhile {
                    apply(&mut relations, change);
                }
                schemas.insert(key, Schema::Listed(relations));
            }
            Some(Schema::Listed(_)) | None => {
                schemas.insert(key, Schema::Listed(relations));
            }
        }
        self.listed.notify_all();
    }

    /// Remembers a new relation. In a schema that was never listed nothing is remembered, since it would
    /// then seem to hold this relation alone.
    pub fn add(&self, relation: Relation) {
        let (database, schema, identifier) = relation.name.folded();
        self.change((database, schema), Change::Added(identifier, relation));
    }

    /// Forgets a relation.
    pub fn drop_relation(&self, name: &RelationName) {
        let (database, schema, identifier) = name.folded();
        self.change((database, schema), Change::Dropped(identifier));
    }

    /// Remembers that a relation has another name now, which may lie in another schema.
    pub fn rename(&self, from: &RelationName, to: &RelationName) {
        let (database, schema, identifier) = from.folded();
        let moved = self.change((database, schema), Change::Dropped(identifier));
        let relation_type = moved.and_then(|relation| relation.relation_type);
        self.add(Relation { name: to.clone(), relation_type });
    }

    /// Forgets a schema and what it holds: after it was dropped, or after a rollback made the cache doubtful.
    pub fn forget(&self, database: Option<&str>, schema: &str) {
        let key = schema_key(database, schema);
        let mut schemas = self.lock();
        match schemas.get_mut(&key) {
            Some(Schema::BeingListed { is_doubtful, .. }) => *is_doubtful = true,
            _ => drop(schemas.remove(&key)),
        }
    }

    fn change(&self, key: SchemaKey, change: Change) -> Option<Relation> {
        self.lock().get_mut(&key)?.change(change)
    }

    /// A panic of another worker leaves the map whole: every change is one call.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<SchemaKey, Schema>> {
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

    #[test]
    fn one_worker_lists_a_schema_and_the_others_wait_for_it() {
        let cache = RelationCache::new();
        let ask = |worker| cache.relations_or_turn(Some("db"), "main", worker);
        assert_eq!(ask(1), None);
        assert_eq!(ask(1), None, "it does not wait for itself");
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| ask(2));
            cache.add(table("main", "new"));
            cache.drop_relation(&table("main", "old").name);
            cache.remember(Some("db"), "main", vec![table("main", "a"), table("main", "old")]);
            let both = Some(vec![table("main", "a"), table("main", "new")]);
            assert_eq!(waiting.join().expect("no panic"), both, "with what changed meanwhile");
        });
    }

    #[test]
    fn a_listing_that_failed_or_is_doubtful_is_anothers_turn() {
        let cache = RelationCache::new();
        let ask = |worker| cache.relations_or_turn(Some("db"), "main", worker);
        assert_eq!(ask(1), None);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| ask(2));
            cache.end_listing(Some("db"), "main", 2);
            assert_eq!(cache.relations(Some("db"), "main"), None);
            cache.end_listing(Some("db"), "main", 1);
            assert_eq!(waiting.join().expect("no panic"), None);
        });
        cache.forget(Some("db"), "main");
        cache.remember(Some("db"), "main", vec![]);
        assert_eq!(ask(3), None, "what was listed before it was forgotten does not count");
    }
}
