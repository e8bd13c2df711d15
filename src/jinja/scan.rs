//! Finds dbt's own tags and rewrites them, **byte for byte at the same length**, into what minijinja parses.
//!
//! `{% test x(model) %}`, `{% materialization x, adapter='duckdb' %}` and `{% snapshot x %}` all become
//! `{% macro … %}`. Because nothing moves, every offset that minijinja reports is an offset of the file.
//! The tags are found with minijinja's own tokenizer, so comments, strings and raw blocks need no care.

use super::error::syntax_error;
use super::tokens::{
    Tag, end_of_type, ends_operand, is_call, is_constant, is_set_block, is_test, names_import, string, too_long_chain,
};
use crate::diagnostic::{Code, Diagnostic, SourceFile, Span};
use minijinja::machinery::{Token, Tokenizer};
use std::ops::Range;
use std::sync::Arc;

/// What kind of block a macro was written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BlockKind {
    /// `{% macro %}`.
    Macro,
    /// `{% test %}` or `{% data_test %}`: a generic test.
    Test,
    /// `{% materialization %}`.
    Materialization,
    /// `{% snapshot %}`.
    Snapshot,
}

/// A block that dbt knows, with offsets from the start of what was scanned.
#[derive(Debug)]
pub(super) struct Block {
    pub kind: BlockKind,
    /// As written, without dbt's prefix.
    pub name: String,
    /// The adapter of a materialization.
    pub adapter: Option<String>,
    /// The languages of a materialization.
    pub languages: Vec<String>,
    /// From `{%` of the start tag to `%}` of the end tag.
    pub whole: Range<usize>,
    /// From `{%` to `%}` of the start tag.
    pub tag: Range<usize>,
    /// What stands between the tags.
    pub body: Range<usize>,
}

/// What a scan found.
#[derive(Debug)]
pub(super) struct Scan {
    /// The rewritten text, where anything had to be rewritten.
    pub masked: Option<String>,
    /// dbt's blocks in order of their start.
    pub blocks: Vec<Block>,
    /// Offsets of expressions that were `{% do … %}` and now stand in `{{ … }}`: their value is not printed.
    pub discards: Vec<u32>,
}

/// Scans the part `range` of a file.
pub(super) fn scan(file: &Arc<SourceFile>, range: &Range<usize>) -> Result<Scan, Diagnostic> {
    let text = &file.text()[range.clone()];
    let mut spaced: Option<String> = None;
    loop {
        let source = spaced.as_deref().unwrap_or(text);
        let failed_at = match Scanner::new(file, range.start, source).run() {
            Ok(mut scan) => {
                if scan.masked.is_none() {
                    scan.masked = spaced;
                }
                return Ok(scan);
            }
            Err(Failure::Found(diagnostic)) => return Err(*diagnostic),
            Err(Failure::Token(error)) => match error.range() {
                // A no-break space inside a tag, as editors and chats insert it: Python takes it as a space.
                Some(at) if source[at.start..].starts_with('\u{a0}') => at.start,
                _ => return Err(syntax_error(file, range.start, source, &error)),
            },
        };
        spaced = Some(without_no_break_spaces(source, failed_at));
    }
}

/// The text with the no-break spaces of the tag at `from` replaced by two plain ones each (they take two bytes).
fn without_no_break_spaces(source: &str, from: usize) -> String {
    let rest = &source[from..];
    let end = [rest.find("%}"), rest.find("}}")].into_iter().flatten().min().unwrap_or(rest.len());
    format!("{}{}{}", &source[..from], rest[..end].replace('\u{a0}', "  "), &rest[end..])
}

enum Failure {
    Token(minijinja::Error),
    Found(Box<Diagnostic>),
}

struct Scanner<'a> {
    file: &'a Arc<SourceFile>,
    base: usize,
    source: &'a str,
    bytes: Option<Vec<u8>>,
    blocks: Vec<Block>,
    discards: Vec<u32>,
    open: Vec<Open>,
}

/// A block tag that waits for its end.
struct Open {
    keyword: String,
    tag: Range<usize>,
    block: Option<usize>,
    /// How many `elif` it has.
    branches: usize,
}

/// As many operators, filters and attributes may follow each other in an expression.
const LONGEST_CHAIN: usize = 300;
/// As many blocks may stand inside of each other.
const DEEPEST_BLOCK: usize = 100;

impl<'a> Scanner<'a> {
    fn new(file: &'a Arc<SourceFile>, base: usize, source: &'a str) -> Self {
        Self { file, base, source, bytes: None, blocks: vec![], discards: vec![], open: vec![] }
    }

    fn run(mut self) -> Result<Scan, Failure> {
        let mut tokenizer = Tokenizer::new(self.source, "", false, minijinja::syntax::SyntaxConfig::default());
        let mut tag: Vec<(Token<'_>, Range<usize>)> = Vec::new();
        let mut start = None;
        let mut in_variable = false;
        while let Some((token, span)) = tokenizer.next_token().map_err(Failure::Token)? {
            let place = span.start_offset as usize..span.end_offset as usize;
            match token {
                Token::VariableStart => {
                    in_variable = true;
                    tag.clear();
                }
                Token::VariableEnd => {
                    in_variable = false;
                    self.check_chain(&tag).map_err(|found| Failure::Found(Box::new(found)))?;
                    self.tuple_subscripts(&tag);
                    self.unary_pluses(&tag);
                    self.bare_tuple(&tag);
                }
                Token::BlockStart => {
                    start = Some(place.start);
                    tag.clear();
                }
                Token::BlockEnd => {
                    if let Some(from) = start.take() {
                        self.block_tag(&tag, from..place.end).map_err(|found| Failure::Found(Box::new(found)))?;
                    }
                }
                token if in_variable || start.is_some() => tag.push((token, place)),
                _ => {}
            }
        }
        if let Some(from) = start {
            return Err(Failure::Found(Box::new(self.unended_tag(from))));
        }
        if let Some(open) = self.open.last() {
            return Err(Failure::Found(Box::new(self.unclosed(open))));
        }
        let masked = self.bytes.map(String::from_utf8).transpose().map_err(|_| {
            Failure::Token(minijinja::Error::new(minijinja::ErrorKind::SyntaxError, "a tag could not be rewritten"))
        })?;
        Ok(Scan { masked, blocks: self.blocks, discards: self.discards })
    }

    fn span(&self, place: Range<usize>) -> Span {
        Span::new(self.file, self.base + place.start..self.base + place.end)
    }

    /// A tag whose `%}` the tokenizer did not see, most often because a bracket before it is still open.
    fn unended_tag(&self, from: usize) -> Diagnostic {
        let line = self.source[from..].find('\n').map_or(self.source.len(), |at| from + at);
        Diagnostic::error(Code::JinjaSyntax, "this tag never ends")
            .at(self.span(from..line), "no `%}` ends it")
            .help("look for a bracket or a quote that is not closed")
    }

    fn unclosed(&self, open: &Open) -> Diagnostic {
        let keyword = &open.keyword;
        Diagnostic::error(Code::JinjaSyntax, format!("`{{% {keyword} %}}` is never closed"))
            .at(self.span(open.tag.clone()), "opened here")
            .help(format!("add `{{% end{keyword} %}}` where the block ends"))
    }

    fn block_tag(&mut self, tag: &Tag<'_>, whole: Range<usize>) -> Result<(), Diagnostic> {
        // Jinja2 takes `{% if x: %}`; minijinja does not.
        if let Some((Token::Colon, place)) = tag.last() {
            self.blank(place.clone());
        }
        self.tuple_subscripts(tag);
        self.unary_pluses(tag);
        self.check_chain(tag)?;
        self.check_nesting(&whole)?;
        let Some((Token::Ident(keyword), place)) = tag.first() else { return Ok(()) };
        let (keyword, place) = (*keyword, place.clone());
        if let Some(opener) = keyword.strip_prefix("end") {
            return self.end_tag(opener, place, tag, whole);
        }
        match keyword {
            "macro" => self.callable(BlockKind::Macro, tag, whole),
            "test" | "data_test" => {
                self.rewrite_keyword(&place, &whole, "macro")?;
                self.callable(BlockKind::Test, tag, whole)
            }
            "materialization" => self.materialization(tag, whole),
            "snapshot" => self.snapshot(tag, whole),
            "elif" => {
                self.open.iter_mut().next_back().into_iter().for_each(|open| open.branches += 1);
                Ok(())
            }
            "do" => {
                self.do_tag(tag, &whole);
                Ok(())
            }
            "import" if !names_import(tag) => Err(Diagnostic::error(Code::JinjaSyntax, "this import has no name")
                .at(self.span(whole), "`as` and a name must stand last")),
            "set" if tag.iter().any(|(token, _)| matches!(token, Token::Assign)) && !is_set_block(tag) => Ok(()),
            "if" | "for" | "with" | "set" | "filter" | "call" | "autoescape" | "block" => {
                self.open.push(Open { keyword: keyword.to_owned(), tag: whole, block: None, branches: 0 });
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The compiler goes into an expression as deep as its operators, filters and attributes follow each other.
    fn check_chain(&self, tag: &Tag<'_>) -> Result<(), Diagnostic> {
        match too_long_chain(tag, LONGEST_CHAIN) {
            Some(place) => Err(Diagnostic::error(
                Code::JinjaSyntax,
                format!("this expression has more than {LONGEST_CHAIN} operators, filters or attributes in a row"),
            )
            .at(self.span(place.clone()), "too many up to here")
            .help("split it with `{% set %}`")),
            None => Ok(()),
        }
    }

    fn check_nesting(&mut self, whole: &Range<usize>) -> Result<(), Diagnostic> {
        let (depth, branches) = (self.open.len(), self.open.last().map_or(0, |open| open.branches));
        if depth > DEEPEST_BLOCK || branches > LONGEST_CHAIN {
            let what = if depth > DEEPEST_BLOCK { "blocks inside of each other" } else { "branches of an `{% if %}`" };
            let most = if depth > DEEPEST_BLOCK { DEEPEST_BLOCK } else { LONGEST_CHAIN };
            return Err(Diagnostic::error(Code::JinjaSyntax, format!("there are more than {most} {what}"))
                .at(self.span(whole.clone()), "too many here"));
        }
        Ok(())
    }

    /// `{% macro x(…) %}` and `{% test x(…) %}`: only types of parameters need masking.
    fn callable(&mut self, kind: BlockKind, tag: &Tag<'_>, whole: Range<usize>) -> Result<(), Diagnostic> {
        self.parameter_types(tag);
        let name = self.block_name(tag, &whole)?.0;
        self.open_block(kind, name, tag, whole);
        Ok(())
    }

    fn block_name<'t>(&self, tag: &Tag<'t>, whole: &Range<usize>) -> Result<(&'t str, Range<usize>), Diagnostic> {
        match tag.get(1) {
            Some((Token::Ident(name), place)) => Ok((name, place.clone())),
            _ => Err(Diagnostic::error(Code::JinjaSyntax, "this block has no name")
                .at(self.span(whole.clone()), "a name must follow the first word")),
        }
    }

    fn open_block(&mut self, kind: BlockKind, name: &str, tag: &Tag<'_>, whole: Range<usize>) {
        let keyword = tag.first().map_or("", |(token, _)| if let Token::Ident(word) = token { word } else { "" });
        let block = Some(self.blocks.len());
        self.open.push(Open { keyword: keyword.to_owned(), tag: whole.clone(), block, branches: 0 });
        self.blocks.push(Block {
            kind,
            name: name.to_owned(),
            adapter: None,
            languages: vec![],
            whole: whole.clone(),
            body: whole.end..whole.end,
            tag: whole,
        });
    }

    /// `{% materialization n, adapter='a', supported_languages=['sql'] %}` becomes `{% macro n()   %}`.
    fn materialization(&mut self, tag: &Tag<'_>, whole: Range<usize>) -> Result<(), Diagnostic> {
        let name = self.block_name(tag, &whole)?.0;
        let (mut adapter, mut languages) = (None, vec![]);
        for (at, (token, place)) in tag.iter().enumerate().skip(2) {
            let follows_assign = matches!(tag.get(at + 1), Some((Token::Assign, _)));
            match token {
                Token::Ident("adapter") if follows_assign => {
                    adapter = tag.get(at + 2).and_then(|(token, _)| string(token));
                }
                Token::Ident("default") => {}
                Token::Ident("supported_languages") if follows_assign => {
                    let items = tag[at + 2..].iter().take_while(|(token, _)| !matches!(token, Token::BracketClose));
                    languages = items.filter_map(|(token, _)| string(token)).collect();
                }
                Token::Ident(word) if follows_assign => {
                    return Err(Diagnostic::error(
                        Code::JinjaSyntax,
                        format!("a materialization has no option `{word}`"),
                    )
                    .at(self.span(place.clone()), "not known")
                    .help("`adapter` and `supported_languages` can be given"));
                }
                _ => {}
            }
        }
        self.replace_header(tag, &format!("macro {name}()"));
        self.open_block(BlockKind::Materialization, name, tag, whole);
        if let Some(block) = self.blocks.last_mut() {
            block.adapter = adapter;
            block.languages = languages;
        }
        Ok(())
    }

    fn snapshot(&mut self, tag: &Tag<'_>, whole: Range<usize>) -> Result<(), Diagnostic> {
        let name = self.block_name(tag, &whole)?.0;
        self.replace_header(tag, &format!("macro {name}()"));
        self.open_block(BlockKind::Snapshot, name, tag, whole);
        Ok(())
    }

    /// Writes `text` over all tokens of a tag; what is left of them becomes spaces.
    fn replace_header(&mut self, tag: &Tag<'_>, text: &str) {
        if let (Some((_, first)), Some((_, last))) = (tag.first(), tag.last()) {
            self.blank(first.start..last.end);
            self.put(first.start, text);
        }
    }

    /// Replaces the first word of a tag, which may be shorter than the new one if a space stands before or after it.
    fn rewrite_keyword(&mut self, place: &Range<usize>, whole: &Range<usize>, word: &str) -> Result<(), Diagnostic> {
        let missing = word.len().saturating_sub(place.len());
        let space = |at: usize| self.source.as_bytes().get(at).is_some_and(u8::is_ascii_whitespace);
        let mut start = place.start;
        for _ in 0..missing {
            if space(start - 1) {
                start -= 1;
            }
        }
        let after = missing - (place.start - start);
        // One space must stay between the word and what follows, unless the tag ends there.
        let room = (place.end..whole.end).take_while(|at| space(*at)).count();
        let needed = if self.source[place.end + room..].starts_with(['%', '-', '+']) { after } else { after + 1 };
        if after > 0 && room < needed {
            return Err(Diagnostic::error(Code::JinjaSyntax, "this tag is written too tightly")
                .at(self.span(whole.clone()), "no space before its first word")
                .help("write a space after `{%`"));
        }
        self.blank(start..place.end);
        self.put(start, word);
        Ok(())
    }

    fn end_tag(
        &mut self,
        opener: &str,
        place: Range<usize>,
        tag: &Tag<'_>,
        whole: Range<usize>,
    ) -> Result<(), Diagnostic> {
        let Some(open) = self.open.pop() else {
            return Err(Diagnostic::error(Code::JinjaSyntax, format!("`{{% end{opener} %}}` closes nothing"))
                .at(self.span(whole), format!("no `{{% {opener} %}}` is open here")));
        };
        if open.keyword != opener && !(is_test(&open.keyword) && is_test(opener)) {
            return Err(Diagnostic::error(
                Code::JinjaSyntax,
                format!("`{{% end{opener} %}}` stands where `{{% end{} %}}` is expected", open.keyword),
            )
            .at(self.span(whole), "this end tag does not fit")
            .at(self.span(open.tag), "the block that is open")
            .help(format!("close `{{% {} %}}` first", open.keyword)));
        }
        let Some(index) = open.block else { return Ok(()) };
        if opener != "macro" {
            self.rewrite_keyword(&place, &whole, "endmacro")?;
        }
        // dbt tolerates the block's name after the end word.
        if let (Some((_, first)), Some((_, last))) = (tag.get(1), tag.last()) {
            self.blank(first.start..last.end);
        }
        let block = &mut self.blocks[index];
        block.body.end = whole.start;
        block.whole.end = whole.end;
        Ok(())
    }

    /// minijinja takes only calls in `{% do %}`: everything else becomes `{{ … }}` whose value is dropped.
    fn do_tag(&mut self, tag: &Tag<'_>, whole: &Range<usize>) {
        let Some(((_, word), rest)) = tag.split_first() else { return };
        if rest.is_empty() || is_call(rest) {
            return;
        }
        self.put(whole.start, "{{");
        self.blank(word.clone());
        self.put(whole.end - 2, "}}");
        self.discards.push(u32::try_from(rest[0].1.start).unwrap_or(u32::MAX));
    }

    /// `(a: str, b: list[str] = none)` loses its types.
    fn parameter_types(&mut self, tag: &Tag<'_>) {
        let mut depth = 0;
        let mut at = 2;
        while at < tag.len() {
            match tag[at].0 {
                Token::ParenOpen | Token::BracketOpen | Token::BraceOpen => depth += 1,
                Token::ParenClose | Token::BracketClose | Token::BraceClose => depth -= 1,
                Token::Colon
                    if depth == 1
                        && matches!(tag[at - 1].0, Token::Ident(_))
                        && matches!(tag[at - 2].0, Token::ParenOpen | Token::Comma) =>
                {
                    let end = end_of_type(tag, at + 1);
                    self.blank(tag[at].1.start..tag[end - 1].1.end);
                    at = end;
                    continue;
                }
                _ => {}
            }
            at += 1;
        }
    }

    /// `validation.any['a', 'b']` becomes `validation.any('a', 'b')`: minijinja has no tuple subscripts.
    fn tuple_subscripts(&mut self, tag: &Tag<'_>) {
        let mut open: Vec<(Option<usize>, bool)> = Vec::new();
        for (at, (token, place)) in tag.iter().enumerate() {
            match token {
                Token::ParenOpen | Token::BraceOpen => open.push((None, false)),
                Token::BracketOpen => {
                    let subscript = at > 0 && ends_operand(&tag[at - 1].0);
                    open.push((subscript.then_some(place.start), false));
                }
                Token::Comma => {
                    if let Some(inner) = open.last_mut() {
                        inner.1 = true;
                    }
                }
                Token::ParenClose | Token::BraceClose => {
                    open.pop();
                }
                Token::BracketClose => {
                    if let Some((Some(start), true)) = open.pop() {
                        self.put(start, "(");
                        self.put(place.start, ")");
                    }
                }
                _ => {}
            }
        }
    }

    /// `{{ 1, 2 }}` gets the parentheses that minijinja asks for, where white space leaves room for them.
    fn bare_tuple(&mut self, tag: &Tag<'_>) {
        let mut depth = 0;
        let is_tuple = tag.iter().any(|(token, _)| {
            match token {
                Token::ParenOpen | Token::BracketOpen | Token::BraceOpen => depth += 1,
                Token::ParenClose | Token::BracketClose | Token::BraceClose => depth -= 1,
                _ => {}
            }
            depth == 0 && matches!(token, Token::Comma)
        });
        let (Some((_, first)), Some((_, last))) = (tag.first(), tag.last()) else { return };
        let is_room = |at: usize| matches!(self.source.as_bytes().get(at), Some(b' ' | b'\t'));
        if is_tuple && is_room(first.start - 1) && is_room(last.end) {
            let (open, close) = (first.start - 1, last.end);
            self.put(open, "(");
            self.put(close, ")");
        }
    }

    /// `+1` loses its sign, which minijinja does not know.
    fn unary_pluses(&mut self, tag: &Tag<'_>) {
        for (at, (token, place)) in tag.iter().enumerate() {
            let follows_operand = at > 0 && (ends_operand(&tag[at - 1].0) || is_constant(&tag[at - 1].0));
            if matches!(token, Token::Plus) && !follows_operand {
                self.blank(place.clone());
            }
        }
    }

    fn put(&mut self, at: usize, text: &str) {
        let bytes = self.bytes.get_or_insert_with(|| self.source.as_bytes().to_vec());
        bytes[at..at + text.len()].copy_from_slice(text.as_bytes());
    }

    fn blank(&mut self, place: Range<usize>) {
        let bytes = self.bytes.get_or_insert_with(|| self.source.as_bytes().to_vec());
        for byte in &mut bytes[place] {
            if *byte != b'\n' && *byte != b'\r' {
                *byte = b' ';
            }
        }
    }
}
