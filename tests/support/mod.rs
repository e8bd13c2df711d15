//! What tests share.

pub mod builder;
pub mod database;
pub mod erp;
pub mod hub;
pub mod project;
pub mod script;
pub mod silent_host;
pub mod stage;
