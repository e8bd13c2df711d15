//! strata: a dbt project, extraction and a warehouse in one binary.
#![doc = include_str!("../ARCHITECTURE.md")]

// In pipeline order: a module may use only what stands above it here, which tests/tidy.rs checks.
// The whole order: diagnostic, name, secret, sql, template, project, deps, manifest, graph, adapter, jinja, parse, compile,
// diff, extract, plan, run, artifact, report, cli.
pub mod diagnostic;
pub mod name;
pub mod secret;
pub mod sql;
pub mod template;
pub mod project;
pub mod deps;
pub mod manifest;
pub mod graph;
pub mod adapter;
pub mod jinja;
pub mod parse;
pub mod compile;
pub mod diff;
pub mod extract;
pub mod plan;
pub mod run;
pub mod artifact;
pub mod report;
pub mod cli;
