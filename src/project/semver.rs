//! Versions as dbt writes and compares them: `1.2.3`, `>=1.2.0`, `1.3.0-rc1`, and what several conditions have in common.
//!
//! This is dbt's grammar, not that of Cargo: there is no `^1.2`, a pre-release may follow without a hyphen, and `<2.0.0`
//! leaves out the pre-releases of 2.0.0.

use std::cmp::Ordering;
use std::fmt;

/// How a condition compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Matcher {
    Exact,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl Matcher {
    const WRITTEN: [(&str, Matcher); 5] = [
        (">=", Self::GreaterOrEqual),
        ("<=", Self::LessOrEqual),
        (">", Self::Greater),
        ("<", Self::Less),
        ("=", Self::Exact),
    ];

    fn as_str(self) -> &'static str {
        Self::WRITTEN.iter().find(|(_, matcher)| *matcher == self).map_or("=", |(text, _)| text)
    }
}

/// A condition on a version, or a version: a condition that only it fulfils.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionSpecifier {
    matcher: Matcher,
    numbers: [u64; 3],
    prerelease: Option<String>,
    build: Option<String>,
}

/// What several conditions have in common: the greatest lower and the smallest upper bound.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VersionRange {
    start: Option<VersionSpecifier>,
    end: Option<VersionSpecifier>,
}

impl VersionSpecifier {
    /// Reads a condition in the strict form that dbt has for packages; none for what is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let (matcher, rest) = Matcher::WRITTEN
            .into_iter()
            .find_map(|(written, matcher)| Some((matcher, text.strip_prefix(written)?)))
            .unwrap_or((Matcher::Exact, text));
        let (major, rest) = number(rest)?;
        let (minor, rest) = number(rest.strip_prefix('.')?)?;
        let (patch, rest) = number(rest.strip_prefix('.')?)?;
        let (prerelease, build) = match rest.split_once('+') {
            Some((prerelease, build)) => (prerelease, Some(build)),
            None => (rest, None),
        };
        let prerelease = prerelease.strip_prefix('-').or(Some(prerelease).filter(|text| !text.is_empty()));
        if !prerelease.is_none_or(is_prerelease) || !build.is_none_or(|build| build.chars().all(is_word_or_dot)) {
            return None;
        }
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Some(Self { matcher, numbers: [major, minor, patch], prerelease: owned(prerelease), build: owned(build) })
    }

    /// Reads a condition as people write them in `require-dbt-version`: also `>= 1.3`, `==1.3.0`, `v1.3.0`, in quotes.
    pub fn parse_loosely(text: &str) -> Option<Self> {
        let text = text.trim().trim_matches(['"', '\'']).trim();
        let digits = text.trim_start_matches(['<', '>', '=']);
        let operator = text[..text.len() - digits.len()].replace("==", "=");
        let mut version = digits.trim_start().trim_start_matches('v').to_owned();
        while !version.is_empty() && version.split('.').count() < 3 && !version.ends_with('.') {
            version.push_str(".0");
        }
        Self::parse(&format!("{operator}{version}"))
    }

    /// The version with these numbers.
    pub fn exactly(numbers: [u64; 3]) -> Self {
        Self { matcher: Matcher::Exact, numbers, prerelease: None, build: None }
    }

    /// Major, minor and patch.
    pub fn numbers(&self) -> [u64; 3] {
        self.numbers
    }

    /// Whether it names a pre-release.
    pub fn is_prerelease(&self) -> bool {
        self.prerelease.is_some()
    }

    fn is_exact(&self) -> bool {
        self.matcher == Matcher::Exact
    }

    fn is_lower_bound(&self) -> bool {
        matches!(self.matcher, Matcher::Greater | Matcher::GreaterOrEqual)
    }

    fn is_upper_bound(&self) -> bool {
        matches!(self.matcher, Matcher::Less | Matcher::LessOrEqual)
    }

    /// dbt's order. For versions it is the usual one. Between conditions on one version, the one that lets more pass
    /// at its side is nearer to its side's end; and `<2.0.0` lies before every pre-release of 2.0.0.
    pub fn compare(&self, other: &Self) -> Ordering {
        let by_version = self.numbers.cmp(&other.numbers).then_with(|| self.compare_prereleases(other));
        by_version.then_with(|| self.compare_matchers(other))
    }

    fn compare_prereleases(&self, other: &Self) -> Ordering {
        match (&self.prerelease, &other.prerelease) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) if self.matcher == Matcher::Less => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(own), Some(others)) => natural_order(own, others),
        }
    }

    fn compare_matchers(&self, other: &Self) -> Ordering {
        use Matcher::{Greater, GreaterOrEqual, Less, LessOrEqual};
        match (self.matcher, other.matcher) {
            (GreaterOrEqual, LessOrEqual) | (LessOrEqual, GreaterOrEqual) => Ordering::Equal,
            (Less, LessOrEqual) | (GreaterOrEqual, Greater) => Ordering::Less,
            (LessOrEqual, Less) | (Greater, GreaterOrEqual) => Ordering::Greater,
            _ if self.is_upper_bound() && other.is_lower_bound() => Ordering::Less,
            _ if self.is_lower_bound() && other.is_upper_bound() => Ordering::Greater,
            _ => Ordering::Equal,
        }
    }

    fn to_range(&self) -> VersionRange {
        let bound = || Some(self.clone());
        VersionRange {
            start: bound().filter(|_| !self.is_upper_bound()),
            end: bound().filter(|_| !self.is_lower_bound()),
        }
    }
}

/// As dbt writes it, an exact version with `=` before it.
impl fmt::Display for VersionSpecifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.numbers;
        write!(formatter, "{}{major}.{minor}.{patch}", self.matcher.as_str())?;
        if let Some(prerelease) = &self.prerelease {
            write!(formatter, "-{prerelease}")?;
        }
        if let Some(build) = &self.build {
            write!(formatter, "+{build}")?;
        }
        Ok(())
    }
}

impl VersionRange {
    /// What all conditions have in common; none if nothing can fulfil them all.
    pub fn of<'a>(conditions: impl IntoIterator<Item = &'a VersionSpecifier>) -> Option<Self> {
        conditions.into_iter().try_fold(Self::default(), |range, condition| range.and(&condition.to_range()))
    }

    /// Whether a version lies in it.
    pub fn contains(&self, version: &VersionSpecifier) -> bool {
        version.to_range().and(self).is_some()
    }

    fn and(&self, other: &Self) -> Option<Self> {
        let start = bound(self.start.as_ref(), other.start.as_ref(), Ordering::Less).ok()?;
        let end = bound(self.end.as_ref(), other.end.as_ref(), Ordering::Greater).ok()?;
        if let (Some(start), Some(end)) = (&start, &end)
            && start.compare(end).is_gt()
        {
            return None;
        }
        Some(Self { start, end })
    }
}

impl fmt::Display for VersionRange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.start, &self.end) {
            (None, None) => formatter.write_str("any version"),
            (Some(one), None) | (None, Some(one)) => one.fmt(formatter),
            (Some(start), Some(end)) if start == end => start.fmt(formatter),
            (Some(start), Some(end)) => write!(formatter, "{start}, {end}"),
        }
    }
}

/// That two bounds exclude each other.
struct Excluded;

/// The narrower of two bounds of one side. `wider` is how a bound that is
/// wider than another compares with it.
fn bound(
    one: Option<&VersionSpecifier>,
    other: Option<&VersionSpecifier>,
    wider: Ordering,
) -> Result<Option<VersionSpecifier>, Excluded> {
    let (Some(one), Some(other)) = (one, other) else { return Ok(one.or(other).cloned()) };
    let order = |bound: &VersionSpecifier, exact: &VersionSpecifier| {
        let order = bound.compare(exact);
        let includes = matches!(bound.matcher, Matcher::GreaterOrEqual | Matcher::LessOrEqual);
        if order == wider || order.is_eq() && includes { Ok(Some(exact.clone())) } else { Err(Excluded) }
    };
    match (one.is_exact(), other.is_exact()) {
        (true, true) if one.compare(other).is_eq() => Ok(Some(one.clone())),
        (true, true) => Err(Excluded),
        (true, false) => order(other, one),
        (false, true) => order(one, other),
        (false, false) => Ok(Some(if one.compare(other) == wider { other.clone() } else { one.clone() })),
    }
}

/// A number without leading zeros at the start of a text, and what follows it.
fn number(text: &str) -> Option<(u64, &str)> {
    let digits = if text.starts_with('0') { 1 } else { text.bytes().take_while(u8::is_ascii_digit).count() };
    Some((text[..digits].parse().ok()?, &text[digits..]))
}

fn is_prerelease(text: &str) -> bool {
    text.split('.').all(|part| {
        let numeric = part.bytes().all(|byte| byte.is_ascii_digit());
        let leading_zero = numeric && part.len() > 1 && part.starts_with('0');
        !part.is_empty() && !leading_zero && part.chars().all(|letter| letter != '.' && is_word_or_dot(letter))
    })
}

fn is_word_or_dot(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '-' | '.')
}

/// Part by part, numbers as numbers and before words.
fn natural_order(one: &str, other: &str) -> Ordering {
    for (left, right) in one.split('.').zip(other.split('.')) {
        let order = match (left.parse::<u64>(), right.parse::<u64>()) {
            (Ok(left), Ok(right)) => left.cmp(&right),
            (Ok(_), Err(_)) => Ordering::Less,
            (Err(_), Ok(_)) => Ordering::Greater,
            (Err(_), Err(_)) => left.cmp(right),
        };
        if order.is_ne() {
            return order;
        }
    }
    one.len().cmp(&other.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn specifier(text: &str) -> VersionSpecifier {
        VersionSpecifier::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    fn range(conditions: &[&str]) -> Option<VersionRange> {
        let conditions: Vec<VersionSpecifier> = conditions.iter().map(|text| specifier(text)).collect();
        VersionRange::of(&conditions)
    }

    #[test]
    fn the_strict_form_is_that_of_dbt() {
        for (text, shown) in [
            ("1.2.3", "=1.2.3"),
            ("=0.8.0", "=0.8.0"),
            (">=1.0.0-rc1", ">=1.0.0-rc1"),
            ("<2.0.0b2", "<2.0.0-b2"),
            ("1.0.0+build.5", "=1.0.0+build.5"),
            ("10.20.30-alpha.1", "=10.20.30-alpha.1"),
        ] {
            assert_eq!(specifier(text).to_string(), shown);
        }
        for bad in ["1.2", "1", "v1.2.3", "^1.2.3", ">= 1.2.3", "01.2.3", "latest", "", "1.2.3-01", "==1.2.3", "1.2.x"]
        {
            assert_eq!(VersionSpecifier::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_loose_form_takes_what_people_write() {
        for (text, shown) in [
            (">= 1.3", ">=1.3.0"),
            ("'1.3.0'", "=1.3.0"),
            ("==1.3.0", "=1.3.0"),
            ("<2", "<2.0.0"),
            ("v1.5.0rc1", "=1.5.0-rc1"),
        ] {
            assert_eq!(VersionSpecifier::parse_loosely(text).map(|read| read.to_string()).as_deref(), Some(shown));
        }
        for bad in ["newest", "", ">=", "1.x.0", "1."] {
            assert_eq!(VersionSpecifier::parse_loosely(bad), None, "{bad}");
        }
    }

    #[test]
    fn versions_have_dbts_order() {
        let ordered = ["0.9.0", "1.0.0-1", "1.0.0-2", "1.0.0-a.1", "1.0.0-b", "1.0.0", "1.0.10", "1.2.0"];
        for (at, low) in ordered.iter().enumerate() {
            for high in &ordered[at + 1..] {
                assert_eq!(specifier(low).compare(&specifier(high)), Ordering::Less, "{low} {high}");
                assert_eq!(specifier(high).compare(&specifier(low)), Ordering::Greater, "{high} {low}");
            }
        }
    }

    #[test]
    fn conditions_are_narrowed_down() {
        let shown = |conditions: &[&str]| range(conditions).map(|range| range.to_string());
        assert_eq!(shown(&[">=0.8.0", "<0.9.0", ">0.8.1"]).as_deref(), Some(">0.8.1, <0.9.0"));
        assert_eq!(shown(&[">=1.0.0", ">1.0.0"]).as_deref(), Some(">1.0.0"));
        assert_eq!(shown(&["<=1.0.0", "<1.0.0"]).as_deref(), Some("<1.0.0"));
        assert_eq!(shown(&[">=1.0.0", "1.1.0"]).as_deref(), Some("=1.1.0"));
        assert_eq!(shown(&[]).as_deref(), Some("any version"));
        for impossible in
            [[">=2.0.0", "<1.0.0"], ["1.0.0", "1.0.1"], [">1.0.0", "1.0.0"], [">1.0.0", "<1.0.0"], ["<1.0.0", "1.0.0"]]
        {
            assert_eq!(range(&impossible), None, "{impossible:?}");
        }
    }

    #[test]
    fn a_range_leaves_out_the_prereleases_of_its_upper_bound() {
        let range = range(&[">=1.0.0", "<2.0.0"]).expect("possible");
        for (version, inside) in
            [("1.0.0", true), ("1.9.9", true), ("2.0.0", false), ("2.0.0-rc1", false), ("1.0.0-rc1", false)]
        {
            assert_eq!(range.contains(&specifier(version)), inside, "{version}");
        }
    }
}
