//! All tests that need more than one module.

mod adapter;
mod cases;
mod cli;
mod incremental;
mod macros;
mod scd2;
mod snapshots;
mod snowflake_functions;
mod snowflake_macros;
mod support;
mod template;
mod tidy;
