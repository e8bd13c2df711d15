//! Relations, columns, rows, nodes and what is known of the invocation.

use super::check;
use super::stage::{Stage, table};
use crate::adapter::{Cell, ColumnType};
use crate::jinja::context::{NodeContext, RunEnd, Warehouse};
use serde_json::json;

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
            ("{{ source('files', 't') }} {{ source('files', 't').identifier }}", "'data/t_1.csv' t"),
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
fn snowflake_tells_table_formats_apart() {
    let stage = Stage { warehouse: Warehouse::Snowflake, ..Stage::default() };
    let catalog = |config: &str| {
        let model = "{'schema': 's', 'alias': 'a', 'config': ".to_owned() + config + "}";
        stage.render(&format!("{{% set c = adapter.build_catalog_relation({model}) %}}{{{{ c.values() | list }}}}"))
    };
    assert_eq!(catalog("{}"), "['INFO_SCHEMA', 'INFO_SCHEMA', 'default', None, False, True]");
    assert_eq!(
        catalog("{'cluster_by': ['a', 'b'], 'automatic_clustering': true, 'transient': none}"),
        "['INFO_SCHEMA', 'INFO_SCHEMA', 'default', 'a, b', True, False]"
    );
    assert!(catalog("{'table_format': 'iceberg', 'base_location_subpath': 'x'}").contains("'_dbt/s/a/x'"));
    let unknown = "{{ adapter.build_catalog_relation({'config': {'table_format': 'delta'}}) }}";
    assert_eq!(stage.message(unknown), "config: `table_format` is default or iceberg, not delta");
    check(
        &stage,
        &[
            ("{{ this.incorporate(type='table', table_format='iceberg').is_iceberg_format }}", "True"),
            ("{{ this.incorporate(type='table', table_format='iceberg').get_ddl_prefix_for_alter() }}", "iceberg"),
            ("{{ this.incorporate(type='table', table_format='iceberg').can_be_renamed }}", "False"),
            ("{{ this.incorporate(type='table').needs_to_drop(none) }}", "False"),
            ("{{ this.incorporate(type='table').needs_to_drop(this.incorporate(type='view')) }}", "True"),
            (
                "{{ this.incorporate(type='table').needs_to_drop(this.incorporate(type='table', table_format='iceberg')) }}",
                "True",
            ),
            ("{{ adapter.quote_seed_column('id', none) }} {{ adapter.quote_seed_column('id', true) }}", "id \"id\""),
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
            ("{{ api.Column.translate_type is defined }} {{ api.Column.translated is defined }}", "True False"),
            (
                "{% set make = api.Column.create %}{{ make('a', 'string').dtype }} {{ api.Relation.create is defined }}",
                "TEXT True",
            ),
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
fn values_of_the_invocation() {
    check(
        &Stage::default(),
        &[
            ("{{ target.name }} {{ target.get('nope', 'd') }} {{ target.items() | length }}", "dev d 4"),
            ("{{ flags.WHICH }} {{ flags.FULL_REFRESH }} {{ flags.NOPE is undefined }}", "run False True"),
            ("{{ invocation_id }} {{ thread_id }} {{ dbt_version }} {{ execute }}", "an-id Thread-1 1.11.0 True"),
            ("{{ run_started_at.strftime('%Y-%m-%d %H:%M') }}", "2023-11-14 22:13"),
            ("{{ run_started_at }}", "2023-11-14 22:13:20.123456+00:00"),
            ("{{ modules.datetime.date(2024, 1, 2) }}", "2024-01-02"),
            ("{{ dbt_metadata_envs }} {{ invocation_args_dict.which }}", "{'JOB': '7'} run"),
            ("{{ selected_resources }} {{ database }} {{ schema }}", "['model.shop.orders'] db main"),
            ("{{ sql }} {{ compiled_code }} {{ pre_hooks }}", "select 1 select 1 []"),
        ],
    );
}

#[test]
fn hooks_at_the_end_see_the_results() {
    let stage = Stage::default();
    let engine = stage.engine();
    let results = vec![json!({
        "status": "success", "failures": null, "node": {"unique_id": "model.shop.orders"},
        "timing": [{"name": "compile", "started_at": "2024-01-02T03:04:05.000000Z"}],
    })];
    let schemas = vec![(Some("db".to_owned()), "b".to_owned()), (None, "a".to_owned())];
    let end = NodeContext { run_end: Some(RunEnd { results, schemas }), execute: true, ..NodeContext::default() };
    let context = stage.context_with(&engine, end);
    let text = "{% for r in results %}{{ r.node.unique_id }} {{ r.status == 'success' }} {{ r.failures }} \
                {{ r.to_dict().node.to_dict() }} {{ r.timing[0].to_dict().started_at }}{% endfor %} {{ schemas }} {{ database_schemas }} {{ this }}";
    let file = crate::diagnostic::SourceFile::new("hook.sql", text);
    let template = crate::jinja::Template::whole(&file).expect("right");
    assert_eq!(
        engine.render(&template, &context).expect("renders").text,
        "model.shop.orders True None {'unique_id': 'model.shop.orders'} 2024-01-02T03:04:05.000000Z ['a', 'b'] [('db', 'b'), (None, 'a')] None"
    );
}

#[test]
fn cells_are_dates_where_python_has_dates() {
    let day = chrono::NaiveDate::from_ymd_opt(2024, 1, 2).expect("a day");
    let moment = day.and_hms_opt(3, 4, 5).expect("a time");
    let columns = [("d", ColumnType::Date), ("m", ColumnType::Timestamp), ("t", ColumnType::Time)];
    let row = vec![Cell::Date(day), Cell::Timestamp(moment), Cell::Time(moment.time())];
    let stage = Stage { answers: vec![("q", table(&columns, vec![row]))], ..Stage::default() };
    let prefix = "{% set r = run_query('q')[0] %}";
    assert_eq!(
        stage.render(&format!("{prefix}{{{{ r.d }}}} {{{{ r.m }}}} {{{{ r.t }}}}")),
        "2024-01-02 2024-01-02 03:04:05 03:04:05"
    );
    assert_eq!(
        stage.render(&format!("{prefix}{{{{ r.m.isoformat() }}}} {{{{ r.d.strftime('%d.%m.%Y') }}}}")),
        "2024-01-02T03:04:05 02.01.2024"
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
            (
                "{{ graph.sources.keys() | list }} {{ graph.get('exposures') }} {{ 'nodes' in graph }}",
                "['source.shop.files.t'] {} True",
            ),
            ("{{ tojson(model.depends_on) }}", r#"{"macros": [], "nodes": []}"#),
            (
                "{% set s = graph.sources['source.shop.files.t'] %}{{ s.external.location }} {{ s.external.using }} {{ s.external.partitions }} {{ s.config.freshness.warn_after.count }}",
                "s3://files/ csv None None",
            ),
            // Packages keep things in the graph: what was put there is there when it is looked for.
            (
                "{% do graph.setdefault('kept', {}).update({'a': 1}) %}{{ graph.setdefault('kept', {}) }} {{ graph.kept.a }}",
                "{'a': 1} 1",
            ),
            (
                "{% set config = builtins.ref.config %}{{ config.project_name }} {{ config.dependencies['shop'].version }} {{ config.dependencies.dates.version }}",
                "shop 1.2 None",
            ),
            (
                "{{ source.config.vars.to_dict() }} {{ ref.config.args.which }} {{ ref.config.target_name }}",
                "{} run dev",
            ),
        ],
    );
}
