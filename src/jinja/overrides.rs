//! What a unit test has macros answer in place of what they do.

use super::from_json;
use super::registry::{Namespace, PackageNamespace, definition_of};
use super::render_context::RenderContext;
use crate::manifest::ConfigMap;
use minijinja::value::{Object, ObjectRepr, Value};
use minijinja::{Error, State};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// The package whose macros have no need of its name.
const BUILT_IN: &str = "dbt";

/// A macro that gives the same whatever it is asked.
struct Constant(Value);

impl fmt::Debug for Constant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("<overridden macro>")
    }
}

impl Object for Constant {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, _state: &mut State, _args: &[Value]) -> Result<Value, Error> {
        Ok(self.0.clone())
    }
}

/// Package and name of an override: `dbt_utils.star` means that of the package, `star` what a template sees.
fn parts(name: &str) -> (Option<&str>, &str) {
    match name.split_once('.') {
        Some((package, own)) if !own.contains('.') => (Some(package), own),
        _ => (None, name.rsplit('.').next().unwrap_or(name)),
    }
}

impl RenderContext {
    /// Whether a template sees something of this name that can answer otherwise.
    pub fn can_override(&self, name: &str) -> bool {
        match parts(name) {
            (Some(package), own) => self.macro_of(package, own).is_some(),
            (None, own) => self.find(own).is_some(),
        }
    }

    /// The macro of a package as templates see it.
    fn macro_of(&self, package: &str, name: &str) -> Option<Value> {
        let space = self.find(package)?;
        space.downcast_object_ref::<PackageNamespace>()?.macros.get(name).cloned()
    }

    /// The names that mean something else with these overrides. As in dbt, a macro of dbt's own is overridden with
    /// its package's name and without it, and names that there are not are passed over.
    pub(super) fn overridden(&self, overrides: &ConfigMap) -> Namespace {
        let mut names = Namespace::default();
        let mut of_packages: BTreeMap<&str, Vec<(&str, Value)>> = BTreeMap::new();
        let instead = |former: &Value, given: Value| match definition_of(former) {
            Some(_) => Value::from_object(Constant(given)),
            None => given,
        };
        let mut plain = Vec::new();
        for (name, given) in overrides {
            match parts(name) {
                (Some(package), own) => {
                    let Some(former) = self.macro_of(package, own) else { continue };
                    let value = instead(&former, from_json(given));
                    of_packages.entry(package).or_default().push((own, value.clone()));
                    if package == BUILT_IN {
                        names.insert(own.into(), value);
                    }
                }
                (None, own) => plain.push((own, given)),
            }
        }
        // A plain name counts more than the same one with its package.
        for (own, given) in plain {
            let Some(former) = self.find(own) else { continue };
            let value = instead(&former, from_json(given));
            if self.macro_of(BUILT_IN, own).is_some() {
                of_packages.entry(BUILT_IN).or_default().push((own, value.clone()));
            }
            names.insert(own.into(), value);
        }
        for (package, values) in of_packages {
            let Some(space) = self.find(package) else { continue };
            if let Some(space) = space.downcast_object_ref::<PackageNamespace>() {
                names.insert(package.into(), Value::from_object(space.with(values)));
            }
        }
        names
    }
}

impl PackageNamespace {
    /// The same with other values for some names.
    fn with(&self, values: Vec<(&str, Value)>) -> Self {
        let mut macros = (*self.macros).clone();
        macros.extend(values.into_iter().map(|(name, value)| (name.into(), value)));
        Self { name: self.name.clone(), macros: Arc::new(macros) }
    }
}
