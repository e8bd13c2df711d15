//! What a plain scalar means: YAML 1.1 as `PyYAML` reads it, since that is how dbt projects were read so far.

use super::YamlValue;

/// The value of a scalar without quotes. Dates stay texts.
pub fn resolve(text: &str) -> YamlValue {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return YamlValue::Null,
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => return YamlValue::Bool(true),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => return YamlValue::Bool(false),
        _ => {}
    }
    if !text.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '+' | '-' | '.')) {
        return YamlValue::String(text.to_owned());
    }
    if let Some(value) = integer(text) {
        return YamlValue::Integer(value);
    }
    match float(text) {
        Some(value) => YamlValue::Float(value),
        None => YamlValue::String(text.to_owned()),
    }
}

/// Binary, octal (`017`), decimal, hexadecimal and sexagesimal whole numbers. One that does not fit 64 bits is none.
fn integer(text: &str) -> Option<i64> {
    let (negative, digits) = sign(text);
    let plain: String = digits.chars().filter(|digit| *digit != '_').collect();
    let radix =
        |digits: &str, radix| i64::from_str_radix(digits, radix).ok().filter(|_| !digits.starts_with(['+', '-']));
    let value = if let Some(binary) = plain.strip_prefix("0b") {
        radix(binary, 2)
    } else if let Some(hexadecimal) = plain.strip_prefix("0x") {
        radix(hexadecimal, 16)
    } else if plain == "0" {
        Some(0)
    } else if let Some(octal) = plain.strip_prefix('0') {
        radix(octal, 8)
    } else if plain.contains(':') {
        sexagesimal(&plain)
    } else if digits.starts_with(|first: char| first.is_ascii_digit()) && negative {
        // The least number has no positive counterpart.
        return format!("-{plain}").parse().ok();
    } else if digits.starts_with(|first: char| first.is_ascii_digit()) {
        plain.parse().ok()
    } else {
        None
    }?;
    Some(if negative { -value } else { value })
}

/// `190:20:30`: the first part is without bound, the others are below 60.
fn sexagesimal(text: &str) -> Option<i64> {
    let mut parts = text.split(':');
    let mut value: i64 = parts.next()?.parse().ok().filter(|first| *first > 0)?;
    for part in parts {
        let digits = part.len() <= 2 && !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let part: i64 = part.parse().ok().filter(|part| digits && *part < 60)?;
        value = value.checked_mul(60)?.checked_add(part)?;
    }
    Some(value)
}

/// Numbers with a point; an exponent needs the point before it and a sign in it, or the scalar is a text.
fn float(text: &str) -> Option<f64> {
    let (negative, digits) = sign(text);
    let value = match digits {
        ".inf" | ".Inf" | ".INF" => f64::INFINITY,
        ".nan" | ".NaN" | ".NAN" if digits.len() == text.len() => f64::NAN,
        _ => {
            let (mantissa, exponent) = match digits.find(['e', 'E']) {
                Some(at) => (&digits[..at], Some(&digits[at + 1..])),
                None => (digits, None),
            };
            let (whole, fraction) = mantissa.split_once('.')?;
            let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
            let signed = |exponent: &str| {
                exponent.strip_prefix(['+', '-']).is_some_and(|digits| !digits.is_empty() && all_digits(digits))
            };
            if !all_digits(whole)
                || !all_digits(fraction)
                || !mantissa.bytes().any(|byte| byte.is_ascii_digit())
                || whole.starts_with('_')
                || exponent.is_some_and(|exponent| !signed(exponent))
            {
                return None;
            }
            digits.replace('_', "").parse().ok()?
        }
    };
    Some(if negative { -value } else { value })
}

fn sign(text: &str) -> (bool, &str) {
    match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_mean_what_pyyaml_reads() {
        let text = |text: &str| YamlValue::String(text.to_owned());
        let cases = [
            ("yes", YamlValue::Bool(true)),
            ("Off", YamlValue::Bool(false)),
            ("y", text("y")),
            ("~", YamlValue::Null),
            ("nULL", text("nULL")),
            ("017", YamlValue::Integer(15)),
            ("0o17", text("0o17")),
            ("09", text("09")),
            ("0x1F", YamlValue::Integer(31)),
            ("0b11", YamlValue::Integer(3)),
            ("1_000", YamlValue::Integer(1000)),
            ("-12", YamlValue::Integer(-12)),
            ("+1", YamlValue::Integer(1)),
            ("-9223372036854775808", YamlValue::Integer(i64::MIN)),
            ("190:20:30", YamlValue::Integer(685_230)),
            ("10:75", text("10:75")),
            ("1.5e3", text("1.5e3")),
            ("1e3", text("1e3")),
            ("1.5e+3", YamlValue::Float(1500.0)),
            (".5", YamlValue::Float(0.5)),
            ("1.", YamlValue::Float(1.0)),
            ("-.inf", YamlValue::Float(f64::NEG_INFINITY)),
            (".", text(".")),
            ("-", text("-")),
            ("1.2.3", text("1.2.3")),
            ("2020-01-01", text("2020-01-01")),
            ("--1", text("--1")),
            ("0x-1", text("0x-1")),
        ];
        for (written, meant) in cases {
            assert_eq!(resolve(written), meant, "{written}");
        }
    }
}
