//! The command line: what was typed, what it means, and one file a verb.

pub mod arguments;
pub mod settings;
mod unbuilt;
