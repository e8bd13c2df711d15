//! Macros that are called by their name from the command line.

use super::{Compiler, NodeHost, Surroundings};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Result, nearest};
use crate::jinja::{MacroDefinition, RenderContext, Value, context, from_json};
use serde_json::{Map, Value as Json};
use std::sync::Arc;

impl Compiler {
    /// The macro that a name means on the command line: `package.name`, or a name of the root project, of any package,
    /// of strata's own, in this order.
    pub fn find_operation(&self, name: &str) -> Result<Arc<MacroDefinition>, Diagnostic> {
        let registry = self.engine.registry();
        registry.find_anywhere(name).ok_or_else(|| {
            let (package, own_name) =
                name.split_once('.').map_or((None, name), |(package, rest)| (Some(package), rest));
            let message = match package {
                Some(package) if !registry.has_package(package) => format!("there is no package `{package}`"),
                Some(package) => format!("the package `{package}` has no macro `{own_name}`"),
                None => format!("there is no macro `{name}`"),
            };
            let known = registry.macros().filter(|known| package.is_none_or(|package| known.package == package));
            let near = nearest(own_name, known.map(|known| known.name.as_str()));
            let elsewhere = registry.macros().find(|known| known.name == own_name);
            let found = Diagnostic::error(Code::UnknownMacro, message);
            match (near, elsewhere, package) {
                (_, Some(other), Some(_)) => found.help(format!("did you mean `{}.{own_name}`?", other.package)),
                (Some(near), _, Some(package)) => found.help(format!("did you mean `{package}.{near}`?")),
                (Some(near), ..) => found.help(format!("did you mean `{near}`?")),
                _ => found.help(
                    "macros are those of the project, its packages and strata; a package's name goes before a dot",
                ),
            }
        })
    }

    /// Calls a macro with keyword arguments, as a node of the package that `name` names, else of the root project.
    pub fn call_operation(
        &self,
        definition: &Arc<MacroDefinition>,
        arguments: &Map<String, Json>,
        package: Option<&str>,
        surroundings: &Surroundings,
    ) -> Result<()> {
        let host = Arc::new(NodeHost::new(self, None, surroundings));
        let own = match self.manifest.macros.get(&definition.unique_id) {
            Some(entry) => vec![("model", context::macro_value(entry))],
            None => vec![],
        };
        let package = package.unwrap_or_else(|| self.project.name());
        let mut values = self.own_values(None, None, surroundings, own);
        // There is no relation that an operation builds.
        values.retain(|(name, _)| *name != "this");
        let context = RenderContext::new(&self.engine, package, values, host);
        let arguments: Vec<(&str, Value)> =
            arguments.iter().map(|(name, value)| (name.as_str(), from_json(value))).collect();
        let called = self.engine.call_macro(definition, &[], &arguments, &context);
        called.map(|_| ()).map_err(|found| {
            // Where the call itself is wrong, nothing of the template is.
            let found = if found.labels().is_empty() && found.trace().is_empty() {
                found.at(definition.tag.clone(), "it takes these arguments")
            } else {
                found
            };
            Diagnostics::from(found)
        })
    }
}
