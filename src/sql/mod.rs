//! The only door to sqlparser: dialects, statements, translation, canonical form.

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

    /// A text as a literal of this dialect; Snowflake reads backslashes as escapes.
    pub fn string_literal(self, text: &str) -> String {
        match self {
            Self::DuckDb => crate::name::quote_literal(text),
            Self::Snowflake => crate::name::quote_literal(&text.replace('\\', "\\\\")),
        }
    }
}
