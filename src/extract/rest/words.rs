//! The server's own words, short enough for a message.

use super::transport::Answer;

/// The most characters of a server's words that are shown.
const LONGEST: usize = 300;

/// What a server says in its body: the message of a JSON error, the text of a web page, or the text itself.
pub fn words(answer: &Answer) -> String {
    let body = String::from_utf8_lossy(&answer.body);
    let text = if is_html(answer) { without_tags(&body) } else { message(&body).unwrap_or_else(|| body.into_owned()) };
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.is_empty() {
        return "(no words)".to_owned();
    }
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Whether an answer is a web page: a login form or a proxy's error where data was asked for.
pub fn is_html(answer: &Answer) -> bool {
    let says_so = answer.headers.content_type.as_ref().is_some_and(|kind| kind.to_ascii_lowercase().contains("html"));
    says_so || answer.body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'<')
}

/// The message of an error in JSON, in one of the usual places.
fn message(body: &str) -> Option<String> {
    let body: serde_json::Value = serde_json::from_str(body).ok()?;
    let places = ["/error_description", "/message", "/error/message", "/detail", "/title", "/error"];
    places.into_iter().find_map(|place| Some(body.pointer(place)?.as_str()?.to_owned()))
}

/// The text of a web page without tags, scripts and styles.
fn without_tags(page: &str) -> String {
    let mut text = String::new();
    let mut rest = page;
    while let Some((before, after)) = rest.split_once('<') {
        text.push_str(before);
        text.push(' ');
        let name: String = after.chars().take_while(char::is_ascii_alphabetic).collect::<String>().to_ascii_lowercase();
        let hidden = matches!(name.as_str(), "script" | "style");
        let end = if hidden { after.find(&format!("</{name}")) } else { Some(0) };
        let Some(end) = end else { return text };
        let after = &after[end..];
        rest = after.split_once('>').map_or("", |(_, rest)| rest);
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(body: &str) -> Answer {
        Answer { status: 400, body: body.into(), ..Answer::default() }
    }

    #[test]
    fn the_words_of_a_server_are_found() {
        for (body, said) in [
            (r#"{"error": "invalid_client", "error_description": "no such client"}"#, "no such client"),
            (r#"{"error": {"code": 7, "message": "wrong\n parameter"}}"#, "wrong parameter"),
            ("plain   words", "plain words"),
            (
                "<html><head><style>a{b}</style><title>Log in</title></head><body>Who <b>are</b> you?",
                "Log in Who are you?",
            ),
            ("<script>unclosed", "(no words)"),
            ("", "(no words)"),
        ] {
            assert_eq!(words(&answer(body)), said);
        }
        assert_eq!(words(&answer(&"ä".repeat(400))).chars().count(), LONGEST + 1);
    }
}
