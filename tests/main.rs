//! All tests that need more than one module.

mod adapter;
mod cases;
mod cli;
mod commands;
mod contracts;
#[path = "../examples/crm_api/server.rs"]
mod crm_api;
mod deps;
mod extract;
mod incremental;
mod jinja;
mod kill;
mod macros;
mod microbatch;
mod other_environment;
mod pipeline;
mod scd2;
mod snapshots;
mod snowflake;
mod snowflake_functions;
mod snowflake_macros;
mod snowflake_project;
mod snowflake_stage;
mod support;
mod template;
mod tidy;
mod unit_tests;
mod warehouse_source;
