//! The stable names of findings. Each has a section in `docs/diagnostics.md`; a test checks that.

use std::fmt;

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident => $name:literal,)*) => {
        /// The stable name of a kind of finding, as shown in `error[unknown-ref]`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Code { $($(#[$doc])* $variant,)* }

        impl Code {
            /// Every code, for the test that each is documented.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)*];

            /// The name as shown to people and in JSON.
            pub fn name(self) -> &'static str {
                match self { $(Code::$variant => $name,)* }
            }
        }
    };
}

codes! {
    /// A file or directory could not be read or written.
    Io => "io",
    /// A command line or an environment variable that cannot be understood.
    Usage => "usage",
    /// Something that dbt has and this version of strata has not.
    NotSupported => "not-supported",
    /// YAML that is not well-formed.
    YamlSyntax => "yaml-syntax",
    /// A YAML value of the wrong type or outside what is allowed.
    YamlValue => "yaml-value",
    /// A YAML key that nothing reads.
    UnknownKey => "unknown-key",
    /// No `dbt_project.yml`, or one that lacks what is required.
    Project => "project",
    /// No usable profile or target.
    Profile => "profile",
    /// A package that is missing or cannot be loaded.
    Package => "package",
    /// No version or revision of a package is right for all that ask for it.
    PackageVersion => "package-version",
    /// A package could not be fetched.
    PackageFetch => "package-fetch",
    /// The files of a package are not those that were locked.
    PackageChanged => "package-changed",
    /// A package that would do harm, or is asked for in a way that would.
    PackageUnsafe => "package-unsafe",
    /// A config path in `dbt_project.yml` that matches no resource.
    UnusedConfigPath => "unused-config-path",
    /// A properties entry for a resource that does not exist.
    UnusedProperties => "unused-properties",
    /// A macro's arguments are not those that properties describe.
    MacroArguments => "macro-arguments",
    /// Jinja that cannot be parsed.
    JinjaSyntax => "jinja-syntax",
    /// Jinja that failed while it was rendered.
    JinjaRender => "jinja-render",
    /// An error that a macro raised with `exceptions.raise_compiler_error`.
    CompilerError => "compiler-error",
    /// A warning that a macro raised with `exceptions.warn`.
    MacroWarning => "macro-warning",
    /// A call of a macro that does not exist.
    UnknownMacro => "unknown-macro",
    /// A `ref()` to a node that does not exist.
    UnknownRef => "unknown-ref",
    /// A `ref()` to a node that is disabled.
    DisabledRef => "disabled-ref",
    /// A `source()` that is not declared.
    UnknownSource => "unknown-source",
    /// A `var()` that has no value.
    UnknownVariable => "unknown-variable",
    /// Two nodes with one name, or two relations in one place.
    DuplicateName => "duplicate-name",
    /// Nodes that depend on each other in a circle.
    Cycle => "cycle",
    /// A reference that the project's layers do not allow.
    Layer => "layer",
    /// A config value that a node cannot have.
    Config => "config",
    /// A selector that cannot be understood.
    Selector => "selector",
    /// SQL that cannot be parsed.
    SqlSyntax => "sql-syntax",
    /// SQL of one dialect that cannot be said in the other.
    SqlTranslation => "sql-translation",
    /// The warehouse refused a statement.
    Database => "database",
    /// The warehouse could not be reached or opened.
    Connection => "connection",
    /// A seed file that cannot be loaded.
    Seed => "seed",
    /// A test found rows that should not be there.
    TestFailed => "test-failed",
    /// A source is older than it may be, or its age cannot be told.
    Freshness => "freshness",
    /// A source could not be extracted.
    Extract => "extract",
    /// A slowly changing dimension would lose its invariants.
    Scd2 => "scd2",
    /// The comparison with another revision could not be made.
    Diff => "diff",
    /// An artifact of a former run that cannot be used.
    Artifact => "artifact",
    /// A defect of strata itself.
    Internal => "internal",
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
