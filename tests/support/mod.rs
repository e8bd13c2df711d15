//! What tests share.

pub mod builder;
pub mod script;
