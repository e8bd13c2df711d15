//! Whole projects in, one text out: nodes, what they depend on, their configs, and every finding as it is shown.
//!
//! Each directory of `tests/cases/` is a project. A file `case.yml` in it may say more: `vars`, `target`, `strict`,
//! whether control tables are shown (`control`), and `selectors` whose selection is shown.

use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use strata::diagnostic::{Diagnostics, Result, Style, render};
use strata::graph::{Graph, Indirect, SelectionSpec, StateInputs, select};
use strata::manifest::{Manifest, Node};
use strata::name::ResourceType;
use strata::parse::{ParseOptions, parse};
use strata::project::yaml::{Yaml, parse_text};
use strata::project::{Environment, LoadOptions, load};

/// The environment variables that every case sees.
const VARIABLES: [(&str, &str); 2] = [("CASE_SCHEMA", "from_env"), ("DBT_ENV_SECRET_CASE", "hush")];

/// What a case says of itself.
#[derive(Default)]
struct Case {
    root: PathBuf,
    variables: Map<String, Json>,
    target: Option<String>,
    strict: bool,
    control: bool,
    selectors: Vec<String>,
}

impl Case {
    fn read(root: PathBuf) -> Self {
        let Ok(text) = std::fs::read_to_string(root.join("case.yml")) else { return Self { root, ..Self::default() } };
        let yaml = parse_text(&text, "case.yml").expect("case.yml is valid YAML");
        let texts = |key: &str| -> Vec<String> {
            yaml.get(key).and_then(Yaml::as_sequence).unwrap_or(&[]).iter().filter_map(Yaml::scalar_text).collect()
        };
        Self {
            root,
            variables: yaml.get("vars").map(Yaml::to_json_map).unwrap_or_default(),
            target: yaml.get("target").and_then(Yaml::scalar_text),
            strict: yaml.get("strict").and_then(Yaml::as_bool).unwrap_or(false),
            control: yaml.get("control").and_then(Yaml::as_bool).unwrap_or(false),
            selectors: texts("selectors"),
        }
    }

    fn parse(&self) -> Result<(Arc<Manifest>, Diagnostics)> {
        let variables: BTreeMap<String, String> =
            VARIABLES.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let options = LoadOptions {
            profiles_dir: None,
            profile: None,
            target: self.target.clone(),
            variables: self.variables.clone(),
            target_path: None,
            environment: Arc::new(Environment {
                variables: Arc::new(variables),
                home: None,
                now: chrono::DateTime::from_timestamp(1_700_000_000, 0).expect("a time"),
            }),
        };
        let (project, mut warnings) = load(&self.root, &options)?;
        let options = ParseOptions { strict: self.strict, ..ParseOptions::default() };
        let (parsed, doubtful) = parse(&project, &options)?;
        warnings.extend(doubtful);
        Ok((parsed.manifest, warnings))
    }

    /// The whole case as text.
    fn shown(&self) -> String {
        let mut text = String::new();
        match self.parse().and_then(|(manifest, warnings)| Ok((Graph::new(&manifest)?, manifest, warnings))) {
            Ok((graph, manifest, warnings)) => {
                show_findings(&warnings, &mut text);
                for node in manifest.nodes.values().filter(|node| self.control || node.package_name != "strata") {
                    show_node(node, &mut text);
                }
                for source in manifest.sources.values() {
                    writeln!(text, "{}\n  relation: {}", source.unique_id, source.relation_name).expect("a string");
                    writeln!(text, "  config: {}", Json::Object(source.config.values().clone())).expect("a string");
                }
                for id in manifest.disabled.keys() {
                    writeln!(text, "disabled: {id}").expect("a string");
                }
                for selector in &self.selectors {
                    Self::show_selection(selector, &manifest, &graph, &mut text);
                }
            }
            Err(found) => show_findings(&found, &mut text),
        }
        text.replace(&*self.root.to_string_lossy(), "<case>")
    }

    fn show_selection(selector: &str, manifest: &Manifest, graph: &Graph, text: &mut String) {
        writeln!(text, "\n--select {selector}").expect("a string");
        let spec = SelectionSpec::from_flags(&[selector.to_owned()], &[], Indirect::Eager);
        match spec.and_then(|spec| select(manifest, graph, &spec, &StateInputs::default())) {
            Ok(selection) => {
                show_findings(&selection.warnings, text);
                for id in selection.ordered(graph) {
                    writeln!(text, "  {id}").expect("a string");
                }
            }
            Err(found) => show_findings(&found, text),
        }
    }
}

/// Every selection of the file, which says what dbt 1.11 selects with these flags.
#[test]
fn selectors_mean_what_they_mean_to_dbt() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/selection");
    let expected = std::fs::read_to_string(root.join("expected_of_dbt.txt")).expect("the file is there");
    let (manifest, _) = Case::read(root).parse().expect("a valid project");
    let graph = Graph::new(&manifest).expect("no circle");
    let mut wrong = Vec::new();
    for block in expected.split("\n\n") {
        let mut lines = block.lines();
        let Some(flags) = lines.next() else { continue };
        let wanted: Vec<&str> = lines.map(str::trim).collect();
        let (mut included, mut excluded, mut indirect) = (vec![], vec![], Indirect::Eager);
        let mut flag = "";
        for word in flags.split(' ') {
            match (word, flag) {
                ("--select" | "--exclude" | "--indirect-selection", _) => flag = word,
                (_, "--select") => included.push(word.to_owned()),
                (_, "--exclude") => excluded.push(word.to_owned()),
                _ => indirect = Indirect::from_word(word).expect("a mode"),
            }
        }
        let spec = SelectionSpec::from_flags(&included, &excluded, indirect).expect("valid selectors");
        let selection = select(&manifest, &graph, &spec, &StateInputs::default()).expect("selectors without state");
        let given: Vec<&str> = selection.ids.iter().map(strata::name::UniqueId::as_str).collect();
        if given != wanted {
            let only = |some: &[&str], others: &[&str]| -> Vec<String> {
                some.iter().filter(|id| !others.contains(id)).map(|id| (*id).to_owned()).collect()
            };
            wrong.push(format!(
                "{flags}\n  only strata: {:?}\n  only dbt: {:?}",
                only(&given, &wanted),
                only(&wanted, &given)
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn show_findings(found: &Diagnostics, text: &mut String) {
    for finding in found {
        writeln!(text, "{}\n", render(finding, Style::Plain)).expect("a string");
    }
}

fn show_node(node: &Node, text: &mut String) {
    let mut line = |what: &str, value: String| {
        if !value.is_empty() {
            writeln!(text, "  {what}: {value}").expect("a string");
        }
    };
    let joined = |ids: &[strata::name::UniqueId]| ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let id = node.unique_id.to_string();
    let mut config = node.config.values().clone();
    config.shift_remove("enabled");
    line("node", id);
    line("fqn", node.fqn.join("."));
    line("path", format!("{} ({})", node.path, node.original_file_path));
    line("relation", node.relation_name.as_ref().map(ToString::to_string).unwrap_or_default());
    line("config", Json::Object(config).to_string());
    line("depends on", joined(&node.depends_on.nodes));
    line("macros", joined(&node.depends_on.macros));
    line("description", node.description.clone());
    line("columns", node.columns.keys().cloned().collect::<Vec<_>>().join(", "));
    for constraint in node.all_constraints() {
        line("constraint", Json::Object(constraint.shape_of_model()).to_string());
    }
    line("contract", node.contract_checksum.clone().unwrap_or_default());
    if node.resource_type == ResourceType::Test && node.test.is_some() {
        line("code", node.raw_code.to_string());
    }
    if let Some(test) = &node.unit_test {
        line("unit test", Json::Object(test.content()).to_string());
    }
    text.push('\n');
}

#[test]
fn every_case_gives_what_it_gave() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut roots: Vec<PathBuf> = std::fs::read_dir(&directory)
        .expect("the cases are there")
        .map(|entry| entry.expect("a readable entry").path())
        .filter(|path| path.is_dir())
        .collect();
    roots.sort();
    assert!(roots.len() > 10, "the cases are gone");
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_snapshot_path(directory.join("expected"));
    roots.retain(|root| !root.ends_with("expected"));
    settings.bind(|| {
        for root in roots {
            let name = root.file_name().expect("a name").to_string_lossy().into_owned();
            insta::assert_snapshot!(name, Case::read(root).shown());
        }
    });
}
