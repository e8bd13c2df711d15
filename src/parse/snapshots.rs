//! Snapshots: blocks in SQL files, and entries of properties files.

use super::drafts::{Draft, PropertiesIndex, blank, full_name, without_extension};
use super::macros::FoundSnapshot;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, SourceFile, Span};
use crate::manifest::ConfigMap;
use crate::name::ResourceType;
use crate::project::Project;
use crate::project::properties::Section;

/// The snapshots of all packages.
pub fn collect<'a>(
    project: &'a Project,
    blocks: &[FoundSnapshot<'a>],
    properties: &PropertiesIndex<'a>,
    found: &mut Diagnostics,
) -> Vec<Draft<'a>> {
    let mut drafts: Vec<Draft<'a>> = blocks.iter().map(|snapshot| of_block(snapshot, properties)).collect();
    for package in &project.packages {
        for file in &package.properties {
            for described in file.nodes.iter().filter(|node| node.section == Section::Snapshots) {
                let Some((relation, span)) = &described.relation else { continue };
                if !is_reference(relation) {
                    found.push(
                        Diagnostic::error(
                            Code::YamlValue,
                            format!("`{relation}` is no relation to take a snapshot of"),
                        )
                        .at(span.clone(), "expected `ref('…')` or `source('…', '…')`"),
                    );
                    continue;
                }
                let sql = format!("select * from {{{{ {relation} }}}}");
                let text = SourceFile::new(span.file().path(), sql.as_str());
                let mut node = blank(package.name(), ResourceType::Snapshot, &described.name, &text, 0..sql.len());
                node.path = format!("{}/{}.sql", file.path, described.name);
                node.original_file_path.clone_from(&file.original_file_path);
                node.fqn = full_name(package.name(), &file.path, &described.name);
                node.checksum = crate::project::checksum(sql.as_bytes());
                node.declared_at = described.name_span.clone();
                let properties = Some((described, file.original_file_path.as_str()));
                drafts.push(Draft { node, package, properties, config: ConfigMap::new(), is_template: true });
            }
        }
    }
    drafts
}

fn of_block<'a>(snapshot: &FoundSnapshot<'a>, properties: &PropertiesIndex<'a>) -> Draft<'a> {
    let FoundSnapshot { package, file, block } = snapshot;
    let mut node = blank(package.name(), ResourceType::Snapshot, &block.name, &file.source, block.body.clone());
    node.path.clone_from(&file.path);
    node.original_file_path.clone_from(&file.original_file_path);
    // The file counts as a directory: it may hold several snapshots.
    node.fqn = full_name(package.name(), &format!("{}/", without_extension(&file.path)), &block.name);
    node.checksum.clone_from(&file.checksum);
    node.declared_at = Span::clone(&block.tag);
    let properties = properties.get(&(package.name(), Section::Snapshots, block.name.as_str())).copied();
    Draft { node, package, properties, config: ConfigMap::new(), is_template: true }
}

fn is_reference(relation: &str) -> bool {
    let relation = relation.trim();
    ["ref", "source"].iter().any(|function| {
        relation.strip_prefix(function).is_some_and(|rest| {
            let rest = rest.trim();
            rest.starts_with('(') && rest.ends_with(')')
        })
    })
}
