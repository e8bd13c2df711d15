//! What templates can tell apart between warehouses: names of Python classes, words for types, what is supported.
//!
//! Statements are macros (`macros/adapters/*.sql`); only answers that dbt gives without SQL stand here.

use crate::adapter::{ColumnType, RelationType};
use crate::name::Quoting;

/// A warehouse, as far as the objects of templates differ by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Warehouse {
    /// `DuckDB`.
    DuckDb,
    /// Snowflake.
    Snowflake,
}

/// How far a warehouse takes a declared constraint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Support {
    /// Written into the DDL and checked by the warehouse.
    Enforced,
    /// Written into the DDL, never checked.
    NotEnforced,
    /// Not written.
    NotSupported,
}

impl Warehouse {
    /// The warehouse of a profile's `type`.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "duckdb" => Some(Self::DuckDb),
            "snowflake" => Some(Self::Snowflake),
            _ => None,
        }
    }

    /// The word in profiles and macro names.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DuckDb => "duckdb",
            Self::Snowflake => "snowflake",
        }
    }

    /// The name of dbt's relation class, which `dbt_utils` looks at.
    pub(super) fn relation_class(self) -> &'static str {
        match self {
            Self::DuckDb => "DuckDBRelation",
            Self::Snowflake => "SnowflakeRelation",
        }
    }

    /// The name of dbt's column class.
    pub(super) fn column_class(self) -> &'static str {
        match self {
            Self::DuckDb => "DuckDBColumn",
            Self::Snowflake => "SnowflakeColumn",
        }
    }

    /// How names are quoted where neither the project nor a resource says so.
    pub fn default_quoting(self) -> Quoting {
        match self {
            Self::DuckDb => Quoting::ALL,
            Self::Snowflake => Quoting::NONE,
        }
    }

    /// Whether the columns of a seed are quoted where its config says nothing.
    pub(super) fn quotes_seed_columns(self) -> bool {
        self == Self::DuckDb
    }

    /// Whether names that differ only by case mean one relation, however they are quoted.
    pub(super) fn ignores_case(self) -> bool {
        self == Self::DuckDb
    }

    /// Whether names that are not quoted are kept in upper case.
    pub(super) fn folds_names(self) -> bool {
        self == Self::Snowflake
    }

    /// Whether a refusal to list a schema means that there is none.
    pub(super) fn says_schema_is_missing(self, message: &str) -> bool {
        self == Self::Snowflake && message.contains("Object does not exist, or operation cannot be performed")
    }

    /// Types of relations that the macros of this warehouse can rename.
    pub(super) fn renameable(self) -> &'static [RelationType] {
        match self {
            Self::DuckDb => &[],
            Self::Snowflake => &[RelationType::Table, RelationType::View],
        }
    }

    /// Types of relations that one statement replaces.
    pub(super) fn replaceable(self) -> &'static [RelationType] {
        match self {
            Self::DuckDb => &[],
            Self::Snowflake => &[RelationType::DynamicTable, RelationType::Table, RelationType::View],
        }
    }

    /// The incremental strategies that work here.
    pub(super) fn incremental_strategies(self) -> &'static [&'static str] {
        match self {
            Self::DuckDb => &["append", "delete+insert", "merge", "microbatch"],
            Self::Snowflake => &["append", "merge", "delete+insert", "microbatch", "insert_overwrite"],
        }
    }

    /// How far a constraint of this type (`not_null`, `check`, …) goes; none for an unknown type.
    pub(super) fn constraint(self, constraint_type: &str) -> Option<Support> {
        let support = match (self, constraint_type) {
            (Self::DuckDb, "check" | "unique" | "primary_key" | "foreign_key") | (_, "not_null") => Support::Enforced,
            (Self::Snowflake, "unique" | "primary_key" | "foreign_key") => Support::NotEnforced,
            (Self::Snowflake, "check") => Support::NotSupported,
            _ => return None,
        };
        Some(support)
    }

    /// The type's word in DDL, for the columns of a seed.
    pub(super) fn seed_type(self, column_type: &ColumnType) -> String {
        let word = match (self, column_type) {
            (_, ColumnType::Boolean) => "boolean",
            (Self::DuckDb, ColumnType::BigInt) => "bigint",
            (Self::Snowflake, ColumnType::BigInt) => "integer",
            (_, ColumnType::Double | ColumnType::Decimal(..)) => "float8",
            (_, ColumnType::Date) => "date",
            (_, ColumnType::Time) => "time",
            (_, ColumnType::Timestamp) => "timestamp without time zone",
            (_, ColumnType::TimestampTz) => "timestamp with time zone",
            (Self::DuckDb, ColumnType::Binary) => "blob",
            (Self::Snowflake, ColumnType::Binary) => "binary",
            (Self::DuckDb, ColumnType::Json) => "json",
            (Self::Snowflake, ColumnType::Json) => "variant",
            (_, ColumnType::Text) => "text",
            (_, ColumnType::Other(word)) => word,
        };
        word.to_owned()
    }

    /// The type's word as a query's columns show it, where the warehouse does not say it itself.
    pub(super) fn query_type(self, column_type: &ColumnType) -> String {
        match (self, column_type) {
            (Self::Snowflake, ColumnType::BigInt) => "NUMBER(38,0)".to_owned(),
            (_, ColumnType::Decimal(precision, scale)) => format!("NUMBER({precision},{scale})"),
            (Self::Snowflake, ColumnType::Double) => "FLOAT".to_owned(),
            (Self::Snowflake, ColumnType::Text) => "VARCHAR".to_owned(),
            (Self::Snowflake, ColumnType::Timestamp) => "TIMESTAMP_NTZ".to_owned(),
            (Self::Snowflake, ColumnType::TimestampTz) => "TIMESTAMP_TZ".to_owned(),
            _ => self.seed_type(column_type).to_uppercase(),
        }
    }
}
