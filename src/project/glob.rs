//! Patterns for names and paths, as Python's `fnmatch` and `pathlib` understand them.

/// Whether a whole text matches a pattern of `*`, `?`, `[abc]`, `[a-z]` and `[!abc]`. `*` takes anything, dots and
/// slashes too.
pub fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut here) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while here < text.len() {
        let step = match pattern.get(at) {
            Some('*') => {
                star = Some((at, here));
                at += 1;
                continue;
            }
            Some('?') => Some(at + 1),
            Some('[') => set(&pattern, at, text[here])
                .map_or_else(|| (text[here] == '[').then_some(at + 1), |(matched, next)| matched.then_some(next)),
            Some(letter) => (*letter == text[here]).then_some(at + 1),
            None => None,
        };
        match (step, star) {
            (Some(next), _) => {
                at = next;
                here += 1;
            }
            (None, Some((star_at, taken))) => {
                star = Some((star_at, taken + 1));
                at = star_at + 1;
                here = taken + 1;
            }
            (None, None) => return false,
        }
    }
    pattern[at..].iter().all(|letter| *letter == '*')
}

/// Whether the set that opens at `start` holds the letter, and where the pattern goes on; none if it never closes.
fn set(pattern: &[char], start: usize, letter: char) -> Option<(bool, usize)> {
    let mut at = start + 1;
    let negated = pattern.get(at) == Some(&'!');
    if negated {
        at += 1;
    }
    let first = at;
    let close = (first + 1..pattern.len()).find(|index| pattern[*index] == ']').filter(|_| pattern.len() > first)?;
    let mut found = false;
    while at < close {
        if at + 2 < close && pattern[at + 1] == '-' {
            found |= (pattern[at]..=pattern[at + 2]).contains(&letter);
            at += 3;
        } else {
            found |= pattern[at] == letter;
            at += 1;
        }
    }
    Some((found != negated, close + 1))
}

/// Whether a pattern has anything to match with.
pub fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// Whether a path matches a pattern, directory by directory: `*` stays within one, `**` takes any number of them.
pub fn matches_path(pattern: &str, path: &str) -> bool {
    let parts = |text: &str| -> Vec<String> {
        text.split('/').filter(|part| !part.is_empty() && *part != ".").map(str::to_owned).collect()
    };
    matches_parts(&parts(pattern), &parts(path))
}

fn matches_parts(pattern: &[String], path: &[String]) -> bool {
    // One row of the table "do the first i patterns match the first j parts": linear in memory, no blow-up.
    let mut row = vec![false; path.len() + 1];
    row[0] = true;
    for part in pattern {
        if part == "**" {
            for index in 1..row.len() {
                row[index] |= row[index - 1];
            }
        } else {
            for index in (1..row.len()).rev() {
                row[index] = row[index - 1] && matches(part, &path[index - 1]);
            }
            row[0] = false;
        }
    }
    row[path.len()]
}

/// The patterns of a `.dbtignore` file, which are those of a `.gitignore`.
#[derive(Debug, Clone, Default)]
pub struct IgnoreList(Vec<IgnoreRule>);

#[derive(Debug, Clone)]
struct IgnoreRule {
    pattern: String,
    keep: bool,
}

impl IgnoreList {
    /// Reads the file's lines.
    pub fn new(text: &str) -> Self {
        let rule = |line: &str| {
            let line = line.trim_end();
            let (keep, pattern) = match line.strip_prefix('!') {
                Some(rest) => (true, rest),
                None => (false, line.strip_prefix('\\').unwrap_or(line)),
            };
            let anchored = pattern.trim_end_matches('/').contains('/');
            let pattern = pattern.trim_matches('/');
            let pattern = if anchored { pattern.to_owned() } else { format!("**/{pattern}") };
            IgnoreRule { pattern, keep }
        };
        let given = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
        Self(given.map(rule).collect())
    }

    /// Whether a path (relative to the package, with `/`) is left out; the last rule that speaks of it counts.
    pub fn ignores(&self, path: &str) -> bool {
        let mut ignored = false;
        for rule in &self.0 {
            let whole = matches_path(&rule.pattern, path) || matches_path(&format!("{}/**/*", rule.pattern), path);
            if whole {
                ignored = !rule.keep;
            }
        }
        ignored
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_as_in_python() {
        let cases = [
            ("stg_*", "stg_orders", true),
            ("*", "", true),
            ("stg_?", "stg_", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[]]", "]", true),
            ("[a", "[a", true),
            ("a*b*c", "aXbXbc", true),
            ("a*b*c", "aXbXb", false),
            ("*.sql", "a/b.sql", true),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(matches(pattern, text), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn paths_match_directory_by_directory() {
        let cases = [
            ("models/*", "models/a.sql", true),
            ("models/*", "models/x/a.sql", false),
            ("models/**/a.sql", "models/a.sql", true),
            ("models/**/a.sql", "models/x/y/a.sql", true),
            ("**", "models/x", true),
            ("models", "models/x", false),
        ];
        for (pattern, path, expected) in cases {
            assert_eq!(matches_path(pattern, path), expected, "{pattern} on {path}");
        }
    }

    #[test]
    fn dbtignore_reads_like_gitignore() {
        let list = IgnoreList::new("# not these\n*.bak.sql\n/models/old/\nwip\n!models/old/kept.sql\n");
        let kept = |path: &str| !list.ignores(path);
        assert!(!kept("models/a.bak.sql") && !kept("models/old/a.sql") && !kept("models/wip/x/a.sql"));
        assert!(kept("models/a.sql") && kept("models/old/kept.sql") && kept("models/wiper.sql"));
    }
}
