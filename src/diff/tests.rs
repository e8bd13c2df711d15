//! Comparing and showing.

use super::*;
use crate::name::ResourceType;

fn node(sql: &str, materialized: &str) -> ComparedNode {
    ComparedNode {
        path: "models/m.sql".into(),
        sql: sql.into(),
        dialect: Dialect::DuckDb,
        config: BTreeMap::from([("materialized".into(), materialized.into())]),
    }
}

fn id(name: &str) -> UniqueId {
    UniqueId::new(ResourceType::Model, "shop", name)
}

fn compared() -> Comparison {
    let base = BTreeMap::from([
        (id("changed"), node("select a,\n  b\nfrom t\n", "view")),
        (id("config"), node("select 1", "view")),
        (id("layout"), node("select A from t", "view")),
        (id("removed"), node("select 1\n", "view")),
        (id("same"), node("select 1", "view")),
    ]);
    let head = BTreeMap::from([
        (id("added"), node("select '```'\n", "table")),
        (id("changed"), node("select a,\n  c\nfrom t\n", "view")),
        (id("config"), node("select 1", "table")),
        (id("layout"), node("select a -- why\nfrom t", "view")),
        (id("same"), node("select 1", "view")),
    ]);
    compare(&base, &head, &|changed| {
        let below = if *changed == id("changed") { vec![id("config"), id("last")] } else { vec![] };
        assert_ne!(*changed, id("layout"), "nothing downstream of a layout changes");
        below
    })
}

#[test]
fn meaning_and_layout_are_told_apart() {
    let comparison = compared();
    let kinds: Vec<(&str, Kind)> =
        comparison.differences.iter().map(|difference| (difference.unique_id.as_str(), difference.kind)).collect();
    assert_eq!(
        kinds,
        [
            ("model.shop.added", Kind::Added),
            ("model.shop.changed", Kind::Changed),
            ("model.shop.config", Kind::Changed),
            ("model.shop.layout", Kind::Layout),
            ("model.shop.removed", Kind::Removed),
        ]
    );
    assert_eq!(comparison.unchanged, 1);
    assert!(comparison.has_changes());
    assert_eq!(comparison.downstream(), BTreeSet::from([&id("last")]));
}

#[test]
fn the_text_shows_hunks_and_reach() {
    insta::assert_snapshot!(text(&compared(), Style::Plain));
    assert!(text(&compared(), Style::Coloured).contains("\u{1b}[32m+  c"));
}

#[test]
fn the_comment_folds_each_node() {
    insta::assert_snapshot!(markdown(&compared()));
}

#[test]
fn json_has_everything() {
    let json = compared().json();
    assert_eq!(json["differences"][1]["kind"], "changed");
    assert_eq!(json["differences"][1]["hunks"][0]["lines"][1]["sign"], "-");
    assert_eq!(json["differences"][2]["config"][0]["after"], "table");
    assert_eq!(json["downstream"], serde_json::json!(["model.shop.last"]));
    assert_eq!(json["unchanged"], 1);
}

#[test]
fn nothing_is_nothing() {
    let same = BTreeMap::from([(id("same"), node("select 1", "view"))]);
    let comparison = compare(&same, &same, &|_| vec![]);
    assert!(!comparison.has_changes() && comparison.differences.is_empty());
    assert!(text(&comparison, Style::Plain).starts_with("0 changed, 0 added"));
}
