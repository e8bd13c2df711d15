//! The difference between the rows that a unit test expects and those that its model gives, the order not regarded.

use crate::adapter::Cell;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// The most pairs of rows that are compared to find out which became which.
const MOST_PAIRS: usize = 1_000_000;

/// What an absent value is shown as.
const NULL: &str = "NULL";

type Row = Vec<Cell>;

/// What became of one row.
#[derive(Debug, Clone, PartialEq)]
enum Line<'a> {
    /// It is as expected.
    Same(&'a Row),
    /// The model gives it, nobody expects it.
    Actual(&'a Row),
    /// It is expected, the model does not give it.
    Expected(&'a Row),
    /// It is there, and not quite as expected: what is expected, what the model gives.
    Changed(&'a Row, &'a Row),
}

impl<'a> Line<'a> {
    /// The row by which it is put in order.
    fn row(&self) -> &'a Row {
        match self {
            Self::Same(row) | Self::Actual(row) | Self::Expected(row) | Self::Changed(row, _) => row,
        }
    }

    fn is_same(&self) -> bool {
        matches!(self, Self::Same(_))
    }
}

/// Draws the difference as dbt does, one row a line with the next one that is the same on either side: `+++` what
/// only the model gives, `---` what is only expected, `→` a row of which `expected→actual` differs. None if the rows
/// are the same. Each row has a cell a column.
pub fn draw(columns: &[String], expected: &[Row], actual: &[Row]) -> Option<String> {
    let lines = compare(expected, actual);
    if lines.iter().all(Line::is_same) {
        return None;
    }
    let header: Vec<String> = std::iter::once("@@".to_owned()).chain(columns.iter().cloned()).collect();
    let mut drawn = vec![header];
    let mut is_gap = false;
    for (index, line) in lines.iter().enumerate() {
        let is_near = |other: Option<&Line<'_>>| other.is_some_and(|line| !line.is_same());
        let near = is_near(Some(line)) || is_near(lines.get(index + 1)) || index > 0 && is_near(lines.get(index - 1));
        if near {
            drawn.push(fields(line));
        } else if !is_gap {
            drawn.push(vec!["...".to_owned(); columns.len() + 1]);
        }
        is_gap = !near;
    }
    Some(aligned(&drawn))
}

/// The marker and the cells of a line.
fn fields(line: &Line<'_>) -> Vec<String> {
    let marked = |marker: &str, row: &Row| -> Vec<String> {
        std::iter::once(marker.to_owned()).chain(row.iter().map(shown)).collect()
    };
    match line {
        Line::Same(row) => marked("", row),
        Line::Actual(row) => marked("+++", row),
        Line::Expected(row) => marked("---", row),
        Line::Changed(expected, actual) => {
            let cell = |(expected, actual): (&Cell, &Cell)| match order(expected, actual) {
                Ordering::Equal => shown(expected),
                _ => format!("{}→{}", shown(expected), shown(actual)),
            };
            let cells = expected.iter().zip(actual.iter()).map(cell);
            std::iter::once("→".to_owned()).chain(cells).collect()
        }
    }
}

fn shown(cell: &Cell) -> String {
    match cell {
        Cell::Null => NULL.to_owned(),
        // A line is a row, whatever is in it.
        cell => cell.to_string().replace('\n', "\\n").replace('\r', "\\r"),
    }
}

fn aligned(lines: &[Vec<String>]) -> String {
    let columns = lines.first().map_or(0, Vec::len);
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for line in lines {
        let start = text.len();
        for (column, (field, width)) in line.iter().zip(&widths).enumerate() {
            let separator = if column == 0 { "" } else { "," };
            // Writing to a string does not fail.
            let _ = write!(text, "{separator}{field:<width$}");
        }
        text.truncate(start + text[start..].trim_end_matches(' ').len());
        text.push('\n');
    }
    text
}

fn compare<'a>(expected: &'a [Row], actual: &'a [Row]) -> Vec<Line<'a>> {
    let (expected, actual) = (sorted(expected), sorted(actual));
    let mut lines = Vec::with_capacity(expected.len().max(actual.len()));
    let (mut lacking, mut surplus) = (Vec::new(), Vec::new());
    let (mut left, mut right) = (expected.iter().peekable(), actual.iter().peekable());
    loop {
        match (left.peek(), right.peek()) {
            (Some(one), Some(other)) => match row_order(one, other) {
                Ordering::Equal => {
                    lines.push(Line::Same(one));
                    left.next();
                    right.next();
                }
                Ordering::Less => lacking.extend(left.next()),
                Ordering::Greater => surplus.extend(right.next()),
            },
            (Some(_), None) => lacking.extend(left.next()),
            (None, Some(_)) => surplus.extend(right.next()),
            (None, None) => break,
        }
    }
    let pairs = pair(&lacking, &surplus, &Distinct::of(&expected, &actual));
    let taken: BTreeSet<usize> = pairs.values().copied().collect();
    for (index, row) in lacking.iter().enumerate() {
        lines.push(match pairs.get(&index) {
            Some(other) => Line::Changed(row, surplus[*other]),
            None => Line::Expected(row),
        });
    }
    let alone = surplus.iter().enumerate().filter(|(index, _)| !taken.contains(index));
    lines.extend(alone.map(|(_, row)| Line::Actual(row)));
    lines.sort_by(|one, other| row_order(one.row(), other.row()));
    lines
}

/// Which expected row probably became which one of the model's: those that have most in common, the best first.
fn pair(expected: &[&Row], actual: &[&Row], distinct: &Distinct<'_>) -> BTreeMap<usize, usize> {
    let mut candidates: Vec<(usize, usize, usize)> = Vec::new();
    if expected.len().saturating_mul(actual.len()) <= MOST_PAIRS {
        for (left, one) in expected.iter().enumerate() {
            for (right, other) in actual.iter().enumerate() {
                let common = distinct.common(one, other);
                if common > 0 {
                    candidates.push((common, left, right));
                }
            }
        }
    }
    candidates.sort_by_key(|(common, left, right)| (std::cmp::Reverse(*common), *left, *right));
    let mut pairs = BTreeMap::new();
    let mut taken = BTreeSet::new();
    for (_, left, right) in candidates {
        if !pairs.contains_key(&left) && taken.insert(right) {
            pairs.insert(left, right);
        }
    }
    pairs
}

/// For each column, the values that no two rows of one side share: they tell rows apart.
struct Distinct<'a>(Vec<BTreeSet<Ordered<'a>>>);

impl<'a> Distinct<'a> {
    fn of(expected: &[&'a Row], actual: &[&'a Row]) -> Self {
        let columns = expected.iter().chain(actual).map(|row| row.len()).next().unwrap_or(0);
        let of_column = |column: usize| {
            let mut counts: BTreeMap<Ordered<'a>, [usize; 2]> = BTreeMap::new();
            for (side, rows) in [expected, actual].into_iter().enumerate() {
                for row in rows {
                    counts.entry(Ordered(&row[column])).or_default()[side] += 1;
                }
            }
            let once = counts.into_iter().filter(|(cell, count)| *count == [1, 1] && *cell.0 != Cell::Null);
            once.map(|(cell, _)| cell).collect()
        };
        Self((0..columns).map(of_column).collect())
    }

    /// How much two rows have in common; nothing if they are probably not the same row.
    fn common(&self, one: &Row, other: &Row) -> usize {
        let same = |column: &usize| order(&one[*column], &other[*column]) == Ordering::Equal;
        let equal: Vec<usize> = (0..one.len()).filter(same).collect();
        let telling = equal.iter().filter(|column| self.0[**column].contains(&Ordered(&one[**column]))).count();
        let is_likely = telling > 0 || !equal.is_empty() && equal.len() * 2 >= one.len();
        if is_likely { equal.len() + telling * one.len() } else { 0 }
    }
}

/// A cell that can be a key.
#[derive(Clone, Copy)]
struct Ordered<'a>(&'a Cell);

impl Ord for Ordered<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        order(self.0, other.0)
    }
}

impl PartialOrd for Ordered<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ordered<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Ordered<'_> {}

fn sorted(rows: &[Row]) -> Vec<&Row> {
    let mut rows: Vec<&Row> = rows.iter().collect();
    rows.sort_by(|one, other| row_order(one, other));
    rows
}

fn row_order(one: &Row, other: &Row) -> Ordering {
    let cells = one.iter().zip(other).map(|(one, other)| order(one, other));
    cells.into_iter().find(|order| *order != Ordering::Equal).unwrap_or(Ordering::Equal)
}

/// A total order of the values of one column; NULL comes last, and equals NULL.
fn order(one: &Cell, other: &Cell) -> Ordering {
    match (one, other) {
        (Cell::Null, Cell::Null) => Ordering::Equal,
        (Cell::Null, _) => Ordering::Greater,
        (_, Cell::Null) => Ordering::Less,
        (Cell::Boolean(one), Cell::Boolean(other)) => one.cmp(other),
        (Cell::Integer(one), Cell::Integer(other)) => one.cmp(other),
        // Adding zero makes zero of minus zero.
        (Cell::Float(one), Cell::Float(other)) => (one + 0.0).total_cmp(&(other + 0.0)),
        (Cell::Decimal(one), Cell::Decimal(other)) => decimal_order(one, other),
        (Cell::Text(one), Cell::Text(other)) => one.cmp(other),
        (Cell::Date(one), Cell::Date(other)) => one.cmp(other),
        (Cell::Time(one), Cell::Time(other)) => one.cmp(other),
        (Cell::Timestamp(one), Cell::Timestamp(other)) => one.cmp(other),
        (Cell::TimestampTz(one), Cell::TimestampTz(other)) => one.cmp(other),
        (Cell::Binary(one), Cell::Binary(other)) => one.cmp(other),
        // The values of one column are of one type; where a warehouse sees it otherwise, their texts tell.
        (one, other) => one.to_string().cmp(&other.to_string()),
    }
}

/// Exact numbers by their size; numbers that differ beyond what a float holds, by their text. Equal only if the same.
fn decimal_order(one: &str, other: &str) -> Ordering {
    let number = |text: &str| text.parse::<f64>().unwrap_or(f64::NAN);
    number(one).total_cmp(&number(other)).then_with(|| one.cmp(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: i128, name: &str, amount: i128) -> Row {
        let name = if name.is_empty() { Cell::Null } else { Cell::Text(name.to_owned()) };
        vec![Cell::Integer(id), name, Cell::Integer(amount)]
    }

    fn drawn(expected: &[Row], actual: &[Row]) -> Option<String> {
        draw(&["id".to_owned(), "name".to_owned(), "amount".to_owned()], expected, actual)
    }

    #[test]
    fn the_order_of_rows_does_not_count_and_their_number_does() {
        let (one, two) = (row(1, "a", 1), row(2, "", 1));
        assert_eq!(drawn(&[one.clone(), two.clone()], &[two.clone(), one.clone()]), None);
        assert_eq!(drawn(&[], &[]), None);
        insta::assert_snapshot!(drawn(&[one.clone(), two.clone()], &[one.clone(), one, two]).expect("one too many"));
    }

    #[test]
    fn rows_are_paired_by_what_tells_them_apart() {
        let expected = [row(1, "q", 4), row(2, "r", 7), row(4, "t", 8), row(5, "u", 8), row(6, "v", 8), row(9, "z", 7)];
        let actual = [row(1, "q", 4), row(2, "r", 6), row(3, "s", 8), row(4, "t", 8), row(5, "u", 8), row(6, "v", 8)];
        insta::assert_snapshot!(drawn(&expected, &actual).expect("a difference"));
        // One value of three is enough where nobody else has it.
        insta::assert_snapshot!(
            drawn(&[row(1, "a", 1), row(2, "b", 2)], &[row(1, "", 5), row(2, "b", 2)]).expect("too")
        );
    }

    #[test]
    fn numbers_are_compared_as_numbers() {
        let decimal = |text: &str| vec![Cell::Decimal(text.to_owned())];
        let columns = ["n".to_owned()];
        assert_eq!(draw(&columns, &[decimal("1.50")], &[decimal("1.50")]), None);
        assert!(draw(&columns, &[decimal("10000000000000000.1")], &[decimal("10000000000000000.2")]).is_some());
        assert_eq!(draw(&columns, &[vec![Cell::Float(0.0)]], &[vec![Cell::Float(-0.0)]]), None);
        assert_eq!(draw(&columns, &[vec![Cell::Float(f64::NAN)]], &[vec![Cell::Float(f64::NAN)]]), None);
    }
}
