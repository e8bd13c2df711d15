//! dbt's Jinja on upstream minijinja.
//!
//! A file is scanned (dbt's tags become macros at the same length), its macros are registered, and an
//! [`Engine`] renders [`Template`]s and calls macros for a [`RenderContext`]: one node in one phase, with a
//! [`host::Host`] that answers `ref`, `source` and the rest. Values that templates see are Python's as far as
//! templates can tell: see [`value`].
//!
//! How it works inside: `scan` (with `tokens`) rewrites tags, `body` (with `marks` and `statements`) compiles what lies
//! between them with minijinja's own code generator, `patch` changes instructions one for one, `runtime` runs them, and
//! `memo` keeps what need not run again. Only these, with `calls`, `forward` and `definition` that read the syntax tree,
//! know minijinja's machinery.

mod binding;
mod body;
mod bound;
mod budget;
mod calls;
mod comparison;
pub mod context;
mod definition;
mod dict;
mod engine;
mod environment;
mod error;
mod filters;
mod formatting;
mod forward;
pub mod host;
mod json;
mod list;
mod literal;
pub mod modules;
mod marks;
mod memo;
mod native;
mod operators;
mod overrides;
mod patch;
mod print;
mod range;
mod registry;
mod render_context;
mod runtime;
mod scan;
mod statements;
mod strings;
mod tokens;
#[cfg(test)]
mod tests;
mod trace;
pub mod value;

pub use definition::{DocsBlock, FileBlocks, MacroDefinition, SnapshotBlock, scan_docs, scan_macro_file};
pub use engine::{Engine, RenderMap, Rendered, Template};
pub use error::{diagnostic_error, host_error};
pub use json::{from_json, json_text, to_json};
pub use minijinja::value::Value;
pub use native::{Arguments, native};
pub use registry::{PackageKind, Registry, RegistryBuilder, definition_of};
pub use render_context::RenderContext;
pub use runtime::current;
pub use scan::BlockKind;
pub use trace::{TracedPart, TracedPlace, without_marks};
