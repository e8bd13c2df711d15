//! Parsing and compiling a generated project: a thousand models in four layers, ten macros, tests and docs.
//!
//! `cargo bench` prints the time a whole project takes; divide by the number of models for the cost of one.
//!
//! `render_models` renders 5,000 models, one after the other on one thread, that lean on a package of 500 macros: it
//! should render more than 6,700 models a second (150 µs of CPU each). Each time begins with macros that were not called
//! before. `Shared`: models call a macro with arguments that others call it with, too; `Own`: no call is like another.
//! `STRATA_BENCH_PACKAGE=<directory of a package>` puts a further package beside it.

use divan::Bencher;
use divan::counter::ItemsCount;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use strata::compile::{Compiler, Surroundings};
use strata::graph::Graph;
use strata::manifest::Node;
use strata::parse::{ParseOptions, Parsed, parse};
use strata::project::{Environment, LoadOptions, Project, load};

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    divan::main();
}

/// How many models each project has.
const MODELS: [usize; 2] = [1_000, 5_000];

/// The layers of a project, each on top of the one before.
const LAYERS: [&str; 4] = ["raw", "staging", "integration", "presentation"];
/// How many macros the large package has.
const PACKAGE_MACROS: usize = 500;

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
        let width = models / LAYERS.len();
        for (level, layer) in LAYERS.iter().enumerate() {
            let mut properties = String::from("version: 2\nmodels:\n");
            for number in 0..width {
                let name = format!("{layer}_{number}");
                let _ = write!(
                    properties,
                    "  - name: {name}\n    description: A generated model.\n    columns:\n      - name: id\n        \
                     data_tests: [not_null]\n"
                );
                write(&root.join(format!("models/{layer}/{name}.sql")), &model(level, number, width));
            }
            write(&root.join(format!("models/{layer}/{layer}.yml")), &properties);
        }
        generated
    }

    /// A project whose models lean on a large package.
    fn with_large_package(models: usize, arguments: Arguments) -> Self {
        let generated = Self::new(models);
        let packages = generated.root().join("dbt_packages");
        write(&packages.join("large/dbt_project.yml"), "name: large\nversion: '1.0'\n");
        for file in 0..PACKAGE_MACROS / 10 {
            let macros: String = (0..10).map(|at| package_macro(file * 10 + at)).collect();
            write(&packages.join(format!("large/macros/part_{file}.sql")), &macros);
        }
        for (level, layer) in LAYERS.iter().enumerate().skip(1) {
            let width = models / LAYERS.len();
            for number in 0..width {
                let path = generated.root().join(format!("models/{layer}/{layer}_{number}.sql"));
                write(&path, &model_with_package(level, number, width, arguments));
            }
        }
        if let Some(package) = further_package() {
            copy(&package, &packages.join(package.file_name().expect("a package has a name")));
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

fn model(level: usize, number: usize, width: usize) -> String {
    if level == 0 {
        return format!("select {number} as id, ' a ' as name, 1.5 as amount");
    }
    let below = LAYERS[level - 1];
    let other = (number * 7 + 1) % width;
    format!(
        "{{{{ config(materialized='table', tags=['{below}']) }}}}\n\nwith first as (\n    select * from {{{{ ref('{below}_{number}') }}}}\n),\n\n\
         second as (\n    select * from {{{{ ref('{below}_{other}') }}}}\n)\n\nselect\n    first.id,\n    {{{{ clean_{}('first.name') }}}} as name,\n    \
         {{% for column in ['amount'] %}}sum(second.{{{{ column }}}}) as {{{{ column }}}}{{% if not loop.last %}},{{% endif %}}{{% endfor %}}\n\
         from first\nleft join second on first.id = second.id\ngroup by 1, 2\n",
        number % 10
    )
}

/// A macro as packages have them: dispatched, with defaults, lists that grow, a block, a value that is returned. Each
/// tenth one calls the one before it.
fn package_macro(number: usize) -> String {
    let inner =
        if number.is_multiple_of(10) { "column".to_owned() } else { format!("large.macro_{}(column)", number - 1) };
    format!(
        "{{% macro macro_{number}(column, suffix='_{number}', quoted=false) %}}\n\
         {{{{ return(adapter.dispatch('macro_{number}', 'large')(column, suffix, quoted)) }}}}\n{{% endmacro %}}\n\
         {{% macro default__macro_{number}(column, suffix, quoted) %}}\n  {{%- set parts = [] -%}}\n\
         {{%- for part in [column, suffix] if part is not none -%}}\n    {{%- do parts.append(part | trim | lower) -%}}\n\
         {{%- endfor -%}}\n  {{%- set text -%}}coalesce({{{{ {inner} }}}}, '{{{{ parts | join('_') }}}}'){{%- endset -%}}\n\
         {{%- if quoted -%}}{{{{ return('\"' ~ text ~ '\"') }}}}{{%- endif -%}}\n  {{{{ return(text) }}}}\n{{% endmacro %}}\n"
    )
}

/// What the models of [`Generated::with_large_package`] call its macros with.
#[derive(Debug, Clone, Copy)]
enum Arguments {
    /// What other models call them with, too.
    Shared,
    /// What no other model calls them with.
    Own,
}

/// A model that calls a chain of five macros of the package for each of four columns.
fn model_with_package(level: usize, number: usize, width: usize, arguments: Arguments) -> String {
    let below = LAYERS[level - 1];
    let table = match arguments {
        Arguments::Shared => "first".to_owned(),
        Arguments::Own => format!("first_{below}_{number}"),
    };
    let other = (number * 7 + 1) % width;
    let called = (number * 13) % (PACKAGE_MACROS / 10) * 10 + 4;
    format!(
        "{{{{ config(materialized='table', tags=['{below}']) }}}}\n\nwith {table} as (select * from {{{{ ref('{below}_{number}') }}}}),\n\
         second as (select * from {{{{ ref('{below}_{other}') }}}})\n\nselect\n    {table}.id,\n    \
         {{%- for column in ['name', 'amount', 'city', 'country'] %}}\n    {{{{ large.macro_{called}('{table}.' ~ column) }}}} as {{{{ column }}}}\
         {{{{ ',' if not loop.last }}}}\n    {{%- endfor %}}\nfrom {table}\nleft join second on {table}.id = second.id\n"
    )
}

#[expect(clippy::disallowed_methods, reason = "a benchmark has no command line of its own")]
fn further_package() -> Option<PathBuf> {
    std::env::var_os("STRATA_BENCH_PACKAGE").map(PathBuf::from)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("the package can be read") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a copy");
        }
    }
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

fn is_model(node: &Node) -> bool {
    node.package_name == "generated" && node.test.is_none()
}

/// The SQL of 5,000 models that lean on a package of 500 macros, on one thread.
#[divan::bench(args = [Arguments::Shared, Arguments::Own], sample_count = 10, sample_size = 1)]
fn render_models(bencher: Bencher, arguments: Arguments) {
    let project = Generated::with_large_package(5_000, arguments).load();
    let surroundings = Surroundings::default();
    bencher
        .with_inputs(|| parsed(&project))
        .input_counter(|parsed| ItemsCount::new(parsed.manifest.nodes.values().filter(|node| is_model(node)).count()))
        .bench_refs(|parsed| {
            let compiler = Compiler::new(&project, &parsed.manifest, &parsed.engine, vec![], Arc::new(|_, _| ()));
            for model in parsed.manifest.nodes.values().filter(|node| is_model(node)) {
                divan::black_box(compiler.compile(model, &surroundings).expect("a model without errors"));
            }
        });
}
