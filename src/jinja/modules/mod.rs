//! Python's modules that templates may use: `modules.re`, `modules.datetime`, `modules.pytz`, `modules.itertools`.

use minijinja::Error;
use minijinja::value::Value;

/// Arithmetic that an object of these modules answers; none if it is not one, or does not know the other operand.
pub(super) fn arithmetic(method: &str, this: &Value, other: &Value) -> Option<Result<Value, Error>> {
    let _ = (method, this, other);
    None
}
