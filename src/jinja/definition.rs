//! What the files of a package define: macros, snapshots, docs blocks.

use super::body::{self, Code, Unit};
use super::calls;
use super::error::syntax_error;
use super::memo::Worth;
use super::scan::{Block, BlockKind, scan};
use crate::diagnostic::{Code as FindingCode, Diagnostic, Diagnostics, SourceFile, Span};
use crate::name::{ResourceType, UniqueId};
use minijinja::machinery::ast;
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// A macro, generic test or materialization: where it stands, what it takes, and how to run it.
pub struct MacroDefinition {
    /// `macro.dbt_utils.star`.
    pub unique_id: UniqueId,
    /// The package.
    pub package: String,
    /// dbt's name: `star`, `test_unique`, `materialization_table_default`.
    pub name: String,
    /// What it was written as.
    pub kind: BlockKind,
    /// The file.
    pub file: Arc<SourceFile>,
    /// From `{%` of the start tag to `%}` of the end tag.
    pub span: Span,
    /// The start tag.
    pub tag: Span,
    /// The names of its parameters, in order.
    pub arguments: Vec<String>,
    /// What its body calls, as written (`star`, `dbt_utils.star`), each once; names of dispatched macros too.
    pub calls: Vec<String>,
    /// For a materialization: the languages that it supports; `sql` if it says nothing.
    pub supported_languages: Vec<String>,
    unit: Arc<Unit>,
    code: OnceLock<Code<'static>>,
    marked_code: OnceLock<Code<'static>>,
    /// Whether its results are worth keeping.
    pub(super) worth: Worth,
}

impl MacroDefinition {
    /// The instructions, compiled at the first call.
    pub(super) fn code(&self) -> Result<&Code<'static>, minijinja::Error> {
        if let Some(code) = self.code.get() {
            return Ok(code);
        }
        let code = body::compile_macro(&self.unit, false)?;
        Ok(self.code.get_or_init(|| code))
    }

    /// The instructions with marks in what they write, for a render that is traced.
    pub(super) fn marked_code(&self) -> Result<&Code<'static>, minijinja::Error> {
        if let Some(code) = self.marked_code.get() {
            return Ok(code);
        }
        let code = body::compile_macro(&self.unit, true)?;
        Ok(self.marked_code.get_or_init(|| code))
    }

    /// The block as written, what dbt calls `macro_sql`.
    pub fn macro_sql(&self) -> &str {
        self.span.text()
    }
}

impl fmt::Debug for MacroDefinition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}({})", self.unique_id, self.arguments.join(", "))
    }
}

/// A `{% snapshot %}` block.
#[derive(Debug, Clone)]
pub struct SnapshotBlock {
    /// Its name.
    pub name: String,
    /// The start tag.
    pub tag: Span,
    /// What stands between the tags, as a part of the file: what [`super::Template::read`] takes.
    pub body: Range<usize>,
    /// From the start tag to the end tag.
    pub span: Span,
}

/// What a SQL file with blocks defines.
#[derive(Debug, Default)]
pub struct FileBlocks {
    /// Macros, generic tests and materializations, in the order of the file.
    pub macros: Vec<MacroDefinition>,
    /// Snapshots, in the order of the file.
    pub snapshots: Vec<SnapshotBlock>,
}

/// Reads the blocks of a file of `package`. The bodies are parsed (so that every mistake of syntax shows), but
/// compiled only when they are called.
pub fn scan_macro_file(package: &str, file: &Arc<SourceFile>) -> Result<FileBlocks, Diagnostics> {
    let whole = 0..file.text().len();
    let scanned = scan(file, &whole)?;
    let text: Cow<'_, str> = match scanned.masked {
        Some(masked) => masked.into(),
        None => Cow::Borrowed(file.text()),
    };
    let mut blocks = FileBlocks::default();
    let mut found = Diagnostics::new();
    let mut end_of_last = 0;
    for block in &scanned.blocks {
        // A block inside of another one is a macro declared in a macro: dbt does not know it by its name.
        if block.whole.start < end_of_last {
            continue;
        }
        end_of_last = block.whole.end;
        if block.kind == BlockKind::Snapshot {
            blocks.snapshots.push(SnapshotBlock {
                name: block.name.clone(),
                tag: Span::new(file, block.tag.clone()),
                body: block.body.clone(),
                span: Span::new(file, block.whole.clone()),
            });
            continue;
        }
        let unit = body::macro_unit(file, &text, &block.whole, &scanned.discards);
        match define(package, block, unit) {
            Ok(definition) => blocks.macros.push(definition),
            Err(diagnostic) => found.push(diagnostic),
        }
    }
    if found.is_empty() { Ok(blocks) } else { Err(found) }
}

fn define(package: &str, block: &Block, unit: Unit) -> Result<MacroDefinition, Diagnostic> {
    let failed = |error: &minijinja::Error| syntax_error(&unit.file, unit.base, unit.text(), error);
    let tree = body::parse_unit(unit.text()).map_err(|error| failed(&error))?;
    let declared = body::statements(&tree).iter().find_map(|statement| match statement {
        ast::Stmt::Macro(declared) => Some(declared),
        _ => None,
    });
    let Some(declared) = declared else {
        return Err(Diagnostic::error(FindingCode::JinjaSyntax, "this block declares nothing")
            .at(Span::new(&unit.file, block.tag.clone()), ""));
    };
    let arguments = body::parameter_names(declared);
    let called = calls::called_in(body::statements(&tree));
    let name = match block.kind {
        BlockKind::Macro | BlockKind::Snapshot => block.name.clone(),
        BlockKind::Test => format!("test_{}", block.name),
        BlockKind::Materialization => {
            format!("materialization_{}_{}", block.name, block.adapter.as_deref().unwrap_or("default"))
        }
    };
    drop(tree);
    let supported_languages = if block.languages.is_empty() { vec!["sql".to_owned()] } else { block.languages.clone() };
    Ok(MacroDefinition {
        unique_id: UniqueId::new(ResourceType::Macro, package, &name),
        package: package.to_owned(),
        name,
        kind: block.kind,
        file: Arc::clone(&unit.file),
        span: Span::new(&unit.file, block.whole.clone()),
        tag: Span::new(&unit.file, block.tag.clone()),
        arguments,
        calls: called,
        supported_languages,
        unit: Arc::new(unit),
        code: OnceLock::new(),
        marked_code: OnceLock::new(),
        worth: Worth::default(),
    })
}

/// A `{% docs %}` block of a Markdown file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocsBlock {
    /// Its name.
    pub name: String,
    /// The text between the tags, without whitespace around it.
    pub contents: String,
    /// From the start tag to the end tag.
    pub span: Span,
}

/// Reads the docs blocks of a Markdown file. Their text is not Jinja; around them, comments are skipped.
pub fn scan_docs(file: &Arc<SourceFile>) -> Result<Vec<DocsBlock>, Diagnostics> {
    let text = file.text();
    let mut blocks = Vec::new();
    let mut found = Diagnostics::new();
    let mut at = 0;
    while let Some(open) = text[at..].find('{').map(|offset| at + offset) {
        if text[open..].starts_with("{#") {
            at = text[open..].find("#}").map_or(text.len(), |end| open + end + 2);
            continue;
        }
        let Some((words, body)) = docs_tag(text, open).filter(|(words, _)| words.first() == Some(&"docs")) else {
            at = open + 1;
            continue;
        };
        let Some((end, after)) = end_of_docs(text, body) else {
            found.push(
                Diagnostic::error(FindingCode::JinjaSyntax, "`{% docs %}` is never closed")
                    .at(Span::new(file, open..body), "opened here")
                    .help("add `{% enddocs %}` where the block ends"),
            );
            break;
        };
        match words.as_slice() {
            [_, name] => blocks.push(DocsBlock {
                name: (*name).to_owned(),
                contents: text[body..end].trim().to_owned(),
                span: Span::new(file, open..after),
            }),
            _ => found.push(
                Diagnostic::error(FindingCode::JinjaSyntax, "a docs block needs one name")
                    .at(Span::new(file, open..body), "write `{% docs name %}`"),
            ),
        }
        at = after;
    }
    if found.is_empty() { Ok(blocks) } else { Err(found) }
}

/// The words of the tag that starts at `open`, and where it ends; none if it is no `{% … %}`.
fn docs_tag(text: &str, open: usize) -> Option<(Vec<&str>, usize)> {
    let inner = text[open..].strip_prefix("{%")?;
    let end = inner.find("%}")?;
    let words = inner[..end].trim_start_matches(['-', '+']).trim_end_matches(['-', '+']).split_whitespace();
    Some((words.collect(), open + 2 + end + 2))
}

/// Where `{% enddocs %}` starts and ends.
fn end_of_docs(text: &str, from: usize) -> Option<(usize, usize)> {
    text[from..].match_indices("{%").find_map(|(offset, _)| {
        let (words, after) = docs_tag(text, from + offset)?;
        (words.first() == Some(&"enddocs")).then_some((from + offset, after))
    })
}
