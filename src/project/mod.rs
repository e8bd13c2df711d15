//! The project as it lies on disk: files, typed YAML, profile and target.

pub mod builtin;
pub mod config;
mod environment;
mod files;
pub mod glob;
mod layers;
mod packages;
pub mod profile;
pub mod properties;
pub mod semver;
mod version;
pub mod warehouses;
pub mod yaml;

pub use config::ProjectConfig;
pub use environment::Environment;
pub use files::{FileKind, PackageFile, checksum, hexadecimal, read_text};
pub use layers::Layer;
pub use packages::{
    PACKAGES_FILE, PackageHome, PackageOrigin, PackageRequest, Requests, address_secrets, local_directory,
    package_home, project_name, requests, requests_in, shown_address,
};
pub use profile::Target;
pub use version::{DBT_VERSION, accepts, dbt_version};

use crate::diagnostic::{Code, Diagnostic, Diagnostics, Result, Span};
use crate::name::Quoting;
use crate::secret::Secret;
use crate::template::{SECRET_PREFIX, Scope, Templates, has_jinja};
use properties::Properties;
use rayon::prelude::*;
use serde_json::{Map, Value as Json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use yaml::{Entry, Yaml, YamlValue};

/// What the command line says about which project to load, and how.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    /// `--profiles-dir`.
    pub profiles_dir: Option<PathBuf>,
    /// `--profile`.
    pub profile: Option<String>,
    /// `--target`.
    pub target: Option<String>,
    /// `--vars`.
    pub variables: Map<String, Json>,
    /// `--target-path`.
    pub target_path: Option<PathBuf>,
    /// The process's surroundings.
    pub environment: Arc<Environment>,
}

/// A project with its packages, in memory.
#[derive(Debug)]
pub struct Project {
    /// The root directory.
    pub root: PathBuf,
    /// The chosen target.
    pub target: Target,
    /// The root project first, then its packages by name, then those that are embedded.
    pub packages: Vec<Package>,
    /// `--vars`.
    pub variables: Arc<Map<String, Json>>,
    /// The process's surroundings.
    pub environment: Arc<Environment>,
    /// Where results go, absolute or relative to the working directory like `root`.
    pub target_path: PathBuf,
    /// The packages that the root project asks for.
    pub requests: Vec<PackageRequest>,
    /// `selectors.yml`, rendered.
    pub selectors: Option<Yaml>,
}

/// One package: the root project is one too.
#[derive(Debug)]
pub struct Package {
    /// `dbt_project.yml`.
    pub config: ProjectConfig,
    /// The root directory; empty for embedded packages.
    pub root: PathBuf,
    /// Its files by kind and path, properties files left out.
    pub files: Vec<PackageFile>,
    /// What its properties files say, by path.
    pub properties: Vec<Properties>,
    /// Whether it is embedded in the binary.
    pub embedded: bool,
}

impl Package {
    /// The package's name.
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// Its files of one kind, by path.
    pub fn files(&self, kind: FileKind) -> impl Iterator<Item = &PackageFile> {
        self.files.iter().filter(move |file| file.kind == kind)
    }
}

impl Project {
    /// The root project's own package.
    pub fn root_package(&self) -> &Package {
        // `load` puts it there.
        &self.packages[0]
    }

    /// The root project's name.
    pub fn name(&self) -> &str {
        self.root_package().name()
    }

    /// A package by name.
    pub fn package(&self, name: &str) -> Option<&Package> {
        self.packages.iter().find(|package| package.name() == name)
    }

    /// A variable as seen from a package: `--vars`, then what the root project says, then the package.
    pub fn variable(&self, package: &str, name: &str) -> Option<&Json> {
        let root = || self.root_package().config.variable(package, name);
        let own = || self.package(package)?.config.variable(package, name);
        self.variables.get(name).or_else(root).or_else(own)
    }

    /// All variables as seen from a package.
    pub fn visible_variables(&self, package: &str) -> Map<String, Json> {
        let own = self.package(package).map(|package| &package.config);
        let configs: Vec<&ProjectConfig> = own.into_iter().chain([&self.root_package().config]).collect();
        visible_variables(&configs, package, &self.variables)
    }

    /// Renders YAML texts as seen from a package. With `secrets`, variables with the secret prefix may be used:
    /// for connectors, whose values are never shown.
    pub fn templates(&self, package: &str, secrets: bool) -> Templates {
        let variables = self.visible_variables(package);
        scoped(&self.environment, Arc::new(variables), Some(&self.target), secrets)
    }

    /// Renders every text of a YAML value, secrets allowed: a source's `connector:` or `extract:`. A key whose template
    /// comes to nothing is as if it were not written, so that targets can differ in what they need.
    pub fn render_connector(&self, package: &str, value: &Yaml) -> Result<Yaml, Diagnostic> {
        let templates = self.templates(package, true);
        let mut rendered = value.render_texts(&mut Vec::new(), &mut |_, text, span| {
            if has_jinja(text) { templates.render(text, span).map(Some) } else { Ok(None) }
        })?;
        if let YamlValue::Mapping(entries) = &mut rendered.value {
            let is_written = |key: &String| value.get(key).and_then(Yaml::as_str).is_none_or(|text| !has_jinja(text));
            let is_empty = |entry: &Entry| entry.value.is_null() || entry.value.as_str() == Some("");
            entries.retain(|key, entry| is_written(key) || !is_empty(entry));
        }
        Ok(rendered)
    }

    /// Which parts of relation names are quoted: what the root project says, else the adapter's way.
    pub fn quoting(&self) -> Quoting {
        let default = self.target.warehouse.default_quoting();
        let given = self.root_package().config.quoting;
        Quoting {
            database: given.database.unwrap_or(default.database),
            schema: given.schema.unwrap_or(default.schema),
            identifier: given.identifier.unwrap_or(default.identifier),
        }
    }

    /// Everything that must never be shown: the target's secrets and environment variables with the prefix.
    pub fn secrets(&self) -> Vec<Secret> {
        let from_target = self.target.secrets().into_iter().cloned();
        let variables = self.environment.variables.iter();
        let from_environment =
            variables.filter(|(name, _)| name.starts_with(SECRET_PREFIX)).map(|(_, value)| Secret::new(value.clone()));
        from_target.chain(from_environment).collect()
    }
}

/// `dbt_project.yml` and the profile, read.
struct Root {
    config: ProjectConfig,
    target: Target,
    variables: Arc<Map<String, Json>>,
    /// Renders texts that may name secrets.
    secretive: Templates,
    /// Renders all others.
    templates: Templates,
}

/// Reads `dbt_project.yml` at `root`, and nothing of the packages: what needs no more works without them.
pub fn load_config(root: &Path, options: &LoadOptions) -> Result<(ProjectConfig, Diagnostics)> {
    read_root(root, options).map(|(root, warnings)| (root.config, warnings))
}

fn read_root(root: &Path, options: &LoadOptions) -> Result<(Root, Diagnostics)> {
    let variables = Arc::new(options.variables.clone());
    let environment = &options.environment;
    let (tree, mut warnings) = read_project_file(root)?;
    let secretive = scoped(environment, Arc::clone(&variables), None, true);
    let profile = profile_name(&tree, options, &secretive)?;
    let wanted = profile::Wanted {
        root,
        profiles_dir: options.profiles_dir.as_deref(),
        profile: &profile,
        target: options.target.as_deref(),
    };
    let (target, doubtful) = profile::load(wanted, environment, &secretive)?;
    warnings.extend(doubtful);
    let templates = scoped(environment, Arc::clone(&variables), Some(&target), false);
    let (config, doubtful) = config::read(&tree, &templates)?;
    warnings.extend(doubtful);
    Ok((Root { config, target, variables, secretive, templates }, warnings))
}

/// Loads the project at `root` with its packages. Findings of all files come together; warnings come with the
/// project.
pub fn load(root: &Path, options: &LoadOptions) -> Result<(Project, Diagnostics)> {
    let environment = &options.environment;
    let (Root { config, target, variables, secretive, templates }, mut warnings) = read_root(root, options)?;
    let (requests, doubtful) = packages::requests(root, Path::new(""), &secretive)?;
    warnings.extend(doubtful);
    let (found_packages, doubtful) = packages::find(root, &config, &requests.packages, &templates)?;
    warnings.extend(doubtful);
    let target_path = root.join(options.target_path.clone().unwrap_or_else(|| PathBuf::from(&config.target_path)));

    let mut found = Diagnostics::new();
    let mut packages = Vec::new();
    let skipped = [target_path.clone(), root.join(&config.packages_install_path)];
    let on_disk = std::iter::once((root.to_path_buf(), config.clone()))
        .chain(found_packages.into_iter().map(|package| (package.root, package.config)));
    for (index, (package_root, package_config)) in on_disk.enumerate() {
        let shown_from = if index == 0 { PathBuf::new() } else { packages::shown(&package_root, root) };
        let skipped: &[PathBuf] = if index == 0 { &skipped } else { &[] };
        let files = files::read_package(&package_root, &shown_from, &package_config, skipped);
        let Some(files) = found.keep(files) else { continue };
        let visible = visible_variables(&[&package_config, &config], &package_config.name, &variables);
        let templates = scoped(environment, Arc::new(visible), Some(&target), false);
        packages.push(assemble(package_config, package_root, files, &templates, false, &mut found));
    }
    for (name, directory, files) in embedded_packages(target.type_name()) {
        let config = ProjectConfig::embedded(name);
        let files = files::embedded(directory, &files);
        let mut package = assemble(config, PathBuf::new(), files, &templates, true, &mut found);
        match packages.iter_mut().find(|package: &&mut Package| package.embedded && package.name() == name) {
            Some(same) => {
                same.files.append(&mut package.files);
                same.properties.append(&mut package.properties);
            }
            None => packages.push(package),
        }
    }
    let selectors = found.keep(read_selectors(root, &templates)).flatten();
    warnings.extend(found);
    warnings.into_result(()).map(|((), warnings)| {
        let environment = Arc::clone(environment);
        let project = Project {
            root: root.to_path_buf(),
            target,
            packages,
            variables,
            environment,
            target_path,
            requests: requests.packages,
            selectors,
        };
        (project, warnings)
    })
}

fn read_project_file(root: &Path) -> Result<(Yaml, Diagnostics)> {
    let path = root.join("dbt_project.yml");
    if !path.is_file() {
        return Err(Diagnostic::error(Code::Project, format!("there is no dbt_project.yml in {}", root.display()))
            .help("go to the project's directory, name it with `--project-dir`, or make one with `strata init`")
            .into());
    }
    yaml::parse(&read_text(&path, Path::new("dbt_project.yml"))?)
}

fn profile_name(tree: &Yaml, options: &LoadOptions, templates: &Templates) -> Result<String> {
    if let Some(given) = &options.profile {
        return Ok(given.clone());
    }
    let missing = || {
        Diagnostic::error(Code::Profile, "dbt_project.yml names no `profile`")
            .at(Span::new(tree.span.file(), tree.span.range().start..tree.span.range().start), "")
            .help("add `profile: NAME`, or give `--profile NAME`")
    };
    let value = tree.get("profile").ok_or_else(missing)?;
    let text = value.scalar_text().ok_or_else(missing)?;
    if !has_jinja(&text) {
        return Ok(text);
    }
    match templates.render(&text, &value.span)? {
        Json::String(name) => Ok(name),
        other => Ok(other.to_string()),
    }
}

/// What `var()` finds in a package: later entries of `configs` win, `--vars` wins over all.
fn visible_variables(configs: &[&ProjectConfig], package: &str, given: &Map<String, Json>) -> Map<String, Json> {
    let mut visible = Map::new();
    for config in configs {
        visible.extend(config.variables.clone());
        if let Some(own) = config.variables.get(package).and_then(Json::as_object) {
            visible.extend(own.clone());
        }
    }
    visible.extend(given.clone());
    visible
}

fn scoped(
    environment: &Environment,
    variables: Arc<Map<String, Json>>,
    target: Option<&Target>,
    secrets: bool,
) -> Templates {
    let mut names = Map::new();
    names.insert("dbt_version".to_owned(), Json::from(DBT_VERSION));
    if let Some(target) = target {
        names.insert("target".to_owned(), Json::Object(target.values.clone()));
    }
    Templates::new(Scope { environment: Arc::clone(&environment.variables), secrets, variables, names })
}

/// Splits a package's files into those that are kept as text and properties, which are read here.
fn assemble(
    config: ProjectConfig,
    root: PathBuf,
    files: Vec<PackageFile>,
    templates: &Templates,
    embedded: bool,
    found: &mut Diagnostics,
) -> Package {
    let (described, files): (Vec<_>, Vec<_>) = files.into_iter().partition(|file| file.kind == FileKind::Properties);
    let read: Vec<_> = described
        .par_iter()
        .map(|file| properties::read(&file.source, &file.original_file_path, &file.path, templates))
        .collect();
    let mut properties = Vec::with_capacity(read.len());
    for one in read {
        if let Some((one, doubtful)) = found.keep(one) {
            properties.push(one);
            // What is doubtful in an installed package is its author's business.
            if root.as_os_str().is_empty() || !embedded {
                found.extend(doubtful);
            }
        }
    }
    Package { config, root, files, properties, embedded }
}

/// Name, directory and files of what is embedded; the adapter's package only for its own targets.
fn embedded_packages(adapter: &str) -> Vec<(&'static str, &'static str, Vec<builtin::EmbeddedFile>)> {
    let adapter = if adapter == "snowflake" { "dbt_snowflake" } else { "dbt_duckdb" };
    vec![
        (adapter, "macros", builtin::macros(adapter)),
        ("dbt", "macros", builtin::macros("dbt")),
        ("strata", "macros", builtin::macros("strata")),
        ("strata", "models", builtin::models()),
    ]
}

fn read_selectors(root: &Path, templates: &Templates) -> Result<Option<Yaml>> {
    let path = root.join("selectors.yml");
    if !path.is_file() {
        return Ok(None);
    }
    let (tree, _) = yaml::parse(&read_text(&path, Path::new("selectors.yml"))?)?;
    let rendered = tree.render_texts(&mut Vec::new(), &mut |_, text, span| {
        if has_jinja(text) { templates.render(text, span).map(Some) } else { Ok(None) }
    })?;
    Ok(Some(rendered))
}
