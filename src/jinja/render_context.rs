//! One render, and what its names mean.

use super::engine::Engine;
use super::host::{Host, Phase};
use super::native::Arguments;
use super::registry::Namespace;
use super::runtime::soft_undefined;
use super::trace::Calls;
use super::value::{Part, none, view};
use crate::diagnostic::Span;
use crate::manifest::ConfigMap;
use minijinja::value::{Enumerator, Object, Value};
use minijinja::{Error, ErrorKind, State};
use rustc_hash::FxHashMap;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// One render: a node (or a macro called from Rust) in one phase, with everything that templates find in it.
pub struct RenderContext {
    engine: Arc<Engine>,
    namespace: Arc<Namespace>,
    package: String,
    own: FxHashMap<&'static str, Value>,
    /// Names that mean something else here than everywhere: the overrides of a unit test.
    overrides: Namespace,
    host: Arc<dyn Host>,
    soft: bool,
    results: Mutex<HashMap<String, Value>>,
    /// Where in the node's text the running `ref`, `source` or `config` was called.
    site: Mutex<Option<Span>>,
    /// The macro calls, where it is to be told who wrote what.
    trace: OnceLock<Calls>,
}

impl RenderContext {
    /// A render for a node of `package`. `own` are the values that differ from node to node (`this`, `model`,
    /// `config`); macros of the namespace come before them, values shared by all renders after them.
    pub fn new(engine: &Arc<Engine>, package: &str, own: Vec<(&'static str, Value)>, host: Arc<dyn Host>) -> Arc<Self> {
        Arc::new(Self::plain(engine, package, own, host))
    }

    /// The same with macros that answer what `overrides` say, by their name or by `package.name`.
    pub fn with_overrides(
        engine: &Arc<Engine>,
        package: &str,
        own: Vec<(&'static str, Value)>,
        host: Arc<dyn Host>,
        overrides: &ConfigMap,
    ) -> Arc<Self> {
        let plain = Self::plain(engine, package, own, host);
        let overrides = plain.overridden(overrides);
        Arc::new(Self { overrides, ..plain })
    }

    fn plain(engine: &Arc<Engine>, package: &str, own: Vec<(&'static str, Value)>, host: Arc<dyn Host>) -> Self {
        Self {
            engine: Arc::clone(engine),
            namespace: engine.registry().namespace(package),
            package: package.to_owned(),
            // Of two values of one name the first counts.
            own: own.into_iter().rev().collect(),
            overrides: Namespace::default(),
            soft: host.phase() == Phase::Parse,
            host,
            results: Mutex::default(),
            site: Mutex::default(),
            trace: OnceLock::new(),
        }
    }

    /// The stage behind this render.
    pub fn host(&self) -> &dyn Host {
        &*self.host
    }

    /// The stage behind this render, to hand on.
    pub fn shared_host(&self) -> &Arc<dyn Host> {
        &self.host
    }

    /// The engine.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// The package whose macros come first.
    pub fn package(&self) -> &str {
        &self.package
    }

    /// What `store_result` keeps for `load_result`, by name.
    pub fn results(&self) -> MutexGuard<'_, HashMap<String, Value>> {
        self.results.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where in the node's own text the `ref`, `source` or `config` that runs now was called; none if a macro
    /// called it.
    pub fn call_site(&self) -> Option<Span> {
        self.site.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes where such a call stands; gives what was noted before.
    pub(super) fn set_call_site(&self, span: Option<Span>) -> Option<Span> {
        std::mem::replace(&mut self.site.lock().unwrap_or_else(PoisonError::into_inner), span)
    }

    /// From now on the calls of macros are noted.
    pub(super) fn start_trace(&self) -> &Calls {
        self.trace.get_or_init(Calls::default)
    }

    /// Where calls of macros are noted, if they are.
    pub(super) fn trace(&self) -> Option<&Calls> {
        self.trace.get()
    }

    /// What a name means in this render: a macro, a value of the node, a shared value.
    pub fn find(&self, name: &str) -> Option<Value> {
        if !self.overrides.is_empty()
            && let Some(value) = self.overrides.get(name)
        {
            return Some(value.clone());
        }
        if let Some(value) = self.namespace.get(name) {
            return Some(value.clone());
        }
        self.own.get(name).or_else(|| self.engine.shared().get(name)).cloned()
    }

    /// Whether a name may mean something else in another render.
    pub(super) fn is_own(&self, name: &str) -> bool {
        self.own.contains_key(name)
    }

    /// Whether macros do here what they do in every render of the package, and nobody asks what they wrote.
    pub(super) fn is_plain(&self) -> bool {
        self.overrides.is_empty() && self.trace.get().is_none()
    }

    /// All names that mean something, each once, sorted.
    pub(super) fn names(&self) -> Vec<&str> {
        let own = self.own.keys().copied();
        let mut names: Vec<&str> = self.namespace.keys().map(|name| &**name).chain(own).collect();
        names.extend(self.engine.shared().keys().copied());
        names.sort_unstable();
        names.dedup();
        names
    }

    /// In the parse phase, what stands for an unknown name.
    pub(super) fn soft_undefined(&self, name: &str) -> Option<Value> {
        let soft = self.soft && !super::environment::is_global(name);
        soft.then(soft_undefined)
    }
}

impl fmt::Debug for RenderContext {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("<context>")
    }
}

/// The render itself is what templates see as `context`: a mapping of all names.
impl Object for RenderContext {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.find(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        self.find(key)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.names().into_iter().map(Value::from).collect())
    }

    fn call_method(self: &Arc<Self>, _state: &mut State, method: &str, args: &[Value]) -> Result<Value, Error> {
        let mut arguments = Arguments::new(method, args);
        match method {
            "get" => {
                let name = arguments.text("key")?;
                Ok(self.find(&name).or_else(|| arguments.given("default")).unwrap_or_else(none))
            }
            "keys" | "items" => {
                let pair = |name: &str| Some((Value::from(name), self.find(name)?));
                let part = if method == "keys" { Part::Keys } else { Part::Items };
                Ok(view(part, self.names().into_iter().filter_map(pair).collect()))
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }

    fn render(self: &Arc<Self>, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("<context>")
    }
}
