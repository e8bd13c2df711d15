//! Parsing and compiling a generated project: a thousand models in four layers, ten macros, tests and docs.
//!
//! `cargo bench` prints the time a whole project takes; divide by the number of models for the cost of one.

use divan::Bencher;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use strata::compile::{Compiler, Surroundings};
use strata::graph::Graph;
use strata::parse::{ParseOptions, Parsed, parse};
use strata::project::{Environment, LoadOptions, Project, load};

fn main() {
    divan::main();
}

/// How many models each project has.
const MODELS: [usize; 2] = [1_000, 5_000];

/// A generated project on disk, removed when the benchmark ends.
struct Generated {
    directory: tempfile::TempDir,
}

impl Generated {
    fn new(models: usize) -> Self {
        let generated = Self { directory: tempfile::tempdir().expect("a temporary directory") };
        let root = generated.root();
        write(&root.join("dbt_project.yml"), "name: generated\nversion: '1.0'\nprofile: generated\n");
        write(
            &root.join("profiles.yml"),
            "generated:\n  target: dev\n  outputs:\n    dev: {type: duckdb, path: ':memory:', threads: 2}\n",
        );
        write(&root.join("macros/macros.sql"), &macros());
        let layers = ["raw", "staging", "integration", "presentation"];
        let width = models / layers.len();
        for (level, layer) in layers.iter().enumerate() {
            let mut properties = String::from("version: 2\nmodels:\n");
            for number in 0..width {
                let name = format!("{layer}_{number}");
                let _ = write!(
                    properties,
                    "  - name: {name}\n    description: A generated model.\n    columns:\n      - name: id\n        \
                     data_tests: [not_null]\n"
                );
                write(&root.join(format!("models/{layer}/{name}.sql")), &model(&layers, level, number, width));
            }
            write(&root.join(format!("models/{layer}/{layer}.yml")), &properties);
        }
        generated
    }

    fn root(&self) -> PathBuf {
        self.directory.path().to_path_buf()
    }

    fn load(&self) -> Arc<Project> {
        let environment = Environment { variables: Arc::default(), home: None, now: chrono::DateTime::UNIX_EPOCH };
        let options = LoadOptions {
            profiles_dir: None,
            profile: None,
            target: None,
            variables: serde_json::Map::default(),
            target_path: None,
            environment: Arc::new(environment),
        };
        Arc::new(load(&self.root(), &options).expect("a project without errors").0)
    }
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("a path with a directory")).expect("a directory");
    fs::write(path, text).expect("a file");
}

/// Ten macros that call each other as those of packages do.
fn macros() -> String {
    let mut text = String::new();
    for number in 0..10 {
        let inner = if number == 0 { "column".to_owned() } else { format!("clean_{}(column)", number - 1) };
        let _ = write!(
            text,
            "{{% macro clean_{number}(column, trimmed=true) %}}\n  {{%- set parts = [] -%}}\n  {{%- do parts.append({inner}) -%}}\n  \
             {{%- if trimmed -%}}trim({{{{ parts | join('') }}}}){{%- else -%}}{{{{ parts[0] }}}}{{%- endif -%}}\n{{% endmacro %}}\n"
        );
    }
    text
}

fn model(layers: &[&str], level: usize, number: usize, width: usize) -> String {
    if level == 0 {
        return format!("select {number} as id, ' a ' as name, 1.5 as amount");
    }
    let below = layers[level - 1];
    let other = (number * 7 + 1) % width;
    format!(
        "{{{{ config(materialized='table', tags=['{below}']) }}}}\n\nwith first as (\n    select * from {{{{ ref('{below}_{number}') }}}}\n),\n\n\
         second as (\n    select * from {{{{ ref('{below}_{other}') }}}}\n)\n\nselect\n    first.id,\n    {{{{ clean_{}('first.name') }}}} as name,\n    \
         {{% for column in ['amount'] %}}sum(second.{{{{ column }}}}) as {{{{ column }}}}{{% if not loop.last %}},{{% endif %}}{{% endfor %}}\n\
         from first\nleft join second on first.id = second.id\ngroup by 1, 2\n",
        number % 10
    )
}

fn parsed(project: &Arc<Project>) -> Parsed {
    let options = ParseOptions {
        flags: serde_json::Map::default(),
        invocation_args: serde_json::Map::default(),
        invocation_id: "bench".to_owned(),
        strict: false,
    };
    parse(project, &options).expect("a project without errors").0
}

/// Reading all files, `dbt_project.yml`, the profile and properties.
#[divan::bench(args = MODELS, sample_count = 10)]
fn load_project(bencher: Bencher, models: usize) {
    let generated = Generated::new(models);
    bencher.bench(|| generated.load());
}

/// Everything from texts to a manifest: macros, renders in the parse phase, configs, tests, references.
#[divan::bench(args = MODELS, sample_count = 10)]
fn parse_project(bencher: Bencher, models: usize) {
    let project = Generated::new(models).load();
    bencher.bench(|| parsed(&project));
}

/// The graph with its topological order.
#[divan::bench(args = MODELS, sample_count = 10)]
fn graph(bencher: Bencher, models: usize) {
    let parsed = parsed(&Generated::new(models).load());
    bencher.bench(|| Graph::new(&parsed.manifest).expect("no circle"));
}

/// The SQL of every model and test.
#[divan::bench(args = MODELS, sample_count = 10)]
fn compile_project(bencher: Bencher, models: usize) {
    let project = Generated::new(models).load();
    let parsed = parsed(&project);
    let ids: Vec<_> = parsed.manifest.nodes.keys().cloned().collect();
    let compiler = Compiler::new(&project, &parsed.manifest, &parsed.engine, ids.clone(), Arc::new(|_, _| ()));
    bencher.bench(|| compiler.compile_all(&ids, &Surroundings::default()));
}
