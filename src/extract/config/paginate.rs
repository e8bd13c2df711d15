//! `paginate:`: how the pages of a table follow each other.

use super::super::document::Path;
use super::rest::path_of;
use super::unknown_word;
use crate::diagnostic::{Code, Diagnostic};
use crate::project::yaml::Reader;

/// How the pages of a table follow each other.
#[derive(Debug, Clone, PartialEq)]
pub enum Paginate {
    /// One page is all.
    None,
    /// A parameter counts pages.
    Page {
        /// The parameter.
        param: String,
        /// The number of the first page.
        start: u64,
        /// Parameter and value of the page's size.
        size: Option<(String, u64)>,
        /// Where the answer says whether there is more.
        more: Option<Path>,
        /// Where the answer says how many rows there are in all.
        total: Option<Total>,
    },
    /// A parameter counts rows that are skipped.
    Offset {
        /// The parameter.
        param: String,
        /// Parameter and value of the most rows of a page.
        limit: Option<(String, u64)>,
        /// Where the answer says whether there is more.
        more: Option<Path>,
        /// Where the answer says how many rows there are in all.
        total: Option<Total>,
    },
    /// The answer has a mark from which the next page goes on.
    Cursor {
        /// The parameter that takes the mark.
        param: String,
        /// Where the answer has the mark; none or an empty one ends the walk.
        cursor: Path,
        /// Where the answer says whether there is more, if the last page has a mark too.
        more: Option<Path>,
    },
    /// The answer has the URL of the next page.
    NextLink(Path),
    /// The `Link` header has the URL of the next page (`rel="next"`).
    LinkHeader,
}

/// Where an answer says how many rows there are in all.
#[derive(Debug, Clone, PartialEq)]
pub struct Total {
    /// The place.
    pub path: Path,
    /// Whether it was named by people: then it also decides where a walk ends, and rows are counted against it.
    pub is_given: bool,
}

impl Paginate {
    /// Whether the rows of a page depend on what stands before them: rows that come or go while a walk is under
    /// way then shift others from one page to the next.
    pub fn counts(&self) -> bool {
        matches!(self, Self::Page { .. } | Self::Offset { .. })
    }
}

const TYPES: [&str; 6] = ["none", "page", "offset", "cursor", "next_link", "link_header"];

pub(super) fn read(mut reader: Reader<'_>) -> Option<Paginate> {
    let (kind, place) = reader.required_text("type")?;
    let paginate = match kind.as_str() {
        "none" => Some(Paginate::None),
        "page" => read_page(&mut reader),
        "offset" => read_offset(&mut reader),
        "cursor" => {
            let param = reader.required_text("param").map(|(param, _)| param);
            let cursor = required_path(&mut reader, "cursor");
            let more = path_of(&mut reader, "more");
            param.zip(cursor).map(|(param, cursor)| Paginate::Cursor { param, cursor, more })
        }
        "next_link" => required_path(&mut reader, "path").map(Paginate::NextLink),
        "link_header" => Some(Paginate::LinkHeader),
        _ => {
            reader.report(unknown_word("type of `paginate`", &kind, &TYPES, place));
            return None;
        }
    };
    reader.finish();
    paginate
}

fn read_page(reader: &mut Reader<'_>) -> Option<Paginate> {
    let param = reader.required_text("param").map(|(param, _)| param);
    let start = reader.count("start").unwrap_or(1);
    let size_param = reader.text("size_param");
    let size = positive(reader, "size");
    if size_param.is_some() != size.is_some() {
        reader.report(
            Diagnostic::error(Code::YamlValue, "`size_param` and `size` need each other")
                .at(reader.span().clone(), "only one is given here"),
        );
    }
    let (more, total) = (path_of(reader, "more"), total_of(reader));
    Some(Paginate::Page { param: param?, start, size: size_param.zip(size), more, total })
}

fn read_offset(reader: &mut Reader<'_>) -> Option<Paginate> {
    let param = reader.required_text("param").map(|(param, _)| param);
    let limit_param = reader.text("limit_param");
    let limit = positive(reader, "limit");
    if limit_param.is_some() != limit.is_some() {
        reader.report(
            Diagnostic::error(Code::YamlValue, "`limit_param` and `limit` need each other")
                .at(reader.span().clone(), "only one is given here"),
        );
    }
    let (more, total) = (path_of(reader, "more"), total_of(reader));
    Some(Paginate::Offset { param: param?, limit: limit_param.zip(limit), more, total })
}

/// Where the answer has its total. Without being told strata looks at `$.total`: where that is a number, it is
/// what shows that rows moved. `total: none` says that it means something else.
fn total_of(reader: &mut Reader<'_>) -> Option<Total> {
    match reader.placed_text("total") {
        None => Path::parse("$.total").ok().map(|path| Total { path, is_given: false }),
        Some((word, _)) if word == "none" => None,
        Some(_) => path_of(reader, "total").map(|path| Total { path, is_given: true }),
    }
}

fn positive(reader: &mut Reader<'_>, key: &'static str) -> Option<u64> {
    let number = reader.count(key)?;
    if number == 0 {
        reader.report(
            Diagnostic::error(Code::YamlValue, format!("`{key}` must be at least 1"))
                .at(reader.span().clone(), "in this paginator"),
        );
        return None;
    }
    Some(number)
}

fn required_path(reader: &mut Reader<'_>, key: &'static str) -> Option<Path> {
    reader.required_text(key)?;
    path_of(reader, key)
}
