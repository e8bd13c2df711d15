//! A project of the template in a directory of its own, built by the real binary.

use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// A project named `shop`.
pub struct Project {
    /// Removed with everything in it at the end.
    directory: TempDir,
    /// Further variables of the environment for every command.
    environment: Vec<(String, String)>,
}

impl Project {
    /// What `strata init shop` makes.
    pub fn from_template() -> Self {
        let project = Self::at(tempfile::tempdir().expect("a temporary directory"));
        let mut init = Command::new(env!("CARGO_BIN_EXE_strata"));
        init.args(["init", "shop"]).current_dir(project.directory.path());
        succeed(&mut init);
        project
    }

    /// The template with about a fifth of its customers, the interesting ones among them, and their orders.
    pub fn from_small_template() -> Self {
        let project = Self::from_template();
        for day in ["day_1", "day_2"] {
            shrink(&project.root().join("sample_data").join(day)).expect("the recordings can be read and written");
        }
        project
    }

    fn at(directory: TempDir) -> Self {
        Self { directory, environment: vec![] }
    }

    /// The same project in another place, with its database and its target directory as they are now.
    pub fn copy(&self) -> Self {
        let copy = Self::at(tempfile::tempdir().expect("a temporary directory"));
        copy_directory(&self.root(), &copy.root()).expect("the project can be copied");
        Self { environment: self.environment.clone(), ..copy }
    }

    /// Sets a variable for every command from now on.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.into()));
    }

    /// The directory of `dbt_project.yml`.
    pub fn root(&self) -> PathBuf {
        self.directory.path().join("shop")
    }

    /// A command in the project, not started yet.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_strata"));
        command.args(arguments).current_dir(self.root());
        command.envs(self.environment.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        command
    }

    /// A command that must succeed; gives what it wrote to stdout.
    pub fn run(&self, arguments: &[&str]) -> String {
        succeed(&mut self.command(arguments))
    }

    /// `strata build` with what the systems answered on a day, as a command that is not started yet.
    pub fn build_command(&self, day: u8, arguments: &[&str]) -> Command {
        let mut command = self.command(&["build"]);
        command.args(arguments).env("SAMPLE_DATA", format!("sample_data/day_{day}"));
        command
    }

    /// `strata build` with what the systems answered on a day; must succeed.
    pub fn build(&self, day: u8) {
        succeed(&mut self.build_command(day, &[]));
    }

    /// The file of the database of the target `dev`.
    pub fn database(&self) -> PathBuf {
        self.root().join("shop.duckdb")
    }
}

/// Runs a command that must succeed; gives what it wrote to stdout.
pub fn succeed(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().expect("the program starts");
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout).into_owned(), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{command:?} ends with {status}\n{stdout}\n{stderr}");
    stdout
}

fn copy_directory(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_directory(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Keeps customers by the remainder of their number: deleted, changed, late, new and doubled ones are among them, and
/// some who order (only even numbers do).
fn is_kept(id: &Value) -> bool {
    let number = id.as_str().and_then(|id| id.rsplit('-').next()?.parse::<u64>().ok());
    number.is_some_and(|number| matches!(number % 16, 4 | 5 | 13))
}

fn shrink(recordings: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(recordings.join("crm/customers"))? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(".body.json") {
            let mut body: Value = serde_json::from_str(&fs::read_to_string(&path)?)?;
            let rows = body["data"].as_array().into_iter().flatten().filter(|row| is_kept(&row["id"]));
            body["data"] = json!(rows.collect::<Vec<_>>());
            fs::write(&path, body.to_string())?;
        }
    }
    for table in ["customers", "orders"] {
        let path = recordings.join("erp").join(table).join("rows.ndjson");
        let mut kept = String::new();
        for line in fs::read_to_string(&path)?.lines() {
            let row: Value = serde_json::from_str(line)?;
            if is_kept(&row["customer_id"]) {
                kept.push_str(line);
                kept.push('\n');
            }
        }
        fs::write(&path, kept)?;
    }
    Ok(())
}
