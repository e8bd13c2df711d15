//! Two compiled projects side by side: which nodes differ in meaning, which in layout only, and what lies
//! downstream. The only door to similar.
//!
//! The command around it compiles the project twice (this tree, and a base revision that [`revision`] checks
//! out) and hands both over; nothing here knows where they came from.

mod render;
pub mod revision;

pub use render::{Style, markdown, text};

use crate::name::UniqueId;
use crate::sql::{Dialect, canonical};
use serde::Serialize;
use serde_json::Value;
use similar::{ChangeTag, TextDiff};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How many lines around a change are shown.
const CONTEXT: usize = 3;

/// What is compared of a node.
#[derive(Debug, Clone)]
pub struct ComparedNode {
    /// The path of its file within its package.
    pub path: String,
    /// Its compiled SQL (for a seed: the checksum of its file), in the dialect in which it is written.
    pub sql: Arc<str>,
    /// That dialect.
    pub dialect: Dialect,
    /// The config values that decide what becomes of the SQL: `materialized`, `unique_key`, …
    pub config: BTreeMap<String, Value>,
}

/// How a node differs from its base.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// Its SQL or its config means something else (or cannot be shown not to).
    Changed,
    /// Layout, comments or the case of names differ; the meaning does not.
    Layout,
}

/// One line of a hunk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// `-` only in the base, `+` only in the head, a blank in both.
    pub sign: char,
    /// The line without its line end.
    pub text: String,
}

/// Lines that changed, with some around them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hunk {
    /// `@@ -1,4 +1,5 @@`, as in any unified diff.
    pub header: String,
    /// The lines.
    pub lines: Vec<Line>,
}

/// A config value that differs; none where it is not set.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConfigChange {
    /// Its name.
    pub key: String,
    /// The value in the base.
    pub before: Option<Value>,
    /// The value in the head.
    pub after: Option<Value>,
}

/// A node that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The node.
    pub unique_id: UniqueId,
    /// Its file, in the head where it is there.
    pub path: String,
    /// How it differs.
    pub kind: Kind,
    /// Config values that differ.
    pub config: Vec<ConfigChange>,
    /// What differs in the SQL.
    pub hunks: Vec<Hunk>,
    /// Everything that is built from it, in the head; for layout nothing, as nothing there can change.
    pub downstream: Vec<UniqueId>,
}

/// What two projects differ in.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Comparison {
    /// The nodes that differ, by unique id.
    pub differences: Vec<Difference>,
    /// How many nodes are the same.
    pub unchanged: usize,
}

/// Compares the nodes of `base` and `head`. `downstream` gives everything that is built from a node of the head.
pub fn compare(
    base: &BTreeMap<UniqueId, ComparedNode>,
    head: &BTreeMap<UniqueId, ComparedNode>,
    downstream: &dyn Fn(&UniqueId) -> Vec<UniqueId>,
) -> Comparison {
    let mut comparison = Comparison::default();
    let every: BTreeSet<&UniqueId> = base.keys().chain(head.keys()).collect();
    for id in every {
        let (before, after) = (base.get(id), head.get(id));
        let Some(kind) = kind_of(before, after) else {
            comparison.unchanged += 1;
            continue;
        };
        let sql = |node: Option<&ComparedNode>| node.map_or_else(|| Arc::from(""), |node| Arc::clone(&node.sql));
        comparison.differences.push(Difference {
            unique_id: id.clone(),
            path: after.or(before).map(|node| node.path.clone()).unwrap_or_default(),
            kind,
            config: config_changes(before, after),
            hunks: hunks(&sql(before), &sql(after)),
            downstream: if kind == Kind::Layout { vec![] } else { downstream(id) },
        });
    }
    comparison
}

impl Comparison {
    /// How many nodes differ in this way.
    pub fn count(&self, kind: Kind) -> usize {
        self.differences.iter().filter(|difference| difference.kind == kind).count()
    }

    /// Whether anything differs in meaning.
    pub fn has_changes(&self) -> bool {
        self.differences.iter().any(|difference| difference.kind != Kind::Layout)
    }

    /// Every node that is built from one that was added, removed or changed, and is not among them itself.
    pub fn downstream(&self) -> BTreeSet<&UniqueId> {
        let own: BTreeSet<&UniqueId> = self.differences.iter().map(|difference| &difference.unique_id).collect();
        self.differences.iter().flat_map(|difference| &difference.downstream).filter(|id| !own.contains(id)).collect()
    }

    /// The comparison as JSON: `differences`, `unchanged`, and `downstream` of all of them.
    pub fn json(&self) -> Value {
        serde_json::json!({
            "differences": self.differences,
            "unchanged": self.unchanged,
            "downstream": self.downstream(),
        })
    }
}

/// How a node differs; `None` where it does not.
fn kind_of(before: Option<&ComparedNode>, after: Option<&ComparedNode>) -> Option<Kind> {
    let (before, after) = match (before, after) {
        (Some(before), Some(after)) => (before, after),
        (None, Some(_)) => return Some(Kind::Added),
        (Some(_), None) => return Some(Kind::Removed),
        (None, None) => return None,
    };
    if before.config != after.config || before.dialect != after.dialect {
        Some(Kind::Changed)
    } else if before.sql == after.sql {
        None
    } else if canonical(&before.sql, before.dialect) == canonical(&after.sql, after.dialect) {
        Some(Kind::Layout)
    } else {
        Some(Kind::Changed)
    }
}

fn config_changes(before: Option<&ComparedNode>, after: Option<&ComparedNode>) -> Vec<ConfigChange> {
    let (Some(before), Some(after)) = (before, after) else { return vec![] };
    let keys: BTreeSet<&String> = before.config.keys().chain(after.config.keys()).collect();
    let mut changes: Vec<ConfigChange> = keys
        .into_iter()
        .filter(|key| before.config.get(*key) != after.config.get(*key))
        .map(|key| ConfigChange {
            key: key.clone(),
            before: before.config.get(key).cloned(),
            after: after.config.get(key).cloned(),
        })
        .collect();
    if before.dialect != after.dialect {
        let word = |dialect: Dialect| Some(Value::from(dialect.as_str()));
        changes.push(ConfigChange { key: "dialect".into(), before: word(before.dialect), after: word(after.dialect) });
    }
    changes
}

fn hunks(before: &str, after: &str) -> Vec<Hunk> {
    let diff = TextDiff::from_lines(before, after);
    let mut unified = diff.unified_diff();
    unified
        .context_radius(CONTEXT)
        .iter_hunks()
        .map(|hunk| Hunk {
            header: hunk.header().to_string(),
            lines: hunk
                .iter_changes()
                .map(|change| Line {
                    sign: match change.tag() {
                        ChangeTag::Delete => '-',
                        ChangeTag::Insert => '+',
                        ChangeTag::Equal => ' ',
                    },
                    text: change.value().trim_end_matches(['\n', '\r']).to_owned(),
                })
                .collect(),
        })
        .collect()
}

#[cfg(test)]
mod tests;
