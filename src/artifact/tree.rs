//! The trees `target/compiled` and `target/run`: one file of SQL a node, where dbt puts it.

use super::{Invocation, cannot_write};
use crate::diagnostic::Diagnostic;
use crate::manifest::Node;
use crate::run::event::BatchEnd;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// Writes SQL into the trees of one target directory.
#[derive(Debug, Clone)]
pub struct TargetTree {
    target: PathBuf,
}

impl TargetTree {
    /// The trees of the invocation's target directory.
    pub fn new(invocation: &Invocation) -> Self {
        Self { target: invocation.project_root.join(&invocation.target_path) }
    }

    /// Keeps the SQL as compiled. A hook that has nothing to do leaves no file.
    pub fn write_compiled(&self, node: &Node, sql: &str) -> Result<(), Diagnostic> {
        self.write("compiled", node, sql)
    }

    /// Keeps the statement that built (or tested) the node, if there was one.
    pub fn write_run(&self, node: &Node, sql: &str) -> Result<(), Diagnostic> {
        self.write("run", node, sql)
    }

    /// Keeps the SQL of a batch, as compiled and as it was run.
    pub fn write_batch(&self, node: &Node, end: &BatchEnd) -> Result<(), Diagnostic> {
        for (tree, sql) in [("compiled", &end.compiled_code), ("run", &end.executed_code)] {
            if let Some(sql) = sql {
                write_at(&self.target.join(tree).join(batch_output_path(node, &end.step.label())), sql)?;
            }
        }
        Ok(())
    }

    fn write(&self, tree: &str, node: &Node, sql: &str) -> Result<(), Diagnostic> {
        write_at(&self.target.join(tree).join(relative_output_path(node)), sql)
    }
}

fn write_at(path: &Path, sql: &str) -> Result<(), Diagnostic> {
    if sql.is_empty() {
        return Ok(());
    }
    let attempt = || {
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        // For people to read: not worth a flush to disk a model, unlike the artifacts that tools rely on.
        fs::write(path, sql)
    };
    attempt().map_err(|error| cannot_write(path, &error))
}

/// Where a node's SQL lies within `compiled/` or `run/`: `<package>/<path of its file>`, and below that the
/// node's own file where one file declares many nodes (`schema.yml/unique_orders_id.sql`).
pub fn relative_output_path(node: &Node) -> PathBuf {
    let original = Path::new(&node.original_file_path);
    let own = Path::new(&node.path);
    let mut path = PathBuf::from(&node.package_name);
    path.extend(inside(original));
    if node.unit_test.is_some() {
        // dbt repeats the properties file's directories.
        path.extend(original.parent().into_iter().flat_map(inside));
        path.push(format!("{}.sql", node.alias));
        return path;
    }
    if original.file_name() != own.file_name() {
        path.extend(inside(own));
    }
    path
}

/// Where the SQL of a batch lies: in a directory named after the model, `daily/daily_2024-01-31.sql`.
fn batch_output_path(node: &Node, label: &str) -> PathBuf {
    let path = relative_output_path(node);
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    path.with_file_name(&stem).join(format!("{stem}_{label}.sql"))
}

/// The parts of a path that lead down: a name can never lead out of the target directory.
fn inside(path: &Path) -> impl Iterator<Item = Component<'_>> {
    path.components().filter(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;
    use crate::name::ResourceType;

    #[test]
    fn paths_as_dbt_lays_them() {
        let model = fixture::node(ResourceType::Model, "stg", "staging/stg.sql", "");
        assert_eq!(relative_output_path(&model), Path::new("shop/models/staging/stg.sql"));
        let mut test = fixture::node(ResourceType::Test, "unique_stg_id", "unique_stg_id.sql", "");
        test.original_file_path = "models/schema.yml".into();
        assert_eq!(relative_output_path(&test), Path::new("shop/models/schema.yml/unique_stg_id.sql"));
        let mut hook = fixture::node(ResourceType::Operation, "h", "hooks/shop-on-run-start-0.sql", "");
        hook.original_file_path = "./dbt_project.yml".into();
        assert_eq!(relative_output_path(&hook), Path::new("shop/dbt_project.yml/hooks/shop-on-run-start-0.sql"));
        assert_eq!(batch_output_path(&model, "2024-01-31"), Path::new("shop/models/staging/stg/stg_2024-01-31.sql"));
        let mut escaping = fixture::node(ResourceType::Model, "x", "x.sql", "");
        escaping.original_file_path = "../../etc/x.sql".into();
        assert_eq!(relative_output_path(&escaping), Path::new("shop/etc/x.sql"));
    }
}
