//! What templates see, compared with what dbt-core 1.11 with dbt-duckdb gives for the same templates.

mod duckdb;
mod stage;
mod values;
mod warehouse;

use crate::jinja::host::Phase;
use stage::Stage;

/// Renders each template and compares it with the text beside it.
fn check(stage: &Stage, cases: &[(&str, &str)]) {
    for (template, expected) in cases {
        assert_eq!(stage.render(template), *expected, "{template}");
    }
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
fn references_know_where_they_stand() {
    let stage = Stage::default();
    stage.render("select * from {{ ref('placed') }}");
    assert_eq!(stage.take_asked(), ["ref at ref('placed')"]);
}
