//! The only door to sqlparser: dialects, statements, CTEs, translation, canonical form, references.
//!
//! What only needs to know where a string or a comment ends (splitting, CTE injection, the canonical form)
//! stands on [`token`], which never fails and keeps every byte; what must understand SQL (translation,
//! references) parses it.

mod canonical;
mod cte;
mod error;
mod references;
mod statements;
mod token;
mod translate;

pub use canonical::canonical;
pub use cte::inject_ctes;
pub use error::check_syntax;
pub use references::{References, references};
pub use statements::{StatementKind, split_statements, statement_kind};
pub use translate::translate;

/// A warehouse's way of writing SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// DuckDB.
    DuckDb,
    /// Snowflake.
    Snowflake,
}

impl Dialect {
    /// The dialect that a word in a config or a profile means.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "duckdb" => Some(Self::DuckDb),
            "snowflake" => Some(Self::Snowflake),
            _ => None,
        }
    }

    /// The word for it in a config or a profile.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DuckDb => "duckdb",
            Self::Snowflake => "snowflake",
        }
    }

    /// A text as a literal of this dialect; Snowflake reads backslashes as escapes.
    pub fn string_literal(self, text: &str) -> String {
        match self {
            Self::DuckDb => crate::name::quote_literal(text),
            Self::Snowflake => crate::name::quote_literal(&text.replace('\\', "\\\\")),
        }
    }

    /// A name in quotes that unquoted use finds: Snowflake keeps unquoted names in capitals.
    pub fn usual_name(self, name: &str) -> String {
        match self {
            Self::DuckDb => crate::name::quote_identifier(name),
            Self::Snowflake => crate::name::quote_identifier(&name.to_uppercase()),
        }
    }

    /// The type of a point in time with its offset.
    pub fn instant_type(self) -> &'static str {
        match self {
            Self::DuckDb => "timestamp with time zone",
            Self::Snowflake => "timestamp_tz",
        }
    }

    /// Whether temporary tables lie in a schema like any other table.
    pub fn temporary_tables_have_schemas(self) -> bool {
        self == Self::Snowflake
    }

    /// The dialect's name as people write it.
    fn title(self) -> &'static str {
        match self {
            Self::DuckDb => "DuckDB",
            Self::Snowflake => "Snowflake",
        }
    }

    /// sqlparser's dialect.
    fn parser(self) -> &'static dyn sqlparser::dialect::Dialect {
        match self {
            Self::DuckDb => &sqlparser::dialect::DuckDbDialect {},
            Self::Snowflake => &sqlparser::dialect::SnowflakeDialect {},
        }
    }
}
