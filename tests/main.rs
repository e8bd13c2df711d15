//! All tests that need more than one module.

mod adapter;
mod cases;
mod macros;
mod snowflake_functions;
mod tidy;
