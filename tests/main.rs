//! All tests that need more than one module.

mod adapter;
mod macros;
mod tidy;
