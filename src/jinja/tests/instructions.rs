//! The shapes of instructions that the patches rely on. Whoever upgrades minijinja reads here what has changed.

use super::file;
use crate::jinja::body::{self, Body, Purpose, Text, Unit};
use crate::jinja::scan::scan;
use minijinja::Value;
use minijinja::machinery::{Instruction, Instructions};
use std::fmt::Write;
use std::sync::{Arc, OnceLock};

/// A value short enough for a listing.
fn constant(value: &Value) -> String {
    if value.is_kwargs() { format!("kwargs {value}") } else { crate::jinja::value::repr(value) }
}

fn described(instruction: &Instruction<'_>) -> String {
    use Instruction as I;
    let named = |name: &str| name.replace('\u{1}', "^");
    match instruction {
        I::EmitRaw(text) => format!("EmitRaw {text:?}"),
        I::StoreLocal(name) => format!("StoreLocal {name}"),
        I::Lookup(name) => format!("Lookup {}", named(name)),
        I::GetAttr(name) => format!("GetAttr {name}"),
        I::SetAttr(name) => format!("SetAttr {name}"),
        I::LoadConst(value) => format!("LoadConst {}", constant(value)),
        I::BuildMap(count) => format!("BuildMap {count}"),
        I::BuildKwargs(count) => format!("BuildKwargs {count}"),
        I::MergeKwargs(count) => format!("MergeKwargs {count}"),
        I::BuildList(count) => format!("BuildList {count:?}"),
        I::BuildTuple(count) => format!("BuildTuple {count:?}"),
        I::UnpackList(count) => format!("UnpackList {count}"),
        I::UnpackLists(count) => format!("UnpackLists {count}"),
        I::ApplyFilter(name, count, _) => format!("ApplyFilter {name} {count:?}"),
        I::PerformTest(name, count, _) => format!("PerformTest {name} {count:?}"),
        I::CallFunction(name, count) => format!("CallFunction {} {count:?}", named(name)),
        I::CallMethod(name, count) => format!("CallMethod {name} {count:?}"),
        I::CallObject(count) => format!("CallObject {count:?}"),
        I::PushLoop(flags) => format!("PushLoop {flags}"),
        I::Iterate(to) => format!("Iterate -> {to}"),
        I::Jump(to) => format!("Jump -> {to}"),
        I::JumpIfFalse(to) => format!("JumpIfFalse -> {to}"),
        I::JumpIfFalseOrPop(to) => format!("JumpIfFalseOrPop -> {to}"),
        I::JumpIfTrueOrPop(to) => format!("JumpIfTrueOrPop -> {to}"),
        I::BuildMacro(name, body, flags) => format!("BuildMacro {name:?} {body} {flags}"),
        I::Enclose(name) => format!("Enclose {name}"),
        other => without_operands(other).to_owned(),
    }
}

fn without_operands(instruction: &Instruction<'_>) -> &'static str {
    use Instruction as I;
    match instruction {
        I::GetItem => "GetItem",
        I::Slice => "Slice",
        I::Add => "Add",
        I::Sub => "Sub",
        I::Mul => "Mul",
        I::Div => "Div",
        I::IntDiv => "IntDiv",
        I::Rem => "Rem",
        I::Pow => "Pow",
        I::Neg => "Neg",
        I::Eq => "Eq",
        I::Ne => "Ne",
        I::Gt => "Gt",
        I::Gte => "Gte",
        I::Lt => "Lt",
        I::Lte => "Lte",
        I::Not => "Not",
        I::In => "In",
        I::StringConcat => "StringConcat",
        I::CompareAndPreserve(_) => "CompareAndPreserve",
        I::Emit => "Emit",
        I::PushWith => "PushWith",
        I::PushDidNotIterate => "PushDidNotIterate",
        I::PopFrame => "PopFrame",
        I::PopLoopFrame => "PopLoopFrame",
        I::BeginCapture(_) => "BeginCapture",
        I::EndCapture => "EndCapture",
        I::DupTop => "DupTop",
        I::DiscardTop => "DiscardTop",
        I::Swap => "Swap",
        I::Return => "Return",
        I::IsUndefined => "IsUndefined",
        I::GetClosure => "GetClosure",
        _ => "(an instruction that no snippet is meant to have)",
    }
}

fn listing(instructions: &Instructions<'_>, body: &Body) -> String {
    let mut lines = String::new();
    let mut at = 0;
    while let Some(instruction) = instructions.get(at) {
        writeln!(lines, "  {at:>3} {}", described(instruction)).unwrap();
        at += 1;
    }
    for (at, literal) in body.literals.iter().enumerate() {
        writeln!(lines, "  literal {at}: {}", constant(literal)).unwrap();
    }
    for call in &body.calls {
        writeln!(lines, "  call block takes along: {:?}", call.captures).unwrap();
    }
    lines
}

/// The instructions of a text: as a template, or as the macro that it declares.
fn compiled(text: &str, purpose: Option<Purpose>) -> String {
    let source = file("snippet.sql", text);
    let whole = 0..text.len();
    let scanned = scan(&source, &whole).unwrap();
    let listed = if let Some(purpose) = purpose {
        let unit = Arc::new(body::template_unit(&source, &whole, scanned));
        let tree = body::parse_unit(unit.text()).unwrap();
        let code = body::compile_template(body::Parsed { unit: &unit, tree: &tree }, purpose);
        listing(&code.instructions, &code.body)
    } else {
        let text = Text::Kept(scanned.masked.as_deref().unwrap_or(text).into(), OnceLock::new());
        let unit = Arc::new(Unit { file: source, base: 0, text, discards: scanned.discards });
        let code = body::compile_macro(&unit, false).unwrap();
        listing(&code.instructions, &code.body)
    };
    format!("{text}\n{listed}\n")
}

#[test]
fn patched_instructions_have_the_expected_shapes() {
    let templates = [
        "a{{ x }}b",
        "{{ x.y[0].z('q', k=1) }}",
        "{{ [1, x] }}{{ [1, 2] }}{{ [] }}",
        "{{ {'a': x} }}{{ {'a': [1]} }}{{ {} }}",
        "{{ (1, [2]) }}",
        "{{ x[1:2] }}{{ x + 1 }}{{ x - 1 }}{{ x * 2 }}{{ x / 2 }}{{ x // 2 }}{{ x % 2 }}{{ x ** 2 }}{{ x ~ y }}",
        "{% do x.append(1) %}",
        "{% do x.append(1) if y %}",
        "{{ return(x) }}",
        "{{ ref('a') }}{{ source('a', 'b') }}{% set config = x %}{{ config(a=1) }}",
        "{{ f(*args, **kwargs) }}",
        "{% for a, b in x if a %}{{ a }}{% else %}{{ b }}{% endfor %}",
        "{% call m(1) %}{{ x }}{% endcall %}",
        "{% call(a, b=2) p.m() %}{{ a }}{{ outer }}{% endcall %}",
        "{% set x %}a{{ y }}{% endset %}",
        "{% macro inner(a) %}{{ a }}{% endmacro %}",
        "{{ validation.any['a', 'b'] }}",
        "{% if a: %}b{% endif %}",
    ];
    let macros = [
        "{% macro m(a, b=[], c=a) %}{{ a }}{% endmacro %}",
        "{% macro m() %}{% call n() %}{{ return(1) }}{% endcall %}{{ return([varargs, kwargs]) }}{% endmacro %}",
        "{% test t(model: str) %}{{ model }}{% endtest %}",
    ];
    let mut shown: String = templates.iter().map(|text| compiled(text, Some(Purpose::Text))).collect();
    shown.extend(macros.iter().map(|text| compiled(text, None)));
    shown += &compiled("{{ var('x') | as_bool }}", Some(Purpose::Native));
    shown += &compiled("a{{ b }}{% for c in d %}{{ c }},{% endfor %}", Some(Purpose::MarkedText));
    insta::assert_snapshot!(shown);
}
