//! What both fuzz targets need: templates rendered with a small context.

#[path = "../../tests/support/silent_host.rs"]
mod silent_host;

use silent_host::SilentHost;
use std::sync::{Arc, LazyLock};
use strata::diagnostic::{Diagnostic, SourceFile};
use strata::jinja::context::{ContextSettings, NodeContext, RuntimeSettings, Warehouse, node_values, shared};
use strata::jinja::host::Phase;
use strata::jinja::{Engine, PackageKind, RegistryBuilder, RenderContext, Template, scan_macro_file};
use strata::name::Quoting;

/// Macros that the rendered templates can call.
const MACROS: &str = include_str!("../../tests/jinja/project/macros/calls.sql");

static ENGINE: LazyLock<Arc<Engine>> = LazyLock::new(|| {
    let mut registry = RegistryBuilder::new();
    registry.add_package("dbt", PackageKind::Internal);
    let file = SourceFile::new("macros/calls.sql", MACROS);
    let macros = scan_macro_file("cases", &file).expect("the macros are right").macros;
    // What calls itself twice takes as long as it says: what is looked for here is not time.
    for definition in macros.into_iter().filter(|definition| definition.name != "fibonacci") {
        registry.add(definition);
    }
    let registry = registry.build("cases", "duckdb", std::collections::HashMap::new()).expect("no macro twice");
    Engine::new(registry, shared(&settings()))
});

fn settings() -> ContextSettings {
    ContextSettings {
        warehouse: Warehouse::DuckDb,
        project_name: "cases".to_owned(),
        target: serde_json::Map::new(),
        flags: serde_json::Map::new(),
        behavior: serde_json::Map::new(),
        quoting: Quoting { database: true, schema: true, identifier: true },
        run_started_at: chrono::DateTime::UNIX_EPOCH,
        invocation_id: "an-id".to_owned(),
        dbt_version: ContextSettings::COMPATIBLE_DBT_VERSION.to_owned(),
        invocation_args: serde_json::Map::new(),
        metadata_envs: std::collections::BTreeMap::new(),
        runtime: RuntimeSettings::default(),
    }
}

/// Renders a text as a model in one phase.
pub fn render(text: &str, phase: Phase) -> Result<String, Diagnostic> {
    let template = Template::whole(&SourceFile::new("models/m.sql", text))?;
    let values = node_values(Warehouse::DuckDb, NodeContext::default());
    let context = RenderContext::new(&ENGINE, "cases", values, Arc::new(SilentHost::new(phase)));
    ENGINE.render(&template, &context).map(|rendered| rendered.text)
}

/// Reads a text as a file of macros, and calls each of them without arguments.
pub fn call_all(text: &str) {
    let file = SourceFile::new("macros/m.sql", text);
    let Ok(blocks) = scan_macro_file("cases", &file) else { return };
    let values = node_values(Warehouse::DuckDb, NodeContext::default());
    let context = RenderContext::new(&ENGINE, "cases", values, Arc::new(SilentHost::new(Phase::Execute)));
    for definition in blocks.macros {
        // The result may be an error; it must not be a panic.
        let _ = ENGINE.call_macro(&Arc::new(definition), &[], &[], &context);
    }
}
