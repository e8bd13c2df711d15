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
use crate::project::properties::{Properties, SourceProperties, TableProperties};
use indexmap::IndexMap;

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
    merging.values(&described.config, |_| None);
    merging.values(&table.config, |_| None);
    let root = stage.project.root_package();
    if package.name() != root.name()
        && let Some(tree) = root.config.trees.get(&TreeKind::Sources)
    {
        merging.tree(tree, &fqn);
    }
    // Freshness has its own place, where source and table are merged.
    merging.values.remove("freshness");

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
        loaded_at_field: table.loaded_at_field.clone(),
        freshness: table.freshness.as_ref().map(|freshness| SourceFreshness {
            warn_after: freshness.warn_after.clone(),
            error_after: freshness.error_after.clone(),
            filter: freshness.filter.clone(),
        }),
        columns: IndexMap::new(),
        config: NodeConfig::new(merging.values),
        connector: described.connector.clone(),
        extract: table.extract.clone(),
    }
}
