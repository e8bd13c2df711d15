//! What templates see, compared with what dbt-core 1.11 with dbt-duckdb gives for the same templates.

mod stage;

use super::Warehouse;
use crate::adapter::{Cell, ColumnType};
use crate::jinja::host::Phase;
use serde_json::json;
use stage::{Stage, table, texts};

/// Renders each template and compares it with the text beside it.
fn check(stage: &Stage, cases: &[(&str, &str)]) {
    for (template, expected) in cases {
        assert_eq!(stage.render(template), *expected, "{template}");
    }
}

#[test]
fn relations_are_written_as_dbt_writes_them() {
    check(
        &Stage::default(),
        &[
            ("{{ this }}", r#""db"."main"."orders""#),
            ("{{ [this] }}", r#"[<DuckDBRelation "db"."main"."orders">]"#),
            (
                "{{ ref('a') }} {{ ref('p', 'a') }} {{ ref('a', v=2) }}",
                r#""db"."main"."a" "db"."p"."a" "db"."main"."a_v2""#,
            ),
            ("{{ source('crm', 'customers') }}", r#""db"."crm"."customers""#),
            ("{{ this.include(database=false) }}", r#""main"."orders""#),
            ("{{ this.quote(identifier=false) }}", r#""db"."main".orders"#),
            ("{{ this.incorporate(path={'identifier': 'z'}, type='view').is_view }}", "True"),
            ("{{ this.incorporate(path={'database': none}) }}", r#""main"."orders""#),
            ("{{ this.without_identifier() }}", r#""db"."main""#),
            ("{{ this.information_schema('columns') }}", r#""db".INFORMATION_SCHEMA.columns"#),
            ("{{ this.information_schema() }}", r#""db".INFORMATION_SCHEMA"#),
            ("{{ this.name }} {{ this.table }} {{ this['schema'] }} {{ this.type }}", "orders orders main None"),
            ("{{ this is mapping and this.get('metadata', {}).get('type', '').endswith('Relation') }}", "True"),
            ("{{ this == api.Relation.create(database='db', schema='main', identifier='orders') }}", "True"),
            ("{{ this == api.Relation.create(database='db', schema='main', identifier='other') }}", "False"),
            ("{{ api.Relation.create(identifier='t', type='table').is_table }}", "True"),
            ("{{ api.Relation.View }} {{ this.MaterializedView }}", "view materialized_view"),
            ("{{ api.Relation.scd_args(['a', 'b'], 'u') }}", "['a', 'b', 'u']"),
            ("{{ this.nope is undefined }}", "True"),
            ("{{ this.replace_path(identifier='q').identifier }}", "q"),
            ("{{ this.can_be_renamed }}", "False"),
        ],
    );
}

#[test]
fn snowflake_quotes_nothing_and_can_rename() {
    let stage = Stage { warehouse: Warehouse::Snowflake, ..Stage::default() };
    check(
        &stage,
        &[
            ("{{ this }}", "db.main.orders"),
            ("{{ this.incorporate(type='table').can_be_renamed }}", "True"),
            ("{{ this.incorporate(type='dynamic_table').can_be_renamed }}", "False"),
            ("{{ api.Column('n', 'NUMBER', none, 38, 0).data_type }}", "NUMBER(38,0)"),
            ("{{ api.Column('n', 'VARCHAR').string_size() }}", "16777216"),
            ("{{ api.Column('n', 'INTEGER').is_integer() }}", "False"),
        ],
    );
}

#[test]
fn an_empty_run_reads_no_rows() {
    let stage = Stage { flags: json!({"EMPTY": true}), ..Stage::default() };
    check(&stage, &[("{{ ref('a') }}", r#"(select * from "db"."main"."a" where false limit 0)"#)]);
    check(&stage, &[("{{ ref('a').render() }} {{ this }}", r#""db"."main"."a" "db"."main"."orders""#)]);
}

#[test]
fn columns_know_their_types() {
    check(
        &Stage::default(),
        &[
            (
                "{{ api.Column('id', 'integer') }}",
                "DuckDBColumn(column='id', dtype='integer', char_size=None, numeric_precision=None, \
                 numeric_scale=None, fields=[])",
            ),
            ("{{ api.Column.create('a', 'string').dtype }} {{ api.Column.translate_type('int') }}", "TEXT int"),
            ("{{ api.Column('a', 'VARCHAR').data_type }}", "character varying(256)"),
            ("{{ api.Column('a', 'varchar', 20).data_type }}", "character varying(20)"),
            ("{{ api.Column.from_description('x', 'decimal(10,2)').data_type }}", "decimal(10,2)"),
            (
                "{{ api.Column.numeric_type('numeric', 10, 2) }} {{ api.Column.string_type(5) }}",
                "numeric(10,2) character varying(5)",
            ),
            ("{{ api.Column('a', 'hugeint').is_integer() }} {{ api.Column('a', 'double').is_number() }}", "True True"),
            ("{{ api.Column('a', 'varchar', 5).can_expand_to(api.Column('a', 'varchar', 9)) }}", "True"),
            ("{{ api.Column('a\"b', 'int').quoted }}", "\"a\"\"b\""),
            (
                "{{ api.Column('s', 'STRUCT(a VARCHAR, b STRUCT(c DECIMAL(1, 2)))').flatten() | map(attribute='name') | list }}",
                "['s.a', 's.b.c']",
            ),
        ],
    );
}

#[test]
fn rows_read_like_an_agate_table() {
    let columns = [
        ("id", ColumnType::BigInt),
        ("n", ColumnType::Text),
        ("x", ColumnType::Decimal(4, 2)),
        ("b", ColumnType::Boolean),
        ("f", ColumnType::Double),
    ];
    let row = |id: i128, name: Cell, number: &str| {
        vec![Cell::Integer(id), name, Cell::Decimal(number.to_owned()), Cell::Boolean(true), Cell::Float(3.0)]
    };
    let rows = vec![row(1, Cell::Text("a".to_owned()), "12.25"), row(2, Cell::Null, "0.12345678901234567890")];
    let stage = Stage { answers: vec![("q", table(&columns, rows))], ..Stage::default() };
    let prefix = "{% set t = run_query('q') %}";
    let cases = [
        ("{{ t | length }} {{ t.column_names }}", "2 ('id', 'n', 'x', 'b', 'f')"),
        ("{{ t.columns[0].values() }} {{ t.columns['n'].values() }}", "(1, 2) ('a', None)"),
        ("{% for r in t %}{{ r.id }}{{ r['n'] }}{{ r[0] + 1 }};{% endfor %}", "1a2;2None3;"),
        ("{% for r in t.rows %}{{ r.x }} {% endfor %}", "12.25 0.12345678901234567890 "),
        ("{{ t.rows[0].x > 12 }} {{ t[0].f }} {{ t[0].b }}", "True 3.0 True"),
        ("{{ t.rows[0].values() }} {{ t.rows[0].keys() }}", "(1, 'a', 12.25, True, 3.0) ('id', 'n', 'x', 'b', 'f')"),
        ("{{ t.select(['n']).column_names }} {{ t.exclude(['n', 'x']).column_names }}", "('n',) ('id', 'b', 'f')"),
        ("{{ t.limit(1) | length }} {{ t.rename({'n': 'm'}).column_names }}", "1 ('id', 'm', 'x', 'b', 'f')"),
        (
            "{% for c in t.columns %}{{ c.name }}:{{ c.data_type }} {% endfor %}",
            "id:Integer n:Text x:Number b:Boolean f:Number ",
        ),
        ("{{ t.order_by('id', reverse=true).columns[0].values() }}", "(2, 1)"),
        ("{{ t[0] }} {{ t.columns[0] }}", "<agate.Row: (1, 'a', 12.25, True, 3.0)> <agate.Column: (1, 2)>"),
        (
            "{{ t.select(['id', 'n']) }}",
            "| column | data_type |\n| ------ | --------- |\n| id     | Integer   |\n| n      | Text      |\n",
        ),
        ("{{ t.columns.get('nope', 'd') }} {{ t.nope is undefined }}", "d True"),
    ];
    for (template, expected) in cases {
        assert_eq!(stage.render(&format!("{prefix}{template}")), expected, "{template}");
    }
    stage.take_asked();
    stage.render(&format!("{prefix}{{% do t.select(['id', 'n']).print_table() %}}"));
    assert_eq!(stage.take_asked()[1], "log true | id | n |\n| -- | - |\n|  1 | a |\n|  2 |   |");
    assert_eq!(
        stage.message(&format!("{prefix}{{{{ t.group_by('n') }}}}")),
        "jinja-render: a table of rows has no method `group_by`"
    );
}

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
    assert!(super::main_result(&context).is_none());
    let text = "{% call statement('main', fetch_result=true) %}q{% endcall %}";
    let file = crate::diagnostic::SourceFile::new("m.sql", text);
    let template = crate::jinja::Template::whole(&file).expect("right");
    engine.render(&template, &context).expect("renders");
    let (response, table) = super::main_result(&context).expect("there is one");
    assert_eq!((response.message.as_str(), response.rows_affected), ("OK", Some(3)));
    assert_eq!(table.scalar(), Some(&Cell::Text("x".to_owned())));
}

#[test]
fn configs_are_recorded_when_parsed_and_read_when_run() {
    let stage = Stage::default();
    check(
        &stage,
        &[
            ("[{{ config(materialized='table') }}]", "[]"),
            (
                "{{ config.get('materialized') }} {{ config.get('nope', 'd') }} {{ config.get('nope') }}",
                "incremental d None",
            ),
            // A key that every config has is found even when it was not set.
            ("{{ config.get('incremental_strategy', 'd') }} {{ config.get('on_schema_change') }}", "None ignore"),
            ("{{ config.get('tags') }} {{ config.require('unique_key') }}", "[] id"),
            ("{{ config.meta_get('owner') }} {{ config.meta_get('nope', 1) }}", "me 1"),
            ("{{ config.persist_relation_docs() }} {{ config.persist_column_docs() }}", "False False"),
            ("{{ config.get('unique_key', validator=validation.any('id')) }}", "id"),
        ],
    );
    assert_eq!(
        stage.message("{{ config.require('nope') }}"),
        "config: `model.shop.orders` does not define the required config `nope`"
    );
    assert_eq!(
        stage.message("{{ config.get('unique_key', 'x', validation.any('a', 'b')) }}"),
        "config: 'id' is not one of a, b"
    );
    let parse = Stage { phase: Phase::Parse, with_session: false, ..Stage::default() };
    parse.render("{{ config(materialized='table', pre_hook=['a'], meta={'x': 1}) }}{{ config({'tags': 'b'}) }}");
    assert_eq!(
        parse.take_asked(),
        [r#"configure {"materialized":"table","pre-hook":["a"],"meta":{"x":1}}"#, r#"configure {"tags":"b"}"#,]
    );
    check(&parse, &[("[{{ config.get('materialized') }}]", "[]")]);
    assert_eq!(
        parse.message("{{ config('a', 'b') }}"),
        "config: config() takes either one mapping or keyword arguments"
    );
}

#[test]
fn variables_and_environment() {
    let stage = Stage::default();
    check(
        &stage,
        &[
            ("{{ var('limit') + 1 }} {{ var('nope', 'd') }} {{ var.has_var('nope') }}", "11 d False"),
            ("{{ var('greeting') }}", "hello dev"),
            ("{% do var('list').append(3) %}{{ var('list') }}", "[1, 2]"),
            ("{{ env_var('HOME') }} {{ env_var('NOPE', 'x') }}", "/home/me x"),
        ],
    );
    assert_eq!(stage.message("{{ var('nope') }}"), "unknown-variable: variable `nope` has no value");
    assert_eq!(stage.message("{{ env_var('NOPE') }}"), "unknown-variable: environment variable `NOPE` is not set");
    assert_eq!(stage.message("{{ ref('missing') }}"), "unknown-ref: there is no `missing`");
    let parse = Stage { phase: Phase::Parse, with_session: false, ..Stage::default() };
    check(&parse, &[("{{ var('nope') }}", "None")]);
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
fn macros_raise_errors_and_warnings() {
    let stage = Stage::default();
    assert_eq!(stage.message("{{ exceptions.raise_compiler_error('no ' ~ 1) }}"), "compiler-error: no 1");
    assert_eq!(stage.message("{{ exceptions.raise_not_implemented('later') }}"), "not-supported: later");
    assert_eq!(
        stage.message("{{ try_or_compiler_error('better words', exceptions.raise_compiler_error, 'x') }}"),
        "compiler-error: better words"
    );
    assert_eq!(
        stage.message(
            "{{ exceptions.raise_contract_error([{'name': 'a', 'data_type': 'int'}, {'name': 'c', 'data_type': 'int'}], \
             [{'name': 'a', 'data_type': 'text'}, {'name': 'b', 'data_type': 'int'}]) }}"
        ),
        "compiler-error: the model's columns are not those of its contract: a: text in the query, int in the \
         contract; b: int in the query, not in the contract; c: int in the contract, not in the query"
    );
    stage.render("{{ exceptions.warn('careful') }}{{ log('quiet') }}{{ log('loud', info=true) }}{{ print('p') }}");
    assert_eq!(stage.take_asked(), ["warn careful", "log false quiet", "log true loud", "log true p"]);
}

#[test]
fn plain_functions_do_what_pythons_do() {
    check(
        &Stage::default(),
        &[
            ("{{ tojson({'a': [1, none, true, 'x\"'], 'b': 1.5}) }}", r#"{"a": [1, null, true, "x\""], "b": 1.5}"#),
            ("{{ tojson({'b': 1, 'a': 2}, sort_keys=true) }}", r#"{"a": 2, "b": 1}"#),
            (
                "{% set d = fromjson('{\"a\": [1]}') %}{% do d.a.append(2) %}{{ d }} {{ fromjson('no', 'd') }}",
                "{'a': [1, 2]} d",
            ),
            ("{{ fromyaml('a: [1, yes]') }}", "{'a': [1, True]}"),
            ("{{ toyaml({'b': [1, 'x'], 'a': none}) }}", "b:\n- 1\n- x\na: null\n"),
            ("{{ set([1, 2, 1]) }} {{ set([]) }} {{ 2 in set([1, 2]) }} {{ set(3, 'd') }}", "{1, 2} set() True d"),
            ("{{ set([1, 2]).union([3]) | list }} {{ set([1, 2]).difference([2]) | list }}", "[1, 2, 3] [1]"),
            ("{{ zip([1, 2], ['a', 'b', 'c']) | list }} {{ zip(1, default='d') }}", "[(1, 'a'), (2, 'b')] d"),
            ("{{ local_md5('hello world') }}", "5eb63bbbe01eeed093cb22bb8f5acdc3"),
            (
                "{{ diff_of_two_dicts({'key_x': ['value_1', 'VALUE_2'], 'KEY_Y': ['value_3']}, \
                 {'key_x': ['value_1'], 'key_z': ['value_4']}) }}",
                "{'key_x': ['VALUE_2'], 'KEY_Y': ['value_3']}",
            ),
            ("{{ render('{{ 1 + 1 }} {{ this.name }}') }}", "2 orders"),
            ("{{ doc('orders') }}", "the doc orders"),
            ("{{ builtins.ref('a') }} {{ context['project_name'] }}", r#""db"."main"."a" shop"#),
        ],
    );
    let stage = Stage::default();
    assert!(stage.message("{{ metric('m') }}").starts_with("not-supported: "));
    assert!(stage.message("{{ set_strict(1) }}").starts_with("jinja-render: "));
}

#[test]
fn values_of_the_invocation() {
    check(
        &Stage::default(),
        &[
            ("{{ target.name }} {{ target.get('nope', 'd') }} {{ target.items() | length }}", "dev d 4"),
            ("{{ flags.WHICH }} {{ flags.FULL_REFRESH }} {{ flags.NOPE is undefined }}", "run False True"),
            ("{{ invocation_id }} {{ thread_id }} {{ dbt_version }} {{ execute }}", "an-id Thread-1 1.11.0 True"),
            ("{{ dbt_metadata_envs }} {{ invocation_args_dict.which }}", "{'JOB': '7'} run"),
            ("{{ selected_resources }} {{ database }} {{ schema }}", "['model.shop.orders'] db main"),
            ("{{ sql }} {{ compiled_code }} {{ pre_hooks }}", "select 1 select 1 []"),
        ],
    );
}

#[test]
fn nodes_are_dicts_as_in_the_manifest() {
    check(
        &Stage::default(),
        &[
            (
                "{{ model.name }} {{ model['unique_id'] }} {{ model.config.materialized }}",
                "orders model.shop.orders incremental",
            ),
            (
                "{{ model.get('nope', 'd') }} {{ model.patch_path is undefined }} {{ model.compiled_code }}",
                "d True select 1",
            ),
            (
                "{{ model.config.on_schema_change }} {{ model.fqn }} {{ model.meta.owner }}",
                "ignore ['shop', 'orders'] me",
            ),
            ("{% do model.update({'x': 1}) %}{{ model.x }}", "1"),
            (
                "{% for n in graph.nodes.values() | selectattr('resource_type', 'equalto', 'model') %}{{ n.name }}{% endfor %}",
                "orders",
            ),
            ("{{ graph.sources.values() | list }} {{ graph.get('exposures') }} {{ 'nodes' in graph }}", "[] {} True"),
            ("{{ tojson(model.depends_on) }}", r#"{"macros": [], "nodes": []}"#),
        ],
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
