//! strata: a dbt project, extraction and a warehouse in one binary.
//!
//! Modules stand in pipeline order: a module may use only what stands above it here. `tests/tidy.rs` checks it.

pub mod adapter;
pub mod diagnostic;
pub mod jinja;
pub mod manifest;
pub mod name;
pub mod project;
pub mod run;
pub mod secret;
pub mod sql;

pub mod artifact;
