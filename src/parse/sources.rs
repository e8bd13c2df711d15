//! Sources, from what properties files say.

use super::config::Merging;
use super::docs::Descriptions;
use super::drafts::without_extension;
use super::render::Stage;
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::manifest::{NodeConfig, Source, SourceFreshness};
use crate::name::{Quoting, RelationName, ResourceType, UniqueId};
use crate::project::Package;
use crate::project::config::TreeKind;
use crate::project::properties::{
    FreshnessProperties, Properties, SourceProperties, TableProperties, freshness_from_config,
};
use indexmap::IndexMap;
use serde_json::Value as Json;

/// The sources of all packages.
#[derive(Debug, Default)]
pub struct ReadSources {
    /// Those that take part.
    pub enabled: IndexMap<UniqueId, Source>,
    /// Those that do not.
    pub disabled: IndexMap<UniqueId, Source>,
}

/// The id of a source's table.
pub fn source_id(package: &str, source: &str, table: &str) -> UniqueId {
    UniqueId::new(ResourceType::Source, package, &format!("{source}.{table}"))
}

/// Reads all sources. Two tables of one name in one source are errors.
pub fn read(stage: &Stage<'_>, found: &mut Diagnostics) -> ReadSources {
    let mut sources = ReadSources::default();
    for package in &stage.project.packages {
        let descriptions = Descriptions::new(stage.engine, stage.surroundings, package.name());
        for file in &package.properties {
            for described in &file.sources {
                for table in &described.tables {
                    let mut source = of_table(stage, package, file, described, table);
                    source.description = descriptions.text(&table.description, &table.name_span, found);
                    source.source_description = descriptions.text(&described.description, &described.name_span, found);
                    source.columns = descriptions.columns(&table.columns, &table.name_span, found);
                    take(&mut sources, source, found);
                }
            }
        }
    }
    sources
}

fn take(sources: &mut ReadSources, source: Source, found: &mut Diagnostics) {
    if !source.config.enabled() {
        sources.disabled.insert(source.unique_id.clone(), source);
    } else if let Some(first) = sources.enabled.get(&source.unique_id) {
        found.push(
            Diagnostic::error(
                Code::DuplicateName,
                format!("the source `{}` has two tables named `{}`", source.source_name, source.name),
            )
            .at(source.declared_at, "the second one")
            .at(first.declared_at.clone(), "the first one")
            .help("remove or rename one of them"),
        );
    } else {
        sources.enabled.insert(source.unique_id.clone(), source);
    }
}

fn of_table(
    stage: &Stage<'_>,
    package: &Package,
    file: &Properties,
    described: &SourceProperties,
    table: &TableProperties,
) -> Source {
    let mut fqn = vec![package.name().to_owned()];
    let directories = without_extension(&file.path).rsplit_once('/').map(|(directories, _)| directories);
    fqn.extend(directories.into_iter().flat_map(|path| path.split('/')).map(str::to_owned));
    fqn.extend([described.name.clone(), table.name.clone()]);

    let mut merging = Merging::default();
    merging.set("enabled", true.into(), None);
    if let Some(tree) = package.config.trees.get(&TreeKind::Sources) {
        merging.tree(tree, &fqn);
    }
    let of_tree = TimesOfTree::take(&mut merging);
    merging.values(&described.config, |_| None);
    merging.values(&table.config, |_| None);
    // What the properties say of these has been merged, table by table, before.
    TimesOfTree::take(&mut merging);
    let mut times = Times::new(table, of_tree);
    let root = stage.project.root_package();
    if package.name() != root.name()
        && let Some(tree) = root.config.trees.get(&TreeKind::Sources)
    {
        merging.tree(tree, &fqn);
        times.overridden(TimesOfTree::take(&mut merging));
    }

    let quoting = |default: Quoting| Quoting {
        database: table.quoting.database.unwrap_or(default.database),
        schema: table.quoting.schema.unwrap_or(default.schema),
        identifier: table.quoting.identifier.unwrap_or(default.identifier),
    };
    let database = described.database.clone().or_else(|| stage.surroundings.database.clone());
    let schema = described.schema.as_ref().unwrap_or(&described.name);
    let identifier = table.identifier.as_ref().unwrap_or(&table.name);
    let relation = |quoting: Quoting| RelationName::new(database.as_deref(), schema, identifier, quoting);
    Source {
        unique_id: source_id(package.name(), &described.name, &table.name),
        package_name: package.name().to_owned(),
        source_name: described.name.clone(),
        name: table.name.clone(),
        identifier: identifier.clone(),
        relation_name: relation(quoting(stage.surroundings.quoting)),
        relation: relation(quoting(stage.project.target.warehouse.default_quoting())),
        fqn,
        original_file_path: file.original_file_path.clone(),
        declared_at: table.name_span.clone(),
        description: String::new(),
        source_description: String::new(),
        loader: described.loader.clone(),
        loaded_at_field: times.loaded_at_field,
        loaded_at_query: times.loaded_at_query,
        freshness: times.freshness.map(|freshness| SourceFreshness {
            warn_after: freshness.warn_after,
            error_after: freshness.error_after,
            filter: freshness.filter,
        }),
        columns: IndexMap::new(),
        config: NodeConfig::new(merging.values),
        external: table.external.clone(),
        connector: described.connector.clone(),
        extract: table.extract.clone(),
    }
}

/// What `dbt_project.yml` says of a source's age, taken out of the other configs.
struct TimesOfTree {
    freshness: Option<Json>,
    loaded_at_field: Option<Json>,
    loaded_at_query: Option<Json>,
}

impl TimesOfTree {
    fn take(merging: &mut Merging) -> Self {
        let mut take = |key: &str| merging.values.shift_remove(key);
        Self {
            freshness: take("freshness"),
            loaded_at_field: take("loaded_at_field"),
            loaded_at_query: take("loaded_at_query"),
        }
    }
}

/// How old a source is, and may be.
struct Times {
    freshness: Option<FreshnessProperties>,
    loaded_at_field: Option<String>,
    loaded_at_query: Option<String>,
}

impl Times {
    /// What the properties say; where they say nothing, what the package's `dbt_project.yml` says.
    fn new(table: &TableProperties, of_tree: TimesOfTree) -> Self {
        let said = &table.loaded_at;
        let freshness = match (&table.freshness, of_tree.freshness) {
            (Some(given), Some(configured)) if !given.has_thresholds() => freshness_from_config(&configured),
            (given, _) => given.clone(),
        };
        let configured = |value: Option<Json>| value.filter(|_| !said.is_said)?.as_str().map(str::to_owned);
        Self {
            freshness,
            loaded_at_field: said.field.clone().or_else(|| configured(of_tree.loaded_at_field)),
            loaded_at_query: said.query.clone().or_else(|| configured(of_tree.loaded_at_query)),
        }
    }

    /// What the root project says of a package's source counts.
    fn overridden(&mut self, of_root: TimesOfTree) {
        if let Some(freshness) = of_root.freshness {
            self.freshness = freshness_from_config(&freshness);
        }
        let text = |value: &Json| value.as_str().map(str::to_owned);
        if of_root.loaded_at_field.is_some() || of_root.loaded_at_query.is_some() {
            self.loaded_at_field = of_root.loaded_at_field.as_ref().and_then(text);
            self.loaded_at_query = of_root.loaded_at_query.as_ref().and_then(text);
        }
    }
}
