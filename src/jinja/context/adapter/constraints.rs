//! `adapter.*` about declared constraints: how they are written into DDL.

use super::{Call, list};
use crate::diagnostic::Code;
use crate::jinja::context::failure;
use crate::jinja::context::warehouse::{Support, Warehouse};
use crate::jinja::value::{is_absent, pairs, repr, text};
use crate::name::quote_identifier;
use minijinja::Error;
use minijinja::value::Value;

/// A constraint as declared under `constraints:`.
struct Constraint {
    kind: String,
    name: Option<String>,
    expression: Option<String>,
    columns: Vec<String>,
    to: Option<String>,
    to_columns: Vec<String>,
    warn_unsupported: bool,
    warn_unenforced: bool,
}

impl Constraint {
    fn read(value: &Value) -> Result<Self, Error> {
        let field = |key: &str| value.get_attr(key).ok().filter(|found| !is_absent(found) && found.is_true());
        let words = |key: &str| -> Result<Vec<String>, Error> {
            field(key).map_or(Ok(vec![]), |found| Ok(found.try_iter()?.map(|word| text(&word)).collect()))
        };
        let flag = |key: &str| value.get_attr(key).ok().filter(|f| !is_absent(f)).is_none_or(|flag| flag.is_true());
        let Some(kind) = field("type").map(|word| text(&word)) else {
            return Err(failure(Code::Config, format!("this constraint has no type: {}", repr(value))));
        };
        Ok(Self {
            kind,
            name: field("name").map(|name| text(&name)),
            expression: field("expression").map(|expression| text(&expression)),
            columns: words("columns")?,
            to: field("to").map(|to| text(&to)),
            to_columns: words("to_columns")?,
            warn_unsupported: flag("warn_unsupported"),
            warn_unenforced: flag("warn_unenforced"),
        })
    }

    /// The table that a foreign key points to; `DuckDB` knows no foreign keys between databases.
    fn target(&self, warehouse: Warehouse) -> Option<String> {
        let to = self.to.as_ref().filter(|_| !self.to_columns.is_empty())?;
        let parts: Vec<&str> = to.split('.').collect();
        let short = if warehouse == Warehouse::DuckDb && parts.len() > 2 { parts[1..].join(".") } else { to.clone() };
        Some(format!("{short} ({})", self.to_columns.join(", ")))
    }

    fn of_column(&self, warehouse: Warehouse) -> Option<String> {
        let expression = self.expression.clone().unwrap_or_default();
        let written = match self.kind.as_str() {
            "check" if !expression.is_empty() => format!("check ({expression})"),
            "not_null" => format!("not null {expression}"),
            "unique" => format!("unique {expression}"),
            "primary_key" => format!("primary key {expression}"),
            "foreign_key" => match self.target(warehouse) {
                Some(target) => format!("references {target}"),
                None if !expression.is_empty() => format!("references {expression}"),
                None => return None,
            },
            "custom" if !expression.is_empty() => expression,
            _ => return None,
        };
        Some(written.trim().to_owned())
    }

    fn of_model(&self, warehouse: Warehouse) -> Option<String> {
        let prefix = self.name.as_ref().map(|name| format!("constraint {name} ")).unwrap_or_default();
        let columns = self.columns.join(", ");
        let expression = self.expression.as_deref();
        let spaced = expression.map(|expression| format!(" {expression}")).unwrap_or_default();
        Some(match self.kind.as_str() {
            "check" => format!("{prefix}check ({})", expression?),
            "unique" => format!("{prefix}unique{spaced} ({columns})"),
            "primary_key" => format!("{prefix}primary key{spaced} ({columns})"),
            "foreign_key" => {
                let target = match self.target(warehouse) {
                    Some(target) => target,
                    None => expression?.to_owned(),
                };
                format!("{prefix}foreign key ({columns}) references {target}")
            }
            "custom" => format!("{prefix}{}", expression?),
            _ => return None,
        })
    }
}

impl Call<'_, '_, '_, '_> {
    /// Whether the warehouse takes a constraint; says so where it takes it less seriously than declared.
    fn takes(&self, constraint: &Constraint) -> Result<bool, Error> {
        let (word, warehouse) = (constraint.kind.as_str(), self.adapter.warehouse);
        if word == "custom" {
            return Ok(true);
        }
        let Some(support) = warehouse.constraint(word) else {
            return Err(failure(Code::Config, format!("`{word}` is not a type of constraints")));
        };
        let host = self.context.host();
        match support {
            Support::NotSupported if constraint.warn_unsupported => {
                host.warn(&format!("{} has no {word} constraints: it is left out", warehouse.as_str()));
            }
            Support::NotEnforced if constraint.warn_unenforced => {
                host.warn(&format!("{} does not enforce {word} constraints", warehouse.as_str()));
            }
            _ => {}
        }
        Ok(support != Support::NotSupported)
    }

    /// Each column's name, type and constraints, as a list of texts.
    pub(super) fn render_columns_constraints(&mut self) -> Result<Value, Error> {
        let columns = self.arguments.required("raw_columns")?;
        let Some(columns) = pairs(&columns) else {
            let message = format!("`adapter.{}` needs a dict of columns, not {}", self.method, repr(&columns));
            return Err(failure(Code::JinjaRender, message));
        };
        let mut written = vec![];
        for (_, column) in columns {
            let name = text(&column.get_attr("name")?);
            let quoted = column.get_attr("quote").is_ok_and(|quote| quote.is_true());
            let name = if quoted { quote_identifier(&name) } else { name };
            let mut words = vec![format!("{name} {}", text(&column.get_attr("data_type")?))];
            let constraints = column.get_attr("constraints").unwrap_or_default();
            for constraint in constraints.try_iter().into_iter().flatten() {
                let constraint = Constraint::read(&constraint)?;
                if self.takes(&constraint)? {
                    words.extend(constraint.of_column(self.adapter.warehouse));
                }
            }
            written.push(Value::from(words.join(" ")));
        }
        Ok(list(written))
    }

    /// The constraints of the whole table, as a list of texts.
    pub(super) fn render_model_constraints(&mut self) -> Result<Value, Error> {
        let constraints = self.arguments.required("raw_constraints")?;
        let mut written = vec![];
        for constraint in constraints.try_iter()? {
            let constraint = Constraint::read(&constraint)?;
            if self.takes(&constraint)? {
                written.extend(constraint.of_model(self.adapter.warehouse).map(Value::from));
            }
        }
        Ok(list(written))
    }
}
