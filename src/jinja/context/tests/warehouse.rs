//! The object `adapter` and what statements leave behind.

use super::check;
use super::stage::{Stage, table, texts};
use crate::adapter::{Cell, ColumnType};
use crate::jinja::context::{Warehouse, main_result};
use crate::jinja::host::Phase;

#[test]
fn statements_keep_their_results() {
    let stage = Stage { answers: vec![("q", texts(&["a"], &[&["x"]]))], ..Stage::default() };
    check(
        &stage,
        &[
            (
                "{% call statement('s', fetch_result=true) %}q{% endcall %}{% set r = load_result('s') %}\
                 {{ r['data'] }} {{ r.response }} {{ r.response.rows_affected }} {{ r.table.columns[0].values()[0] }}",
                "[('x',)] OK 3 x",
            ),
            ("{{ load_result('never') }}", "None"),
            (
                "{% do store_raw_result('main', message='fine', code='C', rows_affected=2) %}{{ load_result('main').response }} {{ load_result('main').response.code }}",
                "fine C",
            ),
        ],
    );
    let twice = "{% do store_result('s', response='x') %}{% do load_result('s') %}{{ load_result('s') }}";
    assert_eq!(
        stage.message(twice),
        "jinja-render: the result of statement `s` was taken before, and is kept only once"
    );
    stage.take_asked();
    stage.render("{% call statement('main') %}create x{% endcall %}");
    assert_eq!(stage.take_asked(), ["write create x", "create x"]);
    assert_eq!(stage.message("{% call statement('s') %}fail{% endcall %}"), "database: no such table");
}

#[test]
fn the_main_result_reaches_the_stage() {
    let stage = Stage { answers: vec![("q", texts(&["a"], &[&["x"]]))], ..Stage::default() };
    let engine = stage.engine();
    let context = stage.context(&engine);
    assert!(main_result(&context).is_none());
    let text = "{% call statement('main', fetch_result=true) %}q{% endcall %}";
    let file = crate::diagnostic::SourceFile::new("m.sql", text);
    let template = crate::jinja::Template::whole(&file).expect("right");
    engine.render(&template, &context).expect("renders");
    let (response, table) = main_result(&context).expect("there is one");
    assert_eq!((response.message.as_str(), response.rows_affected), ("OK", Some(3)));
    assert_eq!(table.scalar(), Some(&Cell::Text("x".to_owned())));
}

#[test]
fn the_adapter_lists_a_schema_once() {
    let listed = texts(&["d", "n", "s", "t"], &[&["db", "orders", "main", "table"], &["db", "v", "main", "view"]]);
    let stage = Stage { answers: vec![("list", listed)], ..Stage::default() };
    let template = "{% set r = adapter.get_relation('db', 'main', 'orders') %}{{ r }} {{ r.type }} \
        {{ adapter.get_relation(database='db', schema='main', identifier='V').is_view }} \
        {{ adapter.get_relation('db', 'main', 'nope') }}";
    assert_eq!(stage.render(template), r#""db"."main"."orders" table True None"#);
    assert_eq!(stage.take_asked(), [r#"list "db"."main""#]);
}

#[test]
fn snowflake_finds_upper_case_names() {
    let listed = texts(
        &["created", "name", "database_name", "schema_name", "kind"],
        &[&["now", "ORDERS", "DB", "MAIN", "TABLE"], &["now", "Mixed", "DB", "MAIN", "VIEW"]],
    );
    let stage = Stage { warehouse: Warehouse::Snowflake, answers: vec![("list", listed)], ..Stage::default() };
    assert_eq!(stage.render("{{ adapter.get_relation('db', 'main', 'orders') }}"), r#""DB"."MAIN"."ORDERS""#);
    assert_eq!(
        stage.message("{{ adapter.get_relation('db', 'main', 'mixed') }}"),
        "jinja-render: `DB.MAIN.MIXED` was searched for, and `\"DB\".\"MAIN\".\"Mixed\"` exists, which differs only \
         by case or quotes"
    );
}

#[test]
fn snowflake_lists_dynamic_and_iceberg_tables() {
    let listed = texts(
        &["name", "database_name", "schema_name", "kind", "is_dynamic", "is_iceberg"],
        &[
            &["D", "DB", "MAIN", "TABLE", "Y", "N"],
            &["I", "DB", "MAIN", "TABLE", "N", "Y"],
            &["T", "DB", "MAIN", "TRANSIENT", "N", "N"],
        ],
    );
    let stage = Stage { warehouse: Warehouse::Snowflake, answers: vec![("list", listed)], ..Stage::default() };
    let template = "{% for r in adapter.list_relations('db', 'main') %}{{ r.type }} {{ r.table_format }}, {% endfor %}";
    assert_eq!(stage.render(template), "dynamic_table default, table iceberg, table default, ");
}

#[test]
fn the_adapter_changes_relations_through_macros() {
    let stage = Stage {
        answers: vec![("count", table(&[("c", ColumnType::BigInt)], vec![vec![Cell::Integer(1)]]))],
        ..Stage::default()
    };
    stage.render(
        "{% set t = this.incorporate(type='table') %}{% do adapter.drop_relation(t) %}\
         {% do adapter.rename_relation(t, t.incorporate(path={'identifier': 'b'})) %}\
         {% do adapter.create_schema(this) %}{{ adapter.check_schema_exists('db', 'main') }}\
         {% do adapter.cache_added(t) %}{% do adapter.commit() %}",
    );
    assert_eq!(
        stage.take_asked(),
        [
            r#"dropped "db"."main"."orders""#,
            r#"drop table "db"."main"."orders""#,
            r#"renamed "db"."main"."orders" to "db"."main"."b""#,
            r#"added "db"."main"."b""#,
            r#"rename "db"."main"."orders" to b"#,
            r#"create schema "db"."main""#,
            r#"count "db".INFORMATION_SCHEMA main"#,
            r#"added "db"."main"."orders""#,
            "commit",
        ]
    );
    assert!(stage.message("{% do adapter.drop_relation(this) %}").contains("cannot be dropped"));
    assert_eq!(
        stage.message("{% do adapter.drop_relation('orders') %}"),
        "jinja-render: `adapter.drop_relation`: `relation` must be a relation, not 'orders'"
    );
}

#[test]
fn the_adapter_compares_columns() {
    let of = |rows: &[&[&str]]| texts(&["n", "t", "size", "p", "s"], rows);
    let stage = Stage {
        answers: vec![
            (r#"columns "db"."main"."new""#, of(&[&["id", "INTEGER"], &["name", "varchar", "50"], &["more", "DATE"]])),
            (r#"columns "db"."main"."old""#, of(&[&["id", "INTEGER"], &["name", "varchar", "20"]])),
            ("describe", texts(&["column_name", "column_type"], &[&["id", "INTEGER"], &["s", "STRUCT(a DATE)"]])),
        ],
        ..Stage::default()
    };
    let pair = "{% set new, old = ref('new'), ref('old') %}";
    assert_eq!(
        stage.render(&format!("{pair}{{{{ adapter.get_missing_columns(new, old) | map(attribute='name') | list }}}}")),
        "['more']"
    );
    stage.take_asked();
    stage.render(&format!("{pair}{{% do adapter.expand_target_column_types(new, old) %}}"));
    assert_eq!(stage.take_asked()[2], r#"alter "db"."main"."old" name character varying(50)"#);
    check(
        &stage,
        &[(
            "{% for c in adapter.get_column_schema_from_query('select 1') %}{{ c.name }} {{ c.dtype }},{% endfor %}",
            "id INTEGER,s.a DATE,",
        )],
    );
    assert_eq!(
        stage.message("{% do adapter.valid_snapshot_target(ref('old')) %}"),
        "compiler-error: \"db\".\"main\".\"old\" exists, but is not a snapshot: it has no column dbt_scd_id, dbt_valid_from, dbt_valid_to"
    );
}

#[test]
fn the_adapter_answers_without_sql() {
    check(
        &Stage::default(),
        &[
            ("{{ adapter.type() }} {{ adapter.quote('a') }}", "duckdb \"a\""),
            ("{{ adapter.dispatch('greet')('x') }} {{ adapter.dispatch('greet', 'dbt')('y') }}", "duck x duck y"),
            (
                "{{ adapter.quote_as_configured('a', 'identifier') }} {{ adapter.quote_as_configured('a', 'x') }}",
                "\"a\" a",
            ),
            ("{{ adapter.quote_seed_column('a', false) }} {{ adapter.quote_seed_column('a', none) }}", "a \"a\""),
            ("{{ adapter.valid_incremental_strategies() }}", "['append', 'delete+insert', 'merge', 'microbatch']"),
            ("{{ adapter.get_incremental_strategy_macro(context, 'append')('x') }}", "append x"),
            ("{{ adapter.get_hard_deletes_behavior(config) }}", "ignore"),
            ("{{ adapter.behavior.require_explicit.no_warn }} {{ 'y' if adapter.behavior.other else 'n' }}", "True n"),
            ("{{ adapter.external_root() }} {{ adapter.is_motherduck() }}", ". False"),
            (
                "{{ adapter.external_write_options('a.csv', {'delimiter': '|'}) }}",
                "delimiter '|', format csv, header 1",
            ),
            (
                "{{ adapter.external_read_location('a', {'partition_by': 'x,y', 'format': 'parquet'}) }}",
                "a/*/*/*.parquet",
            ),
            ("{% set q = adapter.quote %}{{ q('a') }}", "\"a\""),
            (
                "{{ adapter.convert_type(load_agate_table(), 0) }} {{ adapter.convert_type(load_agate_table(), 1) }}",
                "integer text",
            ),
            (
                "{{ adapter.render_raw_columns_constraints({'id': {'name': 'id', 'data_type': 'int', 'quote': true, \
                 'constraints': [{'type': 'not_null'}, {'type': 'check', 'expression': 'id > 0'}]}}) }}",
                "['\"id\" int not null check (id > 0)']",
            ),
            (
                "{{ adapter.render_raw_model_constraints([{'type': 'primary_key', 'columns': ['a', 'b']}, \
                 {'type': 'foreign_key', 'columns': ['a'], 'to': 'x.y', 'to_columns': ['z'], 'name': 'k'}]) }}",
                "['primary key (a, b)', 'constraint k foreign key (a) references x.y (z)']",
            ),
        ],
    );
}

#[test]
fn unknown_names_are_told_with_what_was_meant() {
    let stage = Stage::default();
    let failed = stage.try_render("{{ adapter.get_relations('a') }}").expect_err("no such method");
    assert_eq!(failed.message(), "adapter has no method `get_relations`");
    assert_eq!(failed.advice(), Some("did you mean `get_relation`?"));
    assert_eq!(
        stage.message("{{ exceptions.raise_compiler_eror('x') }}"),
        "jinja-render: exceptions has no method `raise_compiler_eror`"
    );
    assert!(
        stage
            .message("{{ adapter.get_incremental_strategy_macro(context, 'insert_overwrite') }}")
            .starts_with("config: duckdb has no")
    );
}

#[test]
fn parsing_touches_no_warehouse() {
    let stage = Stage { phase: Phase::Parse, with_session: false, ..Stage::default() };
    check(
        &stage,
        &[
            ("{{ execute }} {{ adapter.get_relation('a', 'b', 'c') }}", "False None"),
            ("{{ adapter.get_columns_in_relation(this) }} {{ adapter.check_schema_exists('a', 'b') }}", "[] False"),
            ("{{ adapter.execute('x')[1] | length }} {{ adapter.quote('a') }}", "0 \"a\""),
            ("{% for r in run_query('x') %}{{ r }}{% endfor %}", ""),
        ],
    );
    let offline = Stage { with_session: false, ..Stage::default() };
    check(&offline, &[("{{ adapter.get_relation('a', 'b', 'c') }}", "None")]);
    assert!(
        offline.message("{{ run_query('x') }}").starts_with("not-supported: `adapter.execute` needs the warehouse")
    );
}

/// Macros that hand their arguments on; `X` stands where a comment or a statement does.
const HANDING_ON: &str = "
{% macro both(a, b=2) %}X{{ return(adapter.dispatch('both', 'dbt')(a, b, 'c', d=b, e=none)) }} not written {% endmacro %}
{% macro default__both(a, b, c, d=1, e=1) %}{{ [a, b, c, d, e] }}{% endmacro %}
{% macro twice(value) %}X{% do return(adapter.dispatch('both', macro_namespace='dbt')(value)) %}{% endmacro %}
{% macro fails(text) %}X{{ return(adapter.dispatch('fails')(text)) }}{% endmacro %}
{% macro duckdb__fails(text) %}{{ text.nothing.at.all }}{% endmacro %}
{% macro misfit(a) %}X{{ return(adapter.dispatch('misfit')(
  other=a)) }}{% endmacro %}
{% macro default__misfit(a) %}{% endmacro %}
{% macro unknown(a) %}X{{ return(adapter.dispatch('nowhere')(a)) }}{% endmacro %}
{% macro endless(a) %}X{{ return(adapter.dispatch('endless')(a)) }}{% endmacro %}
{% macro default__endless(a) %}X{{ return(endless(a)) }}{% endmacro %}
";

#[test]
fn what_is_handed_on_is_what_instructions_would_hand_on() {
    let with = |first: &str| -> Stage {
        let text: &'static str = HANDING_ON.replace('X', first).leak();
        Stage { macros: Some(text), ..Stage::default() }
    };
    let (comment, statement) = ("{# x = 1   #}", "{% set x=1 %}");
    let (known, run) = (with(comment), with(statement));
    for template in [
        "{{ both(1) }} {{ both(b=[3], a='x') }} {{ both(1, none) }} {{ both() }}",
        "{% set got = both(1) %}{{ got is string }} {{ twice({'k': 1}) }}",
        "{% set list = [] %}{% do both(list) %}{{ list }}",
        "{{ fails('a') }}",
        "{{ fails() }}",
        "{{ misfit(1) }}",
        "{{ unknown(1) }}",
        "{{ both(1, 2, 3) }}",
        "{{ endless(1) }}",
        "{% set adapter = {'dispatch': 1} %}{{ both(1) }}",
    ] {
        let shown = |stage: &Stage| {
            let rendered = stage.try_render(template);
            rendered.map_err(|found| format!("{found:#?}").replace(statement, comment).replace('\n', " "))
        };
        assert_eq!(shown(&known), shown(&run), "{template}");
    }
}
