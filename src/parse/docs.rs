//! What properties files say of columns and of the whole: descriptions, with `{{ doc('…') }}` filled in, and
//! constraints.

use super::constraints;
use super::host::{ParseHost, Surroundings};
use crate::diagnostic::{Diagnostics, SourceFile, Span};
use crate::jinja::{Engine, RenderContext, Template};
use crate::manifest::{Column, Constraint};
use crate::project::properties::{ColumnProperties, ConstraintProperties};
use crate::template::has_jinja;
use indexmap::IndexMap;
use std::sync::Arc;

/// Renders the descriptions of a package.
pub struct Descriptions<'a> {
    engine: &'a Arc<Engine>,
    surroundings: &'a Arc<Surroundings>,
    package: &'a str,
}

impl<'a> Descriptions<'a> {
    pub(super) fn new(engine: &'a Arc<Engine>, surroundings: &'a Arc<Surroundings>, package: &'a str) -> Self {
        Self { engine, surroundings, package }
    }

    /// A description, rendered; what is wrong is shown at `span`.
    pub(super) fn text(&self, text: &str, span: &Span, found: &mut Diagnostics) -> String {
        if !has_jinja(text) {
            return text.to_owned();
        }
        let render = || {
            let template = Template::whole(&SourceFile::new(span.file().path(), text))?;
            let host = ParseHost::new(self.surroundings, self.package, None);
            let context = RenderContext::new(self.engine, self.package, vec![], host);
            self.engine.render(&template, &context)
        };
        match render() {
            Ok(rendered) => rendered.text,
            Err(error) => {
                found.push(error.within("in the description of what stands here", Some(span.clone())));
                text.to_owned()
            }
        }
    }

    /// Declared constraints as a manifest holds them.
    pub(super) fn constraints(&self, declared: &[ConstraintProperties], found: &mut Diagnostics) -> Vec<Constraint> {
        constraints::read(self.engine, self.surroundings, self.package, declared, found)
    }

    /// Declared columns as a manifest holds them.
    pub(super) fn columns(
        &self,
        columns: &[ColumnProperties],
        span: &Span,
        found: &mut Diagnostics,
    ) -> IndexMap<String, Column> {
        let mut column = |column: &ColumnProperties| {
            let rendered = Column {
                name: column.name.clone(),
                description: self.text(&column.description, span, found),
                data_type: column.data_type.clone(),
                meta: column.meta.clone(),
                tags: column.tags.clone(),
                quote: column.quote,
                constraints: self.constraints(&column.constraints, found),
            };
            (column.name.clone(), rendered)
        };
        columns.iter().map(&mut column).collect()
    }
}
