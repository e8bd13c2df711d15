//! The layers of a project: raw, staging, integration, presentation, or those that it names itself.

use super::yaml::{Reader, Yaml, YamlValue};
use crate::diagnostic::{Code, Diagnostic, Span};

/// One layer: the models below a folder, and what holds for them.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// Its name.
    pub name: String,
    /// Folders within `model-paths`, with `/`, that hold its models.
    pub folders: Vec<String>,
    /// How its models are materialized if they do not say.
    pub materialized: Option<String>,
    /// The schema of its models if they do not say.
    pub schema: Option<String>,
    /// Prefixes of which every model must have one; none where any name will do.
    pub prefixes: Vec<String>,
    /// The layers that it may read besides itself. Sources count as the lowest layer's.
    pub reads: Vec<String>,
    /// Whether its models may read sources.
    pub reads_sources: bool,
    /// Where it is declared.
    pub span: Span,
}

impl Layer {
    /// Whether a model at `path` (within its model directory) belongs to the layer.
    pub fn holds(&self, path: &str) -> bool {
        self.folders.iter().any(|folder| path.strip_prefix(folder.as_str()).is_some_and(|rest| rest.starts_with('/')))
    }

    /// Whether it may read `other`.
    pub fn may_read(&self, other: &Layer) -> bool {
        self.name == other.name || self.reads.contains(&other.name)
    }
}

/// Name, materialization and prefixes of the four layers, bottom first.
const DEFAULTS: [(&str, &str, &[&str]); 4] = [
    ("raw", "extract", &[]),
    ("staging", "view", &["stg_"]),
    ("integration", "view", &["int_"]),
    ("presentation", "table", &["dim_", "fct_", "fact_", "bridge_", "agg_", "rpt_"]),
];

/// The four layers as they are without further words. Each reads itself and the one below; raw and staging read
/// sources.
pub fn defaults(span: &Span) -> Vec<Layer> {
    let layer = |(index, (name, materialized, prefixes)): (usize, (&str, &str, &[&str]))| Layer {
        name: name.to_owned(),
        folders: vec![name.to_owned()],
        materialized: Some(materialized.to_owned()),
        schema: Some(name.to_owned()),
        prefixes: prefixes.iter().map(|prefix| (*prefix).to_owned()).collect(),
        reads: index.checked_sub(1).map(|below| DEFAULTS[below].0.to_owned()).into_iter().collect(),
        reads_sources: index < 2,
        span: span.clone(),
    };
    DEFAULTS.into_iter().enumerate().map(layer).collect()
}

/// Reads `layers:`. `true` and `{}` mean the four layers; a mapping names layers, bottom first, and changes those
/// of the four that it names; without the key there are none.
pub fn read(reader: &mut Reader<'_>) -> Vec<Layer> {
    let Some(value) = reader.entry_or_null("layers") else { return vec![] };
    match &value.value {
        YamlValue::Bool(false) => vec![],
        YamlValue::Bool(true) | YamlValue::Null => defaults(&value.span),
        YamlValue::Mapping(entries) if entries.is_empty() => defaults(&value.span),
        YamlValue::Mapping(entries) => {
            let mut layers: Vec<Layer> = Vec::new();
            for (name, entry) in entries {
                let layer = read_layer(name, &entry.key, &entry.value, layers.last(), reader);
                layers.push(layer);
            }
            check(&layers, reader);
            layers
        }
        _ => {
            reader.report(
                Diagnostic::error(Code::YamlValue, format!("`layers` must be a mapping, not {}", value.kind()))
                    .at(value.span.clone(), "expected layers by name, or `true` for the four of strata"),
            );
            vec![]
        }
    }
}

fn read_layer(name: &str, span: &Span, value: &Yaml, below: Option<&Layer>, outer: &Reader<'_>) -> Layer {
    let known = defaults(span).into_iter().find(|layer| layer.name == name);
    let mut layer = known.unwrap_or_else(|| Layer {
        name: name.to_owned(),
        folders: vec![name.to_owned()],
        materialized: None,
        schema: None,
        prefixes: vec![],
        reads: vec![],
        reads_sources: below.is_none(),
        span: span.clone(),
    });
    layer.reads = below.map(|below| below.name.clone()).into_iter().collect();
    let mut reader = Reader::new(value, "layer", outer.found());
    if let Some(folders) = reader.texts("folder").or_else(|| reader.texts("folders")) {
        layer.folders = folders.iter().map(|folder| folder.trim_matches('/').to_owned()).collect();
    }
    reader.ignore(&["folders"]);
    layer.materialized = reader.text("materialized").or(layer.materialized);
    layer.schema = reader.text("schema").or(layer.schema);
    if let Some(prefixes) = reader.texts("prefix").or_else(|| reader.texts("prefixes")) {
        layer.prefixes = prefixes;
    }
    reader.ignore(&["prefixes"]);
    if let Some(reads) = reader.texts("reads") {
        layer.reads_sources = reads.iter().any(|read| read == "sources");
        layer.reads = reads.into_iter().filter(|read| read != "sources").collect();
    }
    reader.finish();
    layer
}

/// Every layer that is read must be one.
fn check(layers: &[Layer], reader: &Reader<'_>) {
    for layer in layers {
        for read in &layer.reads {
            if !layers.iter().any(|other| other.name == *read) {
                let mut found = Diagnostic::error(
                    Code::Layer,
                    format!("the layer `{}` reads `{read}`, which is no layer", layer.name),
                )
                .at(layer.span.clone(), "");
                if let Some(help) = super::config::did_you_mean(read, layers.iter().map(|other| other.name.as_str())) {
                    found = found.help(help);
                }
                reader.report(found);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::yaml::{Found, parse_text};
    use super::*;

    fn layers(text: &str) -> (Vec<Layer>, usize) {
        let yaml = parse_text(text, "dbt_project.yml").expect("valid YAML");
        let found = Found::default();
        let layers = read(&mut Reader::new(&yaml, "project", &found));
        let count = found.borrow().len();
        (layers, count)
    }

    #[test]
    fn layers_are_on_only_where_asked_for() {
        assert!(layers("name: shop").0.is_empty());
        assert_eq!(layers("layers: true").0.len(), 4);
        assert_eq!(layers("layers:").0.len(), 4);
    }

    #[test]
    fn a_layer_reads_itself_and_the_one_below() {
        let (layers, found) =
            layers("layers: {raw: , staging: {schema: stage}, marts: {prefix: [dim_], folder: a/marts/}}");
        assert_eq!(found, 0);
        let [raw, staging, marts] = layers.as_slice() else { panic!("three layers") };
        assert!(staging.may_read(raw) && marts.may_read(staging) && !marts.may_read(raw) && !raw.may_read(staging));
        assert_eq!((staging.schema.as_deref(), staging.materialized.as_deref()), (Some("stage"), Some("view")));
        assert!(marts.holds("a/marts/x/dim_a.sql") && !marts.holds("a/marts2/dim_a.sql"));
        assert!(raw.reads_sources && staging.reads_sources && !marts.reads_sources);
    }

    #[test]
    fn an_unknown_layer_is_found() {
        assert_eq!(layers("layers: {a: {reads: b}}").1, 1);
    }
}
