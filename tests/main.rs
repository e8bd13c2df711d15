//! All tests that need more than one module.

mod adapter;
mod tidy;
