//! Checks what properties files say of a macro's arguments against its definition, where the project's flag
//! `validate_macro_args` asks for it.

use crate::diagnostic::{Code, Diagnostic, Diagnostics, nearest};
use crate::jinja::MacroDefinition;
use crate::project::properties::MacroProperties;

/// The types that an argument may have, and how many types each takes in brackets: `list[str]`, `dict[str, int]`.
const TYPES: [(&str, usize); 12] = [
    ("str", 0),
    ("string", 0),
    ("bool", 0),
    ("int", 0),
    ("integer", 0),
    ("float", 0),
    ("any", 0),
    ("list", 1),
    ("dict", 2),
    ("optional", 1),
    ("relation", 0),
    ("column", 0),
];

/// Warns of names, of a number and of types that do not fit. A macro whose arguments are not described at all is fine.
pub fn check(described: &MacroProperties, definition: &MacroDefinition, found: &mut Diagnostics) {
    let given = &described.arguments;
    for (argument, name) in given.iter().zip(&definition.arguments).filter(|(argument, name)| argument.name != **name) {
        let message =
            format!("argument `{}` of macro `{}` is `{name}` in its definition", argument.name, described.name);
        let warning = warning(message, definition).at(argument.span.clone(), "described here");
        found.push(match nearest(&argument.name, definition.arguments.iter().map(String::as_str)) {
            Some(near) if near != argument.name => warning.help(format!("did you mean `{near}`?")),
            _ => warning,
        });
    }
    if !given.is_empty() && given.len() != definition.arguments.len() {
        let takes = definition.arguments.len();
        let message =
            format!("macro `{}` is described with {} argument(s), and takes {takes}", described.name, given.len());
        found.push(warning(message, definition).at(described.name_span.clone(), "described here"));
    }
    for argument in given {
        if let Some((written, span)) = &argument.data_type
            && !written.trim().is_empty()
            && !is_type(written)
        {
            let known: Vec<&str> = TYPES.iter().map(|(name, _)| *name).collect();
            let message = format!("argument `{}` of macro `{}` has no valid type", argument.name, described.name);
            let warning = Diagnostic::warning(Code::MacroArguments, message).at(span.clone(), "this type");
            found.push(warning.help(format!("types are {}, as in `optional[list[str]]`", known.join(", "))));
        }
    }
}

fn warning(message: String, definition: &MacroDefinition) -> Diagnostic {
    Diagnostic::warning(Code::MacroArguments, message).at(definition.tag.clone(), "the definition")
}

/// Whether a text is a type: blanks do not count.
fn is_type(written: &str) -> bool {
    let text: String = written.chars().filter(|letter| !matches!(letter, ' ' | '\t')).collect();
    after_type(&text) == Some("")
}

/// What follows the type at the start of a text; none if there is no type.
fn after_type(text: &str) -> Option<&str> {
    let end = text.find(|letter: char| !letter.is_ascii_lowercase()).unwrap_or(text.len());
    let (name, mut rest) = text.split_at(end);
    let (_, inner) = TYPES.iter().find(|(known, _)| *known == name)?;
    for number in 0..*inner {
        rest = after_type(rest.strip_prefix(if number == 0 { '[' } else { ',' })?)?;
    }
    if *inner == 0 { Some(rest) } else { rest.strip_prefix(']') }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_dbts() {
        for right in ["str", "list[str]", "dict[str, list[ int ]]", "optional[relation]", "any"] {
            assert!(is_type(right), "{right}");
        }
        let wrong = [
            "text",
            "list",
            "list[]",
            "dict[str]",
            "str[int]",
            "list[str",
            "list[str]]",
            "Str",
            "",
            "dict[str,int,int]",
        ];
        for wrong in wrong {
            assert!(!is_type(wrong), "{wrong}");
        }
    }
}
