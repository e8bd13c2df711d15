//! What templates are told while they are read for what they depend on.

use super::ParseOptions;
use crate::adapter::{Relation, Table};
use crate::diagnostic::{Code, Span};
use crate::jinja::host::{Host, HostError, Phase, Session};
use crate::manifest::{ConfigMap, DocBlock, Manifest, RefCall, SourceCall};
use crate::name::{Quoting, RelationName, UniqueId};
use crate::project::Project;
use crate::template::SECRET_PREFIX;
use indexmap::IndexMap;
use rustc_hash::FxHashMap;
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What all nodes have around them; nothing of it changes while nodes are read.
#[derive(Debug)]
pub struct Surroundings {
    variables: FxHashMap<String, Map<String, Json>>,
    environment: Arc<BTreeMap<String, String>>,
    docs: FxHashMap<String, Vec<(String, Arc<str>)>>,
    root: String,
    /// The target's database.
    pub database: Option<String>,
    /// The target's schema.
    pub schema: String,
    /// How the project quotes names.
    pub quoting: Quoting,
    /// Whether every test keeps the rows that it finds.
    pub store_failures: bool,
}

impl Surroundings {
    pub(super) fn new(project: &Project, docs: &IndexMap<UniqueId, DocBlock>, options: &ParseOptions) -> Self {
        let packages = project.packages.iter();
        let mut by_name: FxHashMap<String, Vec<(String, Arc<str>)>> = FxHashMap::default();
        for doc in docs.values() {
            let text = Arc::from(doc.block_contents.as_str());
            by_name.entry(doc.name.clone()).or_default().push((doc.package_name.clone(), text));
        }
        Self {
            variables: packages
                .map(|package| (package.name().to_owned(), project.visible_variables(package.name())))
                .collect(),
            environment: Arc::clone(&project.environment.variables),
            docs: by_name,
            root: project.name().to_owned(),
            database: project.target.database.clone(),
            schema: project.target.schema.clone(),
            quoting: project.quoting(),
            store_failures: options.flags.get("STORE_FAILURES").and_then(Json::as_bool).unwrap_or(false),
        }
    }

    /// The text of a docs block: of the package named, else of the root project, the own package, any other one.
    fn doc(&self, package: Option<&str>, name: &str, own: &str) -> Option<Arc<str>> {
        let known = self.docs.get(name)?;
        let of = |wanted: &str| known.iter().find(|(owner, _)| owner == wanted);
        let found = match package {
            Some(package) => of(package),
            None => of(&self.root).or_else(|| of(own)).or_else(|| known.first()),
        };
        found.map(|(_, text)| Arc::clone(text))
    }

    /// The names of all docs blocks, for "did you mean".
    fn doc_names(&self) -> impl Iterator<Item = &str> {
        self.docs.keys().map(String::as_str)
    }
}

/// What was found while a template was read.
#[derive(Debug, Default)]
pub struct Captured {
    /// `ref()` calls, each once.
    pub refs: Vec<RefCall>,
    /// `source()` calls, each once.
    pub sources: Vec<SourceCall>,
    /// `config()` calls, and where each stands.
    pub configs: Vec<(ConfigMap, Option<Span>)>,
    /// Macros that the text called, each once.
    pub macros: Vec<UniqueId>,
}

/// The host of one node while it is parsed.
#[derive(Debug)]
pub struct ParseHost {
    surroundings: Arc<Surroundings>,
    package: String,
    node: Option<UniqueId>,
    captured: Mutex<Captured>,
}

impl ParseHost {
    pub(super) fn new(surroundings: &Arc<Surroundings>, package: &str, node: Option<&UniqueId>) -> Arc<Self> {
        Arc::new(Self {
            surroundings: Arc::clone(surroundings),
            package: package.to_owned(),
            node: node.cloned(),
            captured: Mutex::default(),
        })
    }

    /// What was found since the last time.
    pub(super) fn take(&self) -> Captured {
        std::mem::take(&mut *self.captured())
    }

    fn captured(&self) -> MutexGuard<'_, Captured> {
        self.captured.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn relation(&self, schema: &str, identifier: &str) -> Relation {
        let Surroundings { database, quoting, .. } = &*self.surroundings;
        Relation { name: RelationName::new(database.as_deref(), schema, identifier, *quoting), relation_type: None }
    }
}

impl Host for ParseHost {
    fn phase(&self) -> Phase {
        Phase::Parse
    }

    fn node(&self) -> Option<&UniqueId> {
        self.node.as_ref()
    }

    fn reference(&self, call: RefCall) -> Result<Relation, HostError> {
        let relation = self.relation(&self.surroundings.schema, &call.name);
        let mut captured = self.captured();
        if !captured.refs.contains(&call) {
            captured.refs.push(call);
        }
        Ok(relation)
    }

    fn source(&self, call: SourceCall) -> Result<Relation, HostError> {
        let relation = self.relation(&call.source_name, &call.table_name);
        let mut captured = self.captured();
        if !captured.sources.contains(&call) {
            captured.sources.push(call);
        }
        Ok(relation)
    }

    fn configure(&self, values: ConfigMap, span: Option<Span>) -> Result<(), HostError> {
        self.captured().configs.push((values, span));
        Ok(())
    }

    fn config(&self, key: &str) -> Option<Json> {
        self.captured().configs.iter().rev().find_map(|(values, _)| values.get(key).cloned())
    }

    fn config_values(&self) -> ConfigMap {
        let mut all = ConfigMap::new();
        for (values, _) in &self.captured().configs {
            all.extend(values.clone());
        }
        all
    }

    fn variable(&self, name: &str) -> Option<Json> {
        self.surroundings.variables.get(&self.package)?.get(name).cloned()
    }

    fn environment_variable(&self, name: &str) -> Result<Option<String>, HostError> {
        if name.starts_with(SECRET_PREFIX) {
            return Err(HostError::Refused {
                code: Code::JinjaRender,
                message: format!("the secret `{name}` cannot be used here"),
                help: Some(
                    "secrets may stand in profiles.yml, packages.yml and in the `connector:` of a source".into(),
                ),
            });
        }
        Ok(self.surroundings.environment.get(name).cloned())
    }

    fn macro_called(&self, id: &UniqueId) {
        let mut captured = self.captured();
        if !captured.macros.contains(id) {
            captured.macros.push(id.clone());
        }
    }

    fn manifest(&self) -> Option<&Arc<Manifest>> {
        None
    }

    fn session(&self) -> Option<&dyn Session> {
        None
    }

    // Templates are rendered again when they run: only then do they speak to people.
    fn log(&self, _message: &str, _visible: bool) {}

    fn warn(&self, _message: &str) {}

    fn write(&self, _sql: &str) {}

    fn seed(&self) -> Result<Arc<Table>, HostError> {
        Ok(Arc::new(Table::default()))
    }

    fn doc(&self, package: Option<&str>, name: &str) -> Result<String, HostError> {
        let found = self.surroundings.doc(package, name, &self.package);
        found.map(|text| text.to_string()).ok_or_else(|| HostError::Refused {
            code: Code::JinjaRender,
            message: format!("there is no docs block `{name}`"),
            help: crate::diagnostic::nearest(name, self.surroundings.doc_names())
                .map(|near| format!("did you mean `{near}`?")),
        })
    }
}
