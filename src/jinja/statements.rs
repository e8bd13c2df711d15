//! Compiles statements where minijinja's own compiler leaves no room for what Jinja2 does:
//!
//! - loops go through what Python goes through, and know how many letters a text has;
//! - an assignment to several names says in Python's words what does not fit;
//! - all values of a `{% with %}` are those from outside of it;
//! - what a `{% set %}` or `{% filter %}` block sets stays inside of it, and a `{% block %}` stands where it is;
//! - everything that a template writes may have a marker before it, and what loops write is counted.
//!
//! Expressions and all other statements are left to [`CodeGenerator`].

use super::operators::Operator;
use minijinja::Value;
use minijinja::machinery::{CodeGenerator, Instruction, Instructions, ast};
use std::sync::LazyLock;

/// How statements write.
pub(super) struct Writing<'t, 's> {
    /// The markers of a template that were not put anywhere yet; none in everything that is captured or called.
    markers: std::slice::Iter<'t, &'s str>,
    /// How many loops are around.
    loops: usize,
}

impl<'t, 's> Writing<'t, 's> {
    /// With these markers, outside of loops.
    pub fn with(markers: &'t [&'s str]) -> Self {
        Self { markers: markers.iter(), loops: 0 }
    }
}

/// Compiles statements in their order.
pub(super) fn compile_all<'s>(
    generator: &mut CodeGenerator<'s>,
    statements: &[ast::Stmt<'s>],
    writing: &mut Writing<'_, 's>,
) {
    for statement in statements {
        compile(generator, statement, writing);
    }
}

/// Compiles statements whose text is captured: it gets no markers.
fn compile_captured<'s>(generator: &mut CodeGenerator<'s>, statements: &[ast::Stmt<'s>], loops: usize) {
    if let Some(begin) = begin_capture() {
        generator.add(begin);
    }
    generator.add(Instruction::PushWith);
    compile_all(generator, statements, &mut Writing { markers: [].iter(), loops });
    generator.add(Instruction::PopFrame);
    generator.add(Instruction::EndCapture);
}

/// `BeginCapture` with its argument, whose type has no public name: read from a block that has one.
fn begin_capture<'s>() -> Option<Instruction<'s>> {
    static BLOCK: LazyLock<Option<Instructions<'static>>> = LazyLock::new(|| {
        let tree = super::body::parse_unit("{% set x %}{% endset %}").ok()?;
        let mut generator = CodeGenerator::new("", "");
        for statement in super::body::statements(&tree) {
            generator.compile_stmt(statement);
        }
        Some(generator.finish().0)
    });
    let block = BLOCK.as_ref()?;
    (0..).map_while(|at| block.get(at)).find_map(|instruction| match instruction {
        Instruction::BeginCapture(mode) => Some(Instruction::BeginCapture(*mode)),
        _ => None,
    })
}

fn compile<'s>(generator: &mut CodeGenerator<'s>, statement: &ast::Stmt<'s>, writing: &mut Writing<'_, 's>) {
    match statement {
        ast::Stmt::ForLoop(inner) => {
            start_loop(generator, inner);
            writing.loops += 1;
            compile_all(generator, &inner.body, writing);
            writing.loops -= 1;
            generator.end_for_loop(!inner.else_body.is_empty());
            if !inner.else_body.is_empty() {
                generator.start_if();
                compile_all(generator, &inner.else_body, writing);
                generator.end_if();
            }
        }
        ast::Stmt::IfCond(inner) => {
            generator.push_span(inner.expr.span());
            generator.compile_expr(&inner.expr);
            generator.start_if();
            generator.pop_span();
            compile_all(generator, &inner.true_body, writing);
            if !inner.false_body.is_empty() {
                generator.start_else();
                compile_all(generator, &inner.false_body, writing);
            }
            generator.end_if();
        }
        ast::Stmt::WithBlock(inner) => {
            generator.set_line_from_span(inner.span());
            generator.add(Instruction::PushWith);
            inner.assignments.iter().for_each(|(_, value)| generator.compile_expr(value));
            inner.assignments.iter().rev().for_each(|(target, _)| assign(generator, target));
            compile_all(generator, &inner.body, writing);
            generator.add(Instruction::PopFrame);
        }
        ast::Stmt::Block(inner) => {
            generator.add(Instruction::PushWith);
            compile_all(generator, &inner.body, writing);
            generator.add(Instruction::PopFrame);
        }
        ast::Stmt::Set(inner) => {
            generator.set_line_from_span(inner.span());
            generator.compile_expr(&inner.expr);
            assign(generator, &inner.target);
        }
        ast::Stmt::SetBlock(inner) => {
            generator.set_line_from_span(inner.span());
            compile_captured(generator, &inner.body, writing.loops);
            inner.filter.iter().for_each(|filter| generator.compile_expr(filter));
            generator.compile_assignment(&inner.target);
        }
        ast::Stmt::AutoEscape(inner) => {
            generator.set_line_from_span(inner.span());
            generator.compile_expr(&inner.enabled);
            generator.add(Instruction::PushAutoEscape);
            compile_all(generator, &inner.body, writing);
            generator.add(Instruction::PopAutoEscape);
        }
        ast::Stmt::FilterBlock(inner) => {
            mark(generator, writing);
            generator.set_line_from_span(inner.span());
            compile_captured(generator, &inner.body, writing.loops);
            generator.compile_expr(&inner.filter);
            generator.add_with_span(Instruction::Emit, inner.filter_span);
        }
        // What loops write is counted, and instructions that write a text as it is do not count.
        ast::Stmt::EmitRaw(raw) if writing.loops > 0 => {
            mark(generator, writing);
            generator.add_with_span(Instruction::LoadConst(Value::from_safe_string(raw.raw.to_owned())), raw.span());
            generator.add_with_span(Instruction::Emit, raw.span());
        }
        ast::Stmt::EmitRaw(_) | ast::Stmt::EmitExpr(_) | ast::Stmt::CallBlock(_) => {
            mark(generator, writing);
            generator.compile_stmt(statement);
        }
        _ => generator.compile_stmt(statement),
    }
}

fn mark<'s>(generator: &mut CodeGenerator<'s>, writing: &mut Writing<'_, 's>) {
    if let Some(marker) = writing.markers.next() {
        generator.add(Instruction::EmitRaw(marker));
    }
}

/// Assigns the value on the stack.
fn assign<'s>(generator: &mut CodeGenerator<'s>, target: &ast::Expr<'s>) {
    if let ast::Expr::List(names) = target {
        generator.push_span(names.span());
        generator.add(Instruction::LoadConst(Value::from(names.items.len())));
        generator.add(Instruction::CallFunction(Operator::Unpack.name(), Some(2)));
        generator.pop_span();
    }
    generator.compile_assignment(target);
}

/// Leaves what a loop goes through on the stack.
fn iterable<'s>(generator: &mut CodeGenerator<'s>, value: &ast::Expr<'s>) {
    generator.push_span(value.span());
    generator.compile_expr(value);
    generator.add(Instruction::CallFunction(Operator::Iterate.name(), Some(1)));
    generator.pop_span();
}

/// The instructions before a loop's body. A loop with a condition is two: the first collects what passes.
fn start_loop<'s>(generator: &mut CodeGenerator<'s>, inner: &ast::Spanned<ast::ForLoop<'s>>) {
    generator.set_line_from_span(inner.span());
    if let Some(condition) = &inner.filter_expr {
        generator.add(Instruction::LoadConst(Value::from(0)));
        generator.push_span(condition.span());
        iterable(generator, &inner.iter);
        generator.start_for_loop(false, false);
        generator.add(Instruction::DupTop);
        assign(generator, &inner.target);
        generator.compile_expr(condition);
        generator.start_if();
        generator.add(Instruction::Swap);
        generator.add(Instruction::LoadConst(Value::from(1)));
        generator.add(Instruction::Add);
        generator.start_else();
        generator.add(Instruction::DiscardTop);
        generator.end_if();
        generator.pop_span();
        generator.end_for_loop(false);
        generator.add(Instruction::BuildList(None));
        generator.start_for_loop(true, inner.recursive);
    } else {
        generator.push_span(inner.iter.span());
        iterable(generator, &inner.iter);
        generator.start_for_loop(true, inner.recursive);
        generator.pop_span();
    }
    assign(generator, &inner.target);
}
