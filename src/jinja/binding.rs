//! How the arguments of a call become those of a macro.

use super::body::Body;
use super::error;
use super::value::{dict, invalid};
use crate::diagnostic::nearest;
use minijinja::Error;
use minijinja::value::Value;

/// Arguments of a call, in their places.
pub(super) struct Bound {
    pub arguments: Vec<Option<Value>>,
    pub varargs: Vec<Value>,
    pub kwargs: Option<Value>,
    pub caller: Option<Value>,
}

impl Bound {
    /// Whether there is nothing but values for the parameters.
    pub fn is_named_only(&self) -> bool {
        self.varargs.is_empty() && self.kwargs.is_none() && self.caller.is_none()
    }
}

/// Puts the arguments of a call in their places, with Jinja2's rules and messages.
pub(super) fn bind(body: &Body, name: &str, args: &[Value]) -> Result<Bound, Error> {
    let (positional, keywords) = match args.split_last() {
        Some((last, rest)) if last.is_kwargs() => (rest, Some(last)),
        _ => (args, None),
    };
    let count = body.parameters.len();
    if positional.len() > count && !body.uses_varargs {
        return Err(misfit(body, None, format!("macro '{name}' takes not more than {count} argument(s)")));
    }
    let mut arguments: Vec<Option<Value>> = Vec::with_capacity(count);
    arguments.extend(positional.iter().take(count).cloned().map(Some));
    arguments.resize(count, None);
    let mut caller = None;
    let mut rest = Vec::new();
    for (key, value) in keywords.and_then(super::value::pairs).into_iter().flatten() {
        let keyword = key.as_str().unwrap_or_default();
        if let Some(at) = body.parameters.iter().position(|parameter| parameter == keyword) {
            if arguments[at].is_some() {
                let message = format!("macro '{name}' got multiple values for argument '{keyword}'");
                return Err(misfit(body, None, message));
            }
            arguments[at] = Some(value);
        } else if keyword == "caller" && body.uses_caller {
            caller = Some(value);
        } else if body.uses_kwargs && keyword != "caller" {
            rest.push((key, value));
        } else if keyword == "caller" {
            return Err(invalid(format!("macro '{name}' was called with a block, but never uses `caller`")));
        } else {
            let message = format!("macro '{name}' takes no keyword argument '{keyword}'");
            return Err(misfit(body, Some(keyword), message));
        }
    }
    let varargs = positional.get(count..).unwrap_or_default().to_vec();
    let kwargs = body.uses_kwargs.then(|| dict(rest));
    Ok(Bound { arguments, varargs, kwargs, caller })
}

/// A call that does not fit the macro, and what the macro takes.
fn misfit(body: &Body, given: Option<&str>, message: String) -> Error {
    let known = || body.parameters.iter().map(String::as_str);
    let takes = match known().collect::<Vec<_>>().join(", ") {
        none if none.is_empty() => "it takes no arguments".to_owned(),
        names => format!("it takes {names}"),
    };
    let help = match given.and_then(|given| nearest(given, known())) {
        Some(near) => format!("did you mean `{near}`? {takes}"),
        None => takes,
    };
    error::wrong_call(message, help)
}
