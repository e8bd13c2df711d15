//! Snowflake's date and time formats as those of DuckDB's `strftime` and `strptime`.

/// What a format is for; some elements differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// Writing a date as text.
    Write,
    /// Reading a date from text.
    Read,
}

/// Elements, the longest first where one begins another; what writes them and what reads them (none: cannot be).
const ELEMENTS: [(&str, &str, Option<&str>); 27] = [
    ("TZHTZM", "+0000", Some("%z")),
    ("TZH:TZM", "+00:00", Some("%z")),
    ("HH24", "%H", Some("%H")),
    ("HH12", "%I", Some("%I")),
    ("YYYY", "%Y", Some("%Y")),
    ("MMMM", "%B", Some("%B")),
    ("MON", "%b", Some("%b")),
    ("FF0", "", Some("")),
    ("FF3", "%g", Some("%g")),
    ("FF6", "%f", Some("%f")),
    ("FF9", "%f000", Some("%n")),
    ("FF1", "?", None),
    ("FF2", "?", None),
    ("FF4", "?", None),
    ("FF5", "?", None),
    ("FF7", "?", None),
    ("FF8", "?", None),
    ("FF", "%f000", Some("%n")),
    ("YY", "%y", Some("%y")),
    ("MM", "%m", Some("%m")),
    ("MI", "%M", Some("%M")),
    ("DD", "%d", Some("%d")),
    ("DY", "%a", Some("%a")),
    ("SS", "%S", Some("%S")),
    ("AM", "%p", Some("%p")),
    ("PM", "%p", Some("%p")),
    ("HH", "%H", Some("%H")),
];

/// The format for DuckDB, or the element that it has not.
pub(super) fn strftime(format: &str, purpose: Use) -> Result<String, String> {
    let mut translated = String::new();
    let mut rest = format;
    while let Some(first) = rest.chars().next() {
        if let Some(quoted) = rest.strip_prefix('"') {
            let (text, after) = quoted.split_once('"').unwrap_or((quoted, ""));
            translated.push_str(&text.replace('%', "%%"));
            rest = after;
            continue;
        }
        let element = ELEMENTS
            .iter()
            .find(|(element, ..)| rest.get(..element.len()).is_some_and(|start| start.eq_ignore_ascii_case(element)));
        if let Some((element, write, read)) = element {
            let supported = if purpose == Use::Write { Some(*write).filter(|text| *text != "?") } else { *read };
            translated.push_str(supported.ok_or_else(|| (*element).to_owned())?);
            rest = &rest[element.len()..];
        } else if first.is_ascii_alphabetic() && first != 'T' && first != 'Z' {
            return Err(first.to_string());
        } else {
            if first == '%' {
                translated.push('%');
            }
            translated.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    Ok(translated)
}

/// Whether a format is one of numbers (`999,990.00`) and not of dates.
pub(super) fn is_numeric(format: &str) -> bool {
    !format.is_empty()
        && format.chars().all(|character| "09.,$DGSXFMIEB ".contains(character.to_ascii_uppercase()))
        && format.contains(['0', '9'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_become_those_of_strftime() {
        for (format, wanted) in [
            ("YYYY-MM-DD HH24:MI:SS.FF3", "%Y-%m-%d %H:%M:%S.%g"),
            ("yyyy-mm-dd\"T\"hh24:mi:ss", "%Y-%m-%dT%H:%M:%S"),
            ("DY, DD MON YY HH12:MI AM 100%", "%a, %d %b %y %I:%M %p 100%%"),
            ("MMMM", "%B"),
        ] {
            assert_eq!(strftime(format, Use::Write).as_deref(), Ok(wanted));
        }
        assert_eq!(strftime("YYYY FF4", Use::Read), Err("FF4".to_owned()));
        assert_eq!(strftime("QQ", Use::Write), Err("Q".to_owned()));
        assert!(is_numeric("999,990.00") && is_numeric("$99") && !is_numeric("YYYY"));
    }
}
