//! Breaks a line into lines of a width, as Python's `textwrap` does.

/// The lines of a text without line ends of its own. Words that are too long are broken, or stick out.
pub(super) fn wrap(line: &str, width: usize, break_long_words: bool, break_on_hyphens: bool) -> Vec<String> {
    let mut chunks = chunks(line, break_on_hyphens);
    chunks.reverse();
    let mut lines: Vec<String> = vec![];
    while !chunks.is_empty() {
        if !lines.is_empty() && chunks.last().is_some_and(|chunk| is_space(chunk)) {
            chunks.pop();
        }
        let mut current: Vec<Vec<char>> = vec![];
        let mut length = 0;
        while let Some(chunk) = chunks.pop_if(|chunk| length + chunk.len() <= width) {
            length += chunk.len();
            current.push(chunk);
        }
        if let Some(long) = chunks.pop_if(|chunk| chunk.len() > width) {
            if break_long_words && length < width {
                let (here, rest) = long.split_at(break_at(&long, width - length, break_on_hyphens));
                current.push(here.to_vec());
                chunks.push(rest.to_vec());
            } else if current.is_empty() {
                // Nothing else stands on this line, and the word must stand somewhere.
                current.push(long);
            } else {
                chunks.push(long);
            }
        }
        current.pop_if(|chunk| is_space(chunk));
        if !current.is_empty() {
            lines.push(current.into_iter().flatten().collect());
        }
    }
    lines
}

fn is_space(chunk: &[char]) -> bool {
    chunk.iter().all(|letter| letter.is_whitespace())
}

/// Where a word is broken that is too long for the room that is left: after a hyphen if there is one.
fn break_at(word: &[char], room: usize, break_on_hyphens: bool) -> usize {
    let hyphen = word[..room].iter().rposition(|letter| *letter == '-').filter(|at| break_on_hyphens && *at > 0);
    match hyphen {
        Some(at) if word[..at].iter().any(|letter| *letter != '-') => at + 1,
        _ => room,
    }
}

/// Words, parts of words that end with a hyphen, and the white space between them.
fn chunks(line: &str, break_on_hyphens: bool) -> Vec<Vec<char>> {
    let letters: Vec<char> = line.chars().collect();
    let mut chunks: Vec<Vec<char>> = vec![];
    let mut start = 0;
    for at in 1..=letters.len() {
        let ends = at == letters.len()
            || letters[at].is_whitespace() != letters[at - 1].is_whitespace()
            || break_on_hyphens && breaks_after_hyphen(&letters, start, at);
        if ends {
            chunks.push(letters[start..at].to_vec());
            start = at;
        }
    }
    chunks
}

/// Whether the hyphen before `at` stands between two letters each, so that the word may be broken there.
fn breaks_after_hyphen(letters: &[char], start: usize, at: usize) -> bool {
    let is_letter = |at: usize| letters.get(at).is_some_and(|letter| letter.is_alphabetic() || *letter == '_');
    let hyphen = at - 1;
    letters[hyphen] == '-'
        && hyphen >= start + 2
        && is_letter(hyphen - 1)
        && (is_letter(hyphen - 2) || letters[hyphen - 2] == '-')
        && is_letter(at)
        && (is_letter(at + 1) || letters.get(at + 1) == Some(&'-') && is_letter(at + 2))
}
