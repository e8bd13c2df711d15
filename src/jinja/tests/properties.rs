//! Whatever a template says: reading and rendering give a value or a diagnostic, and soon. `fuzz/` looks further.

use super::{context_in, engine_with, file};
use crate::diagnostic::{Style, render as draw};
use crate::jinja::host::Phase;
use crate::jinja::{Engine, Template, scan_docs, scan_macro_file};
use proptest::prelude::*;
use std::path::Path;
use std::sync::{Arc, LazyLock};

/// Pieces that templates are made of, put together in any order.
const PIECES: [&str; 60] = [
    "{%",
    "%}",
    "{{",
    "}}",
    "{#",
    "#}",
    "{%-",
    "-%}",
    "{%+",
    "test",
    "macro",
    "endmacro",
    "materialization",
    "snapshot",
    "endsnapshot",
    "endtest",
    "data_test",
    "do",
    "set",
    "endset",
    "call",
    "endcall",
    "for",
    "in",
    "endfor",
    "if",
    "elif",
    "else",
    "endif",
    "raw",
    "endraw",
    "filter",
    "endfilter",
    "break",
    "x",
    "m()",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "'",
    "\"",
    ":",
    ",",
    ".",
    "|",
    "~",
    "**",
    "//",
    "%",
    "==",
    "not",
    "is",
    "1",
    "'a'",
    "loop",
    "\u{a0}",
    "é",
];

/// Expressions with room for others.
const SHAPES: [&str; 34] = [
    "(L + R)",
    "(L - R)",
    "(L * R)",
    "(L / R)",
    "(L // R)",
    "(L % R)",
    "(L ** R)",
    "(L ~ R)",
    "(L < R)",
    "(L in R)",
    "(L == R)",
    "[L, R]",
    "(L, R)",
    "{L: R}",
    "L[R]",
    "L[R:]",
    "L[:R:R]",
    "(L if R else L)",
    "(L | join(R))",
    "(L | sort(reverse=R))",
    "(L | map('string') | list)",
    "(L | int(R))",
    "(L | round(R))",
    "(L | replace(L, R))",
    "(L | indent(R))",
    "(L | batch(R) | list)",
    "('%s' % R)",
    "('{:>{}}'.format(L, R))",
    "(L | tojson)",
    "(-L)",
    "range(L, R)",
    "L.append(R)",
    "L.items()",
    "(L is sameas R)",
];

/// Values to begin with.
const LEAVES: [&str; 17] = [
    "0",
    "1",
    "-1",
    "2.5",
    "9223372036854775807",
    "'a'",
    "''",
    "'%s %d'",
    "none",
    "true",
    "[]",
    "[1, 'b']",
    "{}",
    "{'k': 1}",
    "(1,)",
    "nothing",
    "1e308",
];

fn expression() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(LEAVES.as_slice()).prop_map(str::to_owned);
    leaf.prop_recursive(4, 24, 2, |inner| {
        (prop::sample::select(SHAPES.as_slice()), inner.clone(), inner)
            .prop_map(|(shape, left, right)| shape.replace('L', &left).replace('R', &right))
    })
}

/// Renders in both phases; what fails must be drawn.
fn renders_or_says_why(text: &str) {
    static ENGINE: LazyLock<Arc<Engine>> = LazyLock::new(|| {
        engine_with(&[("proj", "macros/endless.sql", "{% macro endless() %}{{ endless() }}{% endmacro %}")])
    });
    let engine = &*ENGINE;
    let source = file("models/m.sql", text);
    for phase in [Phase::Parse, Phase::Execute] {
        let rendered =
            Template::whole(&source).and_then(|template| engine.render(&template, &context_in(engine, phase).0));
        if let Err(found) = rendered {
            assert!(!draw(&found, Style::Plain).is_empty());
        }
    }
}

/// The templates of `tests/jinja/cases/`, as a place to start from.
fn templates() -> &'static [String] {
    static TEMPLATES: LazyLock<Vec<String>> = LazyLock::new(|| {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/jinja/cases");
        let mut paths: Vec<_> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        let texts = paths.iter().map(|path| std::fs::read_to_string(path).unwrap());
        let cases = texts.flat_map(|text| text.split("\n=== ").skip(1).map(str::to_owned).collect::<Vec<_>>());
        cases.filter_map(|case| Some(case.split_once('\n')?.1.split("\n--- ").next()?.to_owned())).collect()
    });
    &TEMPLATES
}

/// A template with parts of it left out, doubled, or replaced by parts of another one.
fn mutated() -> impl Strategy<Value = String> {
    let index = || any::<prop::sample::Index>();
    let change = (0..3u8, index(), index(), index(), index());
    (index(), prop::collection::vec(change, 1..5)).prop_map(|(first, changes)| {
        let mut letters: Vec<char> = first.get(templates()).chars().collect();
        for (kind, from, to, other, length) in changes {
            let (from, to) = (from.index(letters.len() + 1), to.index(letters.len() + 1));
            let (from, to) = (from.min(to), from.max(to).min(from.min(to) + 12));
            let part: Vec<char> = match kind {
                0 => vec![],
                1 => letters[from..to].repeat(2),
                _ => {
                    let other: Vec<char> = other.get(templates()).chars().collect();
                    let start = length.index(other.len() + 1);
                    other[start..other.len().min(start + 12)].to_vec()
                }
            };
            letters.splice(from..to, part);
        }
        letters.into_iter().collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_pieces_are_read(pieces in prop::collection::vec(prop::sample::select(PIECES.as_slice()), 0..24)) {
        let text = pieces.join(" ");
        let source = file("macros/m.sql", &text);
        if let Err(found) = scan_macro_file("proj", &source) {
            for one in &found {
                prop_assert!(!draw(one, Style::Plain).is_empty());
            }
        }
        // What docs blocks there are does not matter; that they are looked for without a panic does.
        let _ = scan_docs(&source);
        renders_or_says_why(&text);
    }

    #[test]
    fn changed_templates_have_a_text_or_a_reason(text in mutated().prop_filter("loops in loops take long", |text| text.matches("for").count() < 3)) {
        renders_or_says_why(&text);
        let _ = scan_macro_file("proj", &file("macros/m.sql", &text));
    }

    #[test]
    fn results_that_an_engine_keeps_are_those_of_a_new_one(text in mutated().prop_filter("what is random differs", |text| !text.contains("random"))) {
        static USED: LazyLock<Arc<Engine>> = LazyLock::new(|| engine_with(&[]));
        let Ok(template) = Template::whole(&file("models/m.sql", &text)) else { return Ok(()) };
        for phase in [Phase::Parse, Phase::Execute] {
            let rendered = |engine: &Arc<Engine>| {
                engine.render(&template, &context_in(engine, phase).0).ok().map(|rendered| rendered.text)
            };
            let (first, again, fresh) = (rendered(&USED), rendered(&USED), rendered(&engine_with(&[])));
            prop_assert_eq!(&first, &fresh);
            prop_assert_eq!(&again, &fresh);
        }
    }

    #[test]
    fn any_expression_has_a_value_or_a_reason(expression in expression()) {
        renders_or_says_why(&format!("{{% set x = {expression} %}}{{{{ x }}}}{{% for y in [x] %}}{{{{ y }}}}{{% endfor %}}"));
    }
}

#[test]
fn what_would_never_end_or_fill_the_memory_is_an_error() {
    let many = |part: &str| part.repeat(20_000);
    let long = [
        "{{ endless() }}".to_owned(),
        "{{ range(10 ** 9) | list }}".to_owned(),
        "{% set x = [1] * 1999990 %}{% for i in x %}{% do x.append(i) %}{% endfor %}".to_owned(),
        "{% set x = [1] * 1999990 %}{% for i in x %}{% do x.insert(1999990, i) %}{% endfor %}".to_owned(),
        "{% for x in range(10 ** 12) %}{{ x }}{% endfor %}".to_owned(),
        "{{ 'a' * 10 ** 12 }}".to_owned(),
        "{{ [0] * 10 ** 12 }}".to_owned(),
        "{{ 2 ** 10 ** 6 }}".to_owned(),
        "{{ [] * 9223372036854775807 }}".to_owned(),
        "{{ 9223372036854775807 * () }}".to_owned(),
        "{{ modules.itertools.product([], repeat=10 ** 12) | list }}".to_owned(),
        "{{ modules.itertools.product([1], repeat=10 ** 12) | list }}".to_owned(),
        "{{ modules.itertools.combinations([], 10 ** 18) | list }}".to_owned(),
        "{{ modules.itertools.permutations([1, 2], 10 ** 18) | list }}".to_owned(),
        "{{ modules.itertools.combinations_with_replacement([1], 10 ** 18) | list }}".to_owned(),
        "{{ '%999999999999d' % 1 }}".to_owned(),
        "{{ '%.999999999f' % 1 }}".to_owned(),
        "{{ '%*d' % (10 ** 12, 1) }}".to_owned(),
        "{{ '{:>999999999999}'.format(1) }}".to_owned(),
        "{{ '{:>{}}'.format(1, 10 ** 12) }}".to_owned(),
        "{{ 'a'.ljust(10 ** 12) }}".to_owned(),
        "{{ 'a\\t'.expandtabs(10 ** 12) }}".to_owned(),
        "{{ 'a' | center(10 ** 12) }}".to_owned(),
        "{{ 'a\\nb' | indent(10 ** 12) }}".to_owned(),
        "{{ [1] | batch(10 ** 12, 0) | list }}".to_owned(),
        "{{ [1] | slice(10 ** 12) | list }}".to_owned(),
        "{% set ns = namespace(x='aaaaaaaaaa') %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}".to_owned(),
        "{% set ns = namespace(x='aaaaaaaaaa') %}{% for i in range(99) %}{% set ns.x = ns.x | replace('a', ns.x) %}{% endfor %}".to_owned(),
        "{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}".to_owned(),
        "{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% do ns.x.extend(ns.x) %}{% endfor %}".to_owned(),
        "{% set ns = namespace(x='aaaaaaaaaa') %}{% for i in range(99) %}{% set ns.x = [ns.x, ns.x] | join(ns.x) %}{% endfor %}".to_owned(),
        format!("{{{{ {}1{} }}}}", many("("), many(")")),
        format!("{{{{ {}1{} }}}}", many("["), many("]")),
        format!("{{{{ {}1 }}}}", many("-")),
        format!("{{{{ {}1 }}}}", many("not ")),
        format!("{{{{ 1{} }}}}", many(" + 1")),
        format!("{{{{ 1{} }}}}", many(" | abs")),
        format!("{{{{ x{} }}}}", many(".x")),
        format!("{}{}", many("{% if true %}"), many("{% endif %}")),
        format!("{}{}", many("{% for x in [1] %}"), many("{% endfor %}")),
    ];
    for text in long {
        renders_or_says_why(&text);
    }
}

#[test]
fn values_that_hold_themselves_are_printed_compared_and_written() {
    for text in [
        "{% set x = [] %}{% do x.append(x) %}{{ x }} {{ x == x }} {{ x | string }} {{ [x] == [x] }}",
        "{% set x = [] %}{% do x.append(x) %}{% set y = [] %}{% do y.append(y) %}{{ x == y }} {{ x < y }}",
        "{% set x = {} %}{% do x.update(a=x) %}{{ x }} {{ x == x }} {{ tojson(x) }}",
        "{% set x = [] %}{% do x.append(x) %}{{ x | sort }}{{ x | tojson }}",
        "{% set x = [] %}{% do x.append(x) %}{{ x | map('list') | list }}{{ toyaml(x) }}",
    ] {
        renders_or_says_why(text);
    }
}
