//! dbt's Jinja on upstream minijinja.

pub mod host;
