//! What tests share.

pub mod builder;
