//! The project as it lies on disk: files, typed YAML, profile and target.

pub mod yaml;
