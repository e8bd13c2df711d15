//! All macros of a project, and dbt's rules for which one a name means.

use super::definition::MacroDefinition;
use super::error::unknown_macro;
use super::runtime::MacroValue;
use super::scan::BlockKind;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, nearest};
use indexmap::IndexMap;
use minijinja::value::{Enumerator, Object, ObjectRepr, Value};
use minijinja::{Error, ErrorKind, State};
use rustc_hash::{FxBuildHasher, FxHashMap};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// What a package is to a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PackageKind {
    /// Built into strata: `dbt`, `dbt_duckdb`, `dbt_snowflake`, `strata`. Its macros are visible everywhere, and
    /// together they are what `dbt.` means.
    Internal,
    /// The root project or a package that it installed.
    Project,
}

/// The prefix of the variants that serve every adapter.
const DEFAULT_VARIANT: &str = "default";

/// The names that a package's nodes see: macros by name, packages by name.
pub(super) type Namespace = FxHashMap<Box<str>, Value>;

/// Gathers packages and macros; [`RegistryBuilder::build`] makes the [`Registry`].
#[derive(Debug, Default)]
pub struct RegistryBuilder {
    packages: IndexMap<String, Package, FxBuildHasher>,
}

#[derive(Debug)]
struct Package {
    kind: PackageKind,
    macros: IndexMap<String, Arc<MacroDefinition>>,
    duplicates: Vec<(Arc<MacroDefinition>, Arc<MacroDefinition>)>,
}

impl RegistryBuilder {
    /// No package yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a package. Of internal packages, one that was added earlier comes before a later one: add the
    /// adapter's (`dbt_duckdb`) before `dbt`.
    pub fn add_package(&mut self, name: &str, kind: PackageKind) {
        self.packages.entry(name.to_owned()).or_insert_with(|| Package::new(kind));
    }

    /// Adds a macro to its package; a package that was not announced counts as a project's.
    pub fn add(&mut self, definition: MacroDefinition) {
        let package =
            self.packages.entry(definition.package.clone()).or_insert_with(|| Package::new(PackageKind::Project));
        let definition = Arc::new(definition);
        if let Some(first) = package.macros.get(&definition.name) {
            package.duplicates.push((Arc::clone(first), definition));
        } else {
            package.macros.insert(definition.name.clone(), definition);
        }
    }

    /// The registry for a root project and an adapter type. `dispatch` is the project's `dispatch:` config: the
    /// packages to search for a macro namespace. Two macros of one name in one package are errors.
    pub fn build(
        self,
        root: &str,
        adapter_type: &str,
        dispatch: HashMap<String, Vec<String>>,
    ) -> Result<Registry, Diagnostics> {
        let duplicates: Diagnostics =
            self.packages.values().flat_map(|package| &package.duplicates).map(duplicate).collect();
        if !duplicates.is_empty() {
            return Err(duplicates);
        }
        let value = |definition: &Arc<MacroDefinition>| Value::from_object(MacroValue(Arc::clone(definition)));
        let values = |package: &Package| -> Namespace {
            package.macros.iter().map(|(name, definition)| (name.as_str().into(), value(definition))).collect()
        };
        let mut internal = Namespace::default();
        for package in self.packages.values().rev().filter(|package| package.kind == PackageKind::Internal) {
            internal.extend(values(package));
        }
        let internal = Arc::new(internal);
        let mut spaces = BTreeMap::new();
        for (name, package) in &self.packages {
            let space = if name == "dbt" { Arc::clone(&internal) } else { Arc::new(values(package)) };
            spaces.insert(name.clone(), space);
        }
        spaces.entry("dbt".to_owned()).or_insert_with(|| Arc::clone(&internal));
        Ok(Registry {
            variants: variants(&spaces, adapter_type),
            root: root.to_owned(),
            adapter_type: adapter_type.to_owned(),
            dispatch: dispatch.into_iter().collect(),
            packages: self.packages,
            internal,
            spaces,
            flattened: Mutex::default(),
        })
    }
}

impl Package {
    fn new(kind: PackageKind) -> Self {
        Self { kind, macros: IndexMap::new(), duplicates: vec![] }
    }
}

/// A macro that `adapter.dispatch` can choose.
struct Variant {
    /// The package in which it is found.
    package: Box<str>,
    /// Whether it serves every adapter, and not this one alone.
    is_default: bool,
    value: Value,
}

/// All variants in these packages that serve an adapter.
fn variants(spaces: &BTreeMap<String, Arc<Namespace>>, adapter_type: &str) -> FxHashMap<Box<str>, Vec<Variant>> {
    let mut found: FxHashMap<Box<str>, Vec<Variant>> = FxHashMap::default();
    for (package, macros) in spaces {
        #[expect(clippy::iter_over_hash_type, reason = "a package has one variant of a name and a prefix")]
        for (full, value) in &**macros {
            for (prefix, is_default) in [(adapter_type, false), (DEFAULT_VARIANT, true)] {
                let name = full.strip_prefix(prefix).and_then(|rest| rest.strip_prefix("__"));
                if let Some(name) = name {
                    let variant = Variant { package: package.as_str().into(), is_default, value: value.clone() };
                    found.entry(name.into()).or_default().push(variant);
                }
            }
        }
    }
    found
}

fn duplicate((first, second): &(Arc<MacroDefinition>, Arc<MacroDefinition>)) -> Diagnostic {
    let what = match second.kind {
        BlockKind::Macro => "macros",
        BlockKind::Test => "generic tests",
        BlockKind::Materialization => "materializations",
        BlockKind::Snapshot => "snapshots",
    };
    let message = format!("the package `{}` has two {what} named `{}`", second.package, second.name);
    Diagnostic::error(Code::DuplicateName, message)
        .at(second.tag.clone(), "the second one")
        .at(first.tag.clone(), "the first one")
        .help("rename or remove one of them")
}

/// All macros of a project and its packages.
pub struct Registry {
    root: String,
    adapter_type: String,
    dispatch: FxHashMap<String, Vec<String>>,
    packages: IndexMap<String, Package, FxBuildHasher>,
    /// The macros of all internal packages, the first package's before the others'.
    internal: Arc<Namespace>,
    spaces: BTreeMap<String, Arc<Namespace>>,
    /// What `adapter.dispatch` can mean, by the name that it is given.
    variants: FxHashMap<Box<str>, Vec<Variant>>,
    flattened: Mutex<FxHashMap<String, Arc<Namespace>>>,
}

impl fmt::Debug for Registry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&String> = self.packages.keys().collect();
        formatter.debug_struct("Registry").field("root", &self.root).field("packages", &names).finish_non_exhaustive()
    }
}

impl Registry {
    /// The root project's name.
    pub fn root(&self) -> &str {
        &self.root
    }

    /// The adapter's type, prefix of dispatched macros.
    pub fn adapter_type(&self) -> &str {
        &self.adapter_type
    }

    /// Every macro, package by package in the order in which they were added.
    pub fn macros(&self) -> impl Iterator<Item = &Arc<MacroDefinition>> {
        self.packages.values().flat_map(|package| package.macros.values())
    }

    /// The macro of a package.
    pub fn get(&self, package: &str, name: &str) -> Option<&Arc<MacroDefinition>> {
        self.packages.get(package)?.macros.get(name)
    }

    /// The macro that a unique id means.
    pub fn by_id(&self, id: &str) -> Option<&Arc<MacroDefinition>> {
        let (package, name) = id.strip_prefix("macro.")?.split_once('.')?;
        self.get(package, name)
    }

    /// What a name means to a node of `package`: the package's own macro, the root project's, an internal one.
    /// A name with a dot (`dbt_utils.star`) means the macro of that package.
    pub fn find(&self, name: &str, package: &str) -> Option<Arc<MacroDefinition>> {
        if let Some((owner, name)) = name.split_once('.') {
            return definition_of(self.spaces.get(owner)?.get(name)?);
        }
        definition_of(self.namespace(package).get(name)?)
    }

    /// The macro that a name means where no node asks for it: `package.name`, or the root project's, a package's (the
    /// last one's, where several have it), an internal one.
    pub fn find_anywhere(&self, name: &str) -> Option<Arc<MacroDefinition>> {
        if let Some((owner, name)) = name.split_once('.') {
            return definition_of(self.spaces.get(owner)?.get(name)?);
        }
        let of_package = || {
            let mut installed = self.packages.values().rev().filter(|package| package.kind == PackageKind::Project);
            installed.find_map(|package| package.macros.get(name)).cloned()
        };
        let own = self.get(&self.root, name).cloned();
        own.or_else(of_package).or_else(|| definition_of(self.internal.get(name)?))
    }

    /// Whether a macro is one of the project or of an installed package, not a built-in one.
    pub fn is_of_project(&self, definition: &MacroDefinition) -> bool {
        self.packages.get(&definition.package).is_some_and(|package| package.kind == PackageKind::Project)
    }

    /// Whether there is a package of this name.
    pub fn has_package(&self, name: &str) -> bool {
        self.spaces.contains_key(name)
    }

    /// The materialization that `materialized='name'` means: an adapter's own before a default one, then the root
    /// project's before an internal one. One of an installed package counts only where nothing built-in has its
    /// name, as in dbt.
    pub fn find_materialization(&self, name: &str, adapter_type: &str) -> Option<Arc<MacroDefinition>> {
        let mut candidates: Vec<(usize, usize, &Arc<MacroDefinition>)> = Vec::new();
        for (specificity, adapter) in [adapter_type, "default"].into_iter().enumerate() {
            let full = format!("materialization_{name}_{adapter}");
            for (package_name, package) in &self.packages {
                let locality = match package.kind {
                    _ if *package_name == self.root => 0,
                    PackageKind::Project => 1,
                    PackageKind::Internal => 2,
                };
                if let Some(definition) = package.macros.get(&full) {
                    candidates.push((specificity, locality, definition));
                }
            }
        }
        let built_in = candidates.iter().any(|(_, locality, _)| *locality == 2);
        let allowed = candidates.iter().filter(|(_, locality, _)| !(built_in && *locality == 1));
        let best = allowed.min_by_key(|(specificity, locality, _)| (*specificity, *locality));
        best.map(|(_, _, definition)| Arc::clone(definition))
    }

    /// The names of all materializations that `find_materialization` finds, sorted, for "did you mean".
    pub fn materializations(&self, adapter_type: &str) -> Vec<&str> {
        let suffixes = [format!("_{adapter_type}"), "_default".to_owned()];
        let name = |definition: &'_ Arc<MacroDefinition>| -> Option<(usize, usize)> {
            let start = "materialization_".len();
            let end = suffixes.iter().find_map(|suffix| definition.name.strip_suffix(suffix.as_str()))?.len();
            (end > start).then_some((start, end))
        };
        let of_kind = self.macros().filter(|definition| definition.kind == BlockKind::Materialization);
        let mut names: Vec<&str> = of_kind
            .filter_map(|definition| name(definition).map(|(start, end)| &definition.name[start..end]))
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The macro of a generic test: `unique`, or with its package (`dbt_utils` of `dbt_utils.expression_is_true`),
    /// as seen by a node of `package`.
    pub fn find_test(&self, namespace: Option<&str>, name: &str, package: &str) -> Option<Arc<MacroDefinition>> {
        let full = format!("test_{name}");
        match namespace {
            Some(namespace) => definition_of(self.spaces.get(namespace)?.get(full.as_str())?),
            None => self.find(&full, package),
        }
    }

    /// The names of all generic tests, sorted, each once; those of packages with the package's name before.
    pub fn tests(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for (package_name, package) in &self.packages {
            let of_package = package.macros.values().filter(|definition| definition.kind == BlockKind::Test);
            for definition in of_package {
                let name = definition.name.trim_start_matches("test_");
                let plain = package.kind == PackageKind::Internal || *package_name == self.root;
                names.push(if plain { name.to_owned() } else { format!("{package_name}.{name}") });
            }
        }
        names.sort_unstable();
        names.dedup();
        names
    }

    /// What `adapter.dispatch(name, namespace)` means to a node of `package`, as templates call it: the adapter's
    /// variant before the default one, in every package of the search order.
    pub fn dispatch(&self, name: &str, namespace: Option<&str>, package: &str) -> Result<Value, Error> {
        self.find_dispatched(name, namespace, package).ok_or_else(|| self.not_dispatched(name, namespace))
    }

    /// The same, where it is no error if there is none.
    pub fn find_dispatched(&self, name: &str, namespace: Option<&str>, package: &str) -> Option<Value> {
        self.search_order(namespace).find_map(|owner| match owner {
            None => {
                let names = self.namespace(package);
                let variant = |prefix: &str| names.get(format!("{prefix}__{name}").as_str()).cloned();
                [self.adapter_type.as_str(), DEFAULT_VARIANT].into_iter().find_map(variant)
            }
            Some(owner) => {
                let of_owner = self.variants.get(name)?.iter().filter(|variant| *variant.package == *owner);
                of_owner.min_by_key(|variant| variant.is_default).map(|variant| variant.value.clone())
            }
        })
    }

    /// The packages in which the variants of a namespace's macros are looked for; `None` is what a node sees without
    /// naming a package.
    fn search_order<'a>(&'a self, namespace: Option<&'a str>) -> impl Iterator<Item = Option<&'a str>> {
        let configured = namespace.and_then(|namespace| self.dispatch.get(namespace));
        let usual = match namespace {
            Some(namespace) if self.is_dependency(namespace) => [Some(Some(self.root.as_str())), Some(Some(namespace))],
            _ => [Some(None), None],
        };
        let usual = usual.into_iter().flatten().take(if configured.is_some() { 0 } else { 2 });
        configured.into_iter().flatten().map(|package| Some(package.as_str())).chain(usual)
    }

    fn not_dispatched(&self, name: &str, namespace: Option<&str>) -> Error {
        if let Some((owner, rest)) = name.split_once('.') {
            return unknown_macro(
                format!("`adapter.dispatch` takes a macro's name without its package, not `{name}`"),
                Some(format!("write `adapter.dispatch('{rest}', '{owner}')`")),
            );
        }
        let order: Vec<Option<&str>> = self.search_order(namespace).collect();
        let mut attempts = Vec::new();
        for owner in &order {
            for prefix in [self.adapter_type.as_str(), DEFAULT_VARIANT] {
                let attempt = match owner {
                    None => format!("`{prefix}__{name}`"),
                    Some(owner) => format!("`{owner}.{prefix}__{name}`"),
                };
                if !attempts.contains(&attempt) {
                    attempts.push(attempt);
                }
            }
        }
        let tried = attempts.join(", ");
        let help = match self.nearest_dispatched(name, &order) {
            Some(near) => format!("did you mean `{near}`? none of {tried} is there"),
            None => format!("define one of {tried}"),
        };
        let message = match namespace {
            Some(namespace) => format!("`adapter.dispatch` finds no macro `{name}` in the namespace `{namespace}`"),
            None => format!("`adapter.dispatch` finds no macro `{name}`"),
        };
        unknown_macro(message, Some(help))
    }

    /// The name with a variant in one of these packages (`None`: in any) that was probably meant.
    fn nearest_dispatched(&self, name: &str, order: &[Option<&str>]) -> Option<&str> {
        let searched =
            self.macros().filter(|known| order.contains(&None) || order.contains(&Some(known.package.as_str())));
        let prefixes = [self.adapter_type.as_str(), DEFAULT_VARIANT];
        let names = searched.filter_map(|known| {
            let (prefix, name) = known.name.split_once("__")?;
            prefixes.contains(&prefix).then_some(name)
        });
        nearest(name, names)
    }

    /// The macro of a package, with the package's name before it, that was probably meant by a name without one.
    pub(super) fn nearest_of_packages(&self, name: &str) -> Option<String> {
        let installed = || self.packages.iter().filter(|(_, package)| package.kind == PackageKind::Project);
        let near = nearest(name, installed().flat_map(|(_, package)| package.macros.keys().map(String::as_str)))?;
        let owner = installed().find(|(_, package)| package.macros.contains_key(near))?;
        Some(format!("{}.{near}", owner.0))
    }

    /// The value that templates call for a macro.
    pub fn value(&self, definition: &Arc<MacroDefinition>) -> Value {
        Value::from_object(MacroValue(Arc::clone(definition)))
    }

    fn is_dependency(&self, package: &str) -> bool {
        self.packages.contains_key(package) && package != "dbt"
    }

    /// Packages that have a macro of this name and must be named to call it.
    pub(super) fn packages_with<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let others = self.packages.iter().filter(|(_, package)| package.kind == PackageKind::Project);
        others.filter(|(_, package)| package.macros.contains_key(name)).map(|(package, _)| package.as_str())
    }

    /// The names that nodes of a package see, in dbt's order: the package's own macros, the root project's, the
    /// packages by name, `dbt`, the internal macros. Made once a package.
    pub(super) fn namespace(&self, package: &str) -> Arc<Namespace> {
        let mut flattened = self.flattened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = flattened.get(package) {
            return Arc::clone(known);
        }
        let mut names = (*self.internal).clone();
        for (name, space) in &self.spaces {
            let shown = PackageNamespace { name: name.clone(), macros: Arc::clone(space) };
            names.insert(name.as_str().into(), Value::from_object(shown));
        }
        for owner in [self.root.as_str(), package] {
            if let Some(owned) = self.packages.get(owner).filter(|owned| owned.kind == PackageKind::Project) {
                let macros = owned.macros.iter();
                names.extend(macros.map(|(name, definition)| (name.as_str().into(), self.value(definition))));
            }
        }
        let names = Arc::new(names);
        flattened.insert(package.to_owned(), Arc::clone(&names));
        names
    }
}

/// The macro behind a value that templates call.
pub fn definition_of(value: &Value) -> Option<Arc<MacroDefinition>> {
    value.downcast_object_ref::<MacroValue>().map(|found| Arc::clone(&found.0))
}

/// A package as templates see it: `dbt_utils.star(…)`.
pub(super) struct PackageNamespace {
    pub(super) name: String,
    pub(super) macros: Arc<Namespace>,
}

impl PackageNamespace {
    fn unknown(&self, name: &str) -> Error {
        let near = nearest(name, self.macros.keys().map(|name| &**name));
        let help = near.map(|near| format!("did you mean `{}.{near}`?", self.name));
        unknown_macro(format!("the package `{}` has no macro `{name}`", self.name), help)
    }
}

impl fmt::Debug for PackageNamespace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "<package {}>", self.name)
    }
}

impl Object for PackageNamespace {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        self.macros.get(key).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let mut names: Vec<&str> = self.macros.keys().map(|name| &**name).collect();
        names.sort_unstable();
        Enumerator::Values(names.into_iter().map(Value::from).collect())
    }

    fn is_true(self: &Arc<Self>) -> bool {
        true
    }

    fn render(self: &Arc<Self>, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self:?}")
    }

    fn call_method(self: &Arc<Self>, state: &mut State, method: &str, args: &[Value]) -> Result<Value, Error> {
        match self.macros.get(method) {
            Some(callable) => callable.call(state, args),
            // `keys`, `get` and their like are answered for every mapping.
            None if matches!(method, "get" | "keys" | "values" | "items") => Err(Error::from(ErrorKind::UnknownMethod)),
            None => Err(self.unknown(method)),
        }
    }
}
