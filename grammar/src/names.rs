//! Names of tokens in a grammar. Files differ in whether the marks of a model's calls are special tokens or text, and a
//! grammar that names one (`<|tool_call>`) means either.

/// Returns a grammar in llguidance's Lark in which each name of a token that is text is a string. `text`: the text of a
/// token by its name.
pub(crate) fn with_text<'n>(grammar: &'n str, text: impl Fn(&'n str) -> Option<&'n str>) -> String {
    let mut written = String::with_capacity(grammar.len());
    let mut rest = grammar;
    while let Some(c) = rest.chars().next() {
        let length = match c {
            '"' => quoted(rest, '"'),
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' => quoted(rest, '/'),
            '<' => name(rest),
            c => c.len_utf8(),
        };
        let (part, after) = rest.split_at(length);
        match text(part).filter(|_| c == '<') {
            Some(text) => written += &serde_json::Value::from(text).to_string(),
            None => written += part,
        }
        rest = after;
    }
    written
}

/// Returns the length of a string or regular expression, its quotes included.
fn quoted(text: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Returns the length of a token's name in angle brackets, or of the bracket alone.
fn name(text: &str) -> usize {
    let is_end = |c: char| c == '<' || c == '>' || c.is_whitespace();
    match text[1..].find(is_end) {
        Some(end) if text[1 + end..].starts_with('>') => end + 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_outside_of_quotes_become_text() {
        let text = |name| ["<a>", r#"<|"|>"#].contains(&name).then_some(name);
        for (grammar, expected) in [
            (r#"start: <a> x <b>"#, r#"start: "<a>" x <b>"#),
            (
                r#"start: <|"|> "<a>" <a>"#,
                r#"start: "<|\"|>" "<a>" "<a>""#,
            ),
            (r#"x: /<a>\/<a>/ <a>"#, r#"x: /<a>\/<a>/ "<a>""#),
            ("// <a>\nx: <a", "// <a>\nx: <a"),
            (
                r#"x: %json {"a": "\"<a>"} <a>"#,
                r#"x: %json {"a": "\"<a>"} "<a>""#,
            ),
            (r#"x: "<a>"#, r#"x: "<a>"#),
            ("x: <é <a>", "x: <é \"<a>\""),
        ] {
            assert_eq!(with_text(grammar, text), expected);
        }
    }
}
