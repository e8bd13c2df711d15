//! The types of columns, found out from all values of a batch.
//!
//! Nothing is sampled and nothing is rounded: a type is chosen that holds every value exactly. Whole numbers are
//! BIGINT, numbers with a point DECIMAL as wide as needed, numbers with an exponent DOUBLE; kinds that do not go
//! together become text.

use crate::adapter::ColumnType;
use serde::{Deserialize, Serialize};

/// What a JSON value is, as far as types go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean,
    /// A whole number of 64 bits.
    Integer,
    /// A whole number beyond 64 bits.
    BigInteger,
    /// A number with a point and without exponent.
    Fraction,
    /// A number with an exponent, or a binary floating point number of a database.
    Double,
    /// A number so large that no type holds it.
    Unbounded,
    /// A text.
    Text,
    /// Bytes of a database, as base64 text.
    Binary,
    /// An object or a list.
    Nested,
}

impl Kind {
    /// The kind of a well-formed JSON value.
    pub fn of(raw: &str) -> Self {
        match raw.as_bytes().first() {
            Some(b'"') => Self::Text,
            Some(b'{' | b'[') => Self::Nested,
            Some(b't' | b'f') => Self::Boolean,
            Some(b'n') | None => Self::Null,
            Some(_) => Self::of_number(raw),
        }
    }

    fn of_number(raw: &str) -> Self {
        let mut fraction = false;
        for byte in raw.bytes() {
            match byte {
                b'e' | b'E' => {
                    let finite = raw.parse().is_ok_and(f64::is_finite);
                    return if finite { Self::Double } else { Self::Unbounded };
                }
                b'.' => fraction = true,
                _ => {}
            }
        }
        match fraction {
            true => Self::Fraction,
            false if raw.len() <= 18 || raw.parse::<i64>().is_ok() => Self::Integer,
            false => Self::BigInteger,
        }
    }

    /// Whether it must be staged in quotes: readers of JSON would pass it through binary floating point.
    pub fn needs_quotes(self) -> bool {
        matches!(self, Self::Fraction | Self::BigInteger | Self::Unbounded)
    }
}

/// What was seen of a column so far. It only ever grows, so that parts of a batch can be seen in any order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Which kinds occurred: bits of [`Kind`].
    kinds: u16,
    /// Most digits before the point.
    whole_digits: u16,
    /// Most digits behind the point.
    scale: u16,
    /// Whether a number occurred that binary floating point cannot hold exactly.
    beyond_double: bool,
}

impl Seen {
    /// As if a column of this type had been seen before: what comes next can only widen it.
    pub fn of_type(known: &ColumnType) -> Self {
        let mut seen = Self::default();
        match known {
            ColumnType::Boolean => seen.add(Kind::Boolean),
            ColumnType::BigInt => {
                seen.add(Kind::Integer);
                seen.whole_digits = 19;
            }
            ColumnType::Decimal(precision, scale) => {
                seen.add(Kind::Fraction);
                seen.whole_digits = u16::from(precision.saturating_sub(*scale));
                seen.scale = u16::from(*scale);
            }
            ColumnType::Double => seen.add(Kind::Double),
            ColumnType::Json => seen.add(Kind::Nested),
            ColumnType::Binary => seen.add(Kind::Binary),
            _ => seen.add(Kind::Text),
        }
        seen
    }

    /// Takes a value into account.
    pub fn see(&mut self, kind: Kind, raw: &str) {
        self.add(kind);
        if matches!(kind, Kind::Integer | Kind::BigInteger | Kind::Fraction) {
            self.see_digits(raw);
        }
    }

    fn see_digits(&mut self, raw: &str) {
        let digits = raw.trim_start_matches('-');
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let whole = whole.trim_start_matches('0');
        self.whole_digits = self.whole_digits.max(length(whole));
        self.scale = self.scale.max(length(fraction));
        // 17 digits identify every double; a longer decimal never was one.
        let significant = length(whole) + length(fraction);
        let exact = if fraction.is_empty() {
            significant < 16 || raw.parse::<i64>().is_ok_and(|number| number.unsigned_abs() <= 1 << 53)
        } else {
            significant <= 17
        };
        self.beyond_double |= !exact;
    }

    /// What was seen here and there together.
    pub fn join(self, other: Self) -> Self {
        Self {
            kinds: self.kinds | other.kinds,
            whole_digits: self.whole_digits.max(other.whole_digits),
            scale: self.scale.max(other.scale),
            beyond_double: self.beyond_double || other.beyond_double,
        }
    }

    /// The narrowest type that holds everything seen; none if only NULLs were.
    pub fn column_type(self) -> Option<ColumnType> {
        let saw = |kind: Kind| self.kinds & bit(kind) != 0;
        let number = [Kind::Integer, Kind::BigInteger, Kind::Fraction, Kind::Double].into_iter().any(saw);
        if saw(Kind::Nested) {
            return Some(ColumnType::Json);
        }
        let families = [number, saw(Kind::Boolean), saw(Kind::Binary)].into_iter().filter(|saw| *saw).count();
        if saw(Kind::Text) || saw(Kind::Unbounded) || families > 1 {
            return Some(ColumnType::Text);
        }
        if saw(Kind::Binary) {
            return Some(ColumnType::Binary);
        }
        if saw(Kind::Boolean) {
            return Some(ColumnType::Boolean);
        }
        if saw(Kind::Double) {
            return Some(if self.beyond_double { ColumnType::Text } else { ColumnType::Double });
        }
        if saw(Kind::Fraction) || saw(Kind::BigInteger) {
            let precision = (self.whole_digits + self.scale).max(1);
            return Some(match (u8::try_from(precision), u8::try_from(self.scale)) {
                (Ok(precision @ ..=38), Ok(scale)) => ColumnType::Decimal(precision, scale),
                _ => ColumnType::Text,
            });
        }
        saw(Kind::Integer).then_some(ColumnType::BigInt)
    }

    fn add(&mut self, kind: Kind) {
        if kind != Kind::Null {
            self.kinds |= bit(kind);
        }
    }
}

fn bit(kind: Kind) -> u16 {
    1 << kind as u16
}

/// A length, saturated far beyond what any type holds.
fn length(digits: &str) -> u16 {
    u16::try_from(digits.len()).unwrap_or(u16::MAX).min(10_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn type_of(values: &[&str]) -> Option<ColumnType> {
        let mut seen = Seen::default();
        for raw in values {
            seen.see(Kind::of(raw), raw);
        }
        seen.column_type()
    }

    #[test]
    fn the_narrowest_exact_type_is_found() {
        use ColumnType::{BigInt, Boolean, Decimal, Double, Json, Text};
        for (values, expected) in [
            (&["null", "null"][..], None),
            (&["1", "null", "-9223372036854775808"], Some(BigInt)),
            (&["9223372036854775807"], Some(BigInt)),
            (&["9223372036854775808"], Some(Decimal(19, 0))),
            (&["1.50", "1234"], Some(Decimal(6, 2))),
            (&["0.05"], Some(Decimal(2, 2))),
            (&["0.0"], Some(Decimal(1, 1))),
            (&["-12.5", "9223372036854775807"], Some(Decimal(20, 1))),
            (&["0.123456789012345678901234567890123456789"], Some(Text)),
            (&["1e5", "2", "0.1"], Some(Double)),
            (&["1e5", "9007199254740993"], Some(Text)),
            (&["1e999"], Some(Text)),
            (&["true", "false"], Some(Boolean)),
            (&["true", "1"], Some(Text)),
            (&["1", "\"a\""], Some(Text)),
            (&["{}", "1"], Some(Json)),
            (&["[1]", "\"a\""], Some(Json)),
            (&["\"\""], Some(Text)),
        ] {
            assert_eq!(type_of(values), expected, "{values:?}");
        }
    }

    #[test]
    fn a_known_type_is_only_widened() {
        for (known, raw, expected) in [
            (ColumnType::BigInt, "1", ColumnType::BigInt),
            (ColumnType::BigInt, "0.25", ColumnType::Decimal(21, 2)),
            (ColumnType::Decimal(10, 2), "1", ColumnType::Decimal(10, 2)),
            (ColumnType::Decimal(10, 2), "1e3", ColumnType::Double),
            (ColumnType::Double, "1", ColumnType::Double),
            (ColumnType::Text, "1", ColumnType::Text),
            (ColumnType::Json, "1", ColumnType::Json),
            (ColumnType::Date, "\"2024-02-05\"", ColumnType::Text),
        ] {
            let mut seen = Seen::of_type(&known);
            seen.see(Kind::of(raw), raw);
            assert_eq!(seen.column_type(), Some(expected), "{known:?} {raw}");
        }
    }

    proptest! {
        #[test]
        fn the_order_of_values_does_not_matter(mut values in proptest::collection::vec(
            prop_oneof![
                any::<i64>().prop_map(|number| number.to_string()),
                any::<i128>().prop_map(|number| number.to_string()),
                "-?(0|[1-9][0-9]{0,20})\\.[0-9]{1,20}",
                "-?[1-9]e[0-9]{1,3}",
                Just("true".to_owned()), Just("null".to_owned()), Just("\"x\"".to_owned()), Just("{}".to_owned()),
            ], 0..12)
        ) {
            let forward = type_of(&values.iter().map(String::as_str).collect::<Vec<_>>());
            values.reverse();
            prop_assert_eq!(forward, type_of(&values.iter().map(String::as_str).collect::<Vec<_>>()));
        }
    }
}
