//! Rewrites Python's Jinja as minijinja's.
//!
//! Templates are written for Jinja2, whose string literals are Python's and whose `for` iterates over a string like a
//! list. Where minijinja 3.1.0 differs, the source is rewritten before it is compiled: token by token, so that plain
//! text, comments, raw blocks and string literals keep their meaning.
//!
//! * String literals: `\x41`, `\101`, `\U0001F600`, `\a`, `\v` and a backslash at the end of a line.
//! * `{% generation %}` marks the assistant's words for training; it becomes a condition that is always true, because
//!   its white-space control still applies.
//! * `for c in text`: the string becomes a list of characters ([`LOOPED`]), so that `loop.last` and `loop.length`
//!   exist.
//! * `f(a, b,)`: a call's trailing comma is removed.

use minijinja::value::ValueKind;
use minijinja::{Error, State, Value};

/// Name of the filter around a loop's iterable.
pub(super) const LOOPED: &str = "_looped";

/// Returns a string as a list of its characters, any other value unchanged.
pub(super) fn looped(state: &State, value: Value) -> Result<Value, Error> {
    match value.as_str() {
        Some(text) if value.kind() == ValueKind::String => {
            // The list takes more memory than the string: one value per character.
            state.consume_fuel(text.len() as u64 / 2)?;
            Ok(text.chars().map(Value::from).collect())
        }
        _ => Ok(value),
    }
}

/// Rewrites a whole template. Malformed parts stay unchanged, for the compiler to report.
pub(super) fn rewritten(source: &str) -> String {
    let mut out = String::with_capacity(source.len() + 64);
    let mut rest = source;
    while let Some(at) = rest.find("{") {
        let (before, here) = rest.split_at(at);
        out.push_str(before);
        rest = match here.as_bytes().get(1) {
            Some(b'{') => {
                out.push_str("{{");
                let inside = &here[2..];
                &inside[code(inside, "}}", false, &mut out)..]
            }
            Some(b'%') => {
                let inside = here[2..].trim_start_matches(is_margin);
                out.push_str(&here[..here.len() - inside.len()]);
                statement(inside, &mut out)
            }
            Some(b'#') => {
                let (comment, rest) =
                    here.split_at(here.find("#}").map_or(here.len(), |end| end + 2));
                out.push_str(comment);
                rest
            }
            _ => {
                out.push('{');
                &here[1..]
            }
        };
    }
    out.push_str(rest);
    out
}

/// Returns whether `c` is white space or its control, at the beginning of a tag.
fn is_margin(c: char) -> bool {
    c.is_whitespace() || c == '-' || c == '+'
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Rewrites the statement that begins here, after `{%`; returns the text after its end (for a raw block: the block's
/// end).
fn statement<'a>(text: &'a str, out: &mut String) -> &'a str {
    let word = &text[..text.find(|c| !is_word(c)).unwrap_or(text.len())];
    let rest = &text[word.len()..];
    match word {
        "generation" | "endgeneration" if rest.trim_start_matches(is_margin).starts_with("%}") => {
            out.push_str(if word == "generation" {
                "if true"
            } else {
                "endif"
            });
            rest
        }
        "raw" => {
            let end = raw_end(rest).unwrap_or(rest.len());
            out.push_str(word);
            out.push_str(&rest[..end]);
            &rest[end..]
        }
        _ => {
            out.push_str(word);
            let taken = code(rest, "%}", word == "for", out);
            &rest[taken..]
        }
    }
}

/// Returns the offset of the tag that ends a raw block.
fn raw_end(text: &str) -> Option<usize> {
    let tags = text.match_indices("{%").map(|(at, _)| at);
    tags.into_iter().find(|at| {
        text[at + 2..]
            .trim_start_matches(is_margin)
            .starts_with("endraw")
    })
}

/// An open bracket, and whether it encloses the arguments of a call.
struct Bracket {
    is_call: bool,
}

/// Rewrites the inside of a tag up to and including `end`; returns the number of bytes read.
fn code(text: &str, end: &str, is_loop: bool, out: &mut String) -> usize {
    let mut open: Vec<Bracket> = Vec::new();
    // Bounds of the looped expression in `out`.
    let (mut begins, mut ends) = (None, None);
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        if open.is_empty() && text[at..].starts_with(end) {
            break;
        }
        match c {
            '\'' | '"' => {
                at += literal(&text[at..], out);
                continue;
            }
            '(' | '[' | '{' => open.push(Bracket {
                is_call: c == '(' && is_callee(out),
            }),
            ')' | ']' | '}' => {
                let is_call = open.pop().is_some_and(|bracket| bracket.is_call);
                let written = out.trim_end().len();
                if is_call && out[..written].ends_with(',') {
                    out.truncate(written - 1);
                }
            }
            _ => {}
        }
        if !is_word(c) {
            out.push(c);
            at += c.len_utf8();
            continue;
        }
        let rest = &text[at..];
        let word = &rest[..rest.find(|c| !is_word(c)).unwrap_or(rest.len())];
        if is_loop && open.is_empty() {
            match (word, begins) {
                ("in", None) => begins = Some(out.len() + word.len()),
                ("if" | "recursive", Some(_)) if ends.is_none() => ends = Some(out.len()),
                _ => {}
            }
        }
        out.push_str(word);
        at += word.len();
    }
    if let Some(begins) = begins {
        // White-space control at the end belongs to the tag.
        let margin = |text: &str| text.trim_end_matches(is_margin).len();
        let ends = ends.unwrap_or_else(|| begins + margin(&out[begins..]));
        out.insert_str(ends, &format!(") | {LOOPED} "));
        out.insert_str(begins, " (");
    }
    let end = if text[at..].starts_with(end) { end } else { "" };
    out.push_str(end);
    at + end.len()
}

/// Returns whether a bracket after this code opens a call.
fn is_callee(code: &str) -> bool {
    const KEYWORDS: [&str; 9] = ["in", "if", "elif", "else", "and", "or", "not", "is", "set"];
    let code = code.trim_end();
    let name = code.rsplit(|c| !is_word(c)).next().unwrap_or_default();
    match name {
        "" => code.ends_with([')', ']']),
        name => !KEYWORDS.contains(&name),
    }
}

/// Writes the string literal that begins here with escapes that both languages read alike; returns the bytes read.
///
/// Python's rules are those of its codec `unicode_escape`, which Jinja2 uses; character names (`\N{...}`) are kept.
fn literal(text: &str, out: &mut String) -> usize {
    let quote = text.as_bytes()[0];
    let mut rest = &text[1..];
    out.push(char::from(quote));
    loop {
        let Some(at) = rest.find(['\\', char::from(quote)]) else {
            out.push_str(rest);
            return text.len();
        };
        out.push_str(&rest[..at]);
        if rest.as_bytes()[at] == quote {
            out.push(char::from(quote));
            return text.len() - rest.len() + at + 1;
        }
        rest = &rest[at + 1..];
        rest = &rest[escape(rest, out)..];
    }
}

/// Writes one escape, given the text after the backslash; returns the number of bytes read.
fn escape(text: &str, out: &mut String) -> usize {
    let Some(c) = text.chars().next() else {
        out.push('\\');
        return 0;
    };
    let (radix, from, most) = match c {
        '\n' => return 1,
        '\\' | '\'' | '"' | 'n' | 'r' | 't' => {
            out.extend(['\\', c]);
            return 1;
        }
        'a' | 'b' | 'f' | 'v' => {
            out.push(match c {
                'a' => '\u{7}',
                'b' => '\u{8}',
                'f' => '\u{c}',
                _ => '\u{b}',
            });
            return 1;
        }
        'x' => (16, 1, 2),
        'u' => (16, 1, 4),
        'U' => (16, 1, 8),
        '0'..='7' => (8, 0, 3),
        _ => {
            out.push_str("\\\\");
            return 0;
        }
    };
    let digits = text[from..].chars().take(most);
    let end = from + digits.take_while(|c| c.is_digit(radix)).count();
    let code = u32::from_str_radix(&text[from..end], radix).ok();
    // Half of a UTF-16 surrogate pair, which Python would keep, cannot be part of a Rust string.
    match code.and_then(char::from_u32) {
        Some(c) if radix == 8 || end == from + most => {
            match c {
                '\\' | '\'' | '"' => out.extend(['\\', c]),
                c => out.push(c),
            }
            end
        }
        _ => {
            out.push_str("\\\\");
            0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::rewritten;

    #[test]
    fn only_what_differs_is_rewritten() {
        for same in [
            "a { b } {{ x }} {%- if y -%} {# {% generation %} '\\x41' #} {% endif %}",
            "{% raw %}{% for c in '\\x41' %}{% generation %}{% endraw %}",
            "{{ '{% generation %}' }}{{ {'a': {'b': 1}} }}",
            "{{ (1,) }}{% if x in (1,) %}{% endif %}",
            "\\x41 {% set a = 'it\\'s' %}",
            "{{ 'unfinished",
            "{% for x",
            "{",
            "{% raw %} and so on",
            "{# and so on",
        ] {
            assert_eq!(rewritten(same), same);
        }
    }

    #[test]
    fn each_difference() {
        for (source, expected) in [
            ("{{ '\\x41\\101\\U0001F600\\u2581' }}", "{{ 'AA😀▁' }}"),
            ("{{ 'a\\\nb\\d\\x4' }}", "{{ 'ab\\\\d\\\\x4' }}"),
            ("{{ \"\\x22\\x5c\" }}", "{{ \"\\\"\\\\\" }}"),
            (
                "{%- generation -%}a{% endgeneration %}",
                "{%- if true -%}a{% endif %}",
            ),
            ("{{ f(a, b,) }}{{ f((1,),) }}", "{{ f(a, b) }}{{ f((1,)) }}"),
            ("{% for a in b -%}", "{% for a in ( b) | _looped  -%}"),
            (
                "{%- for a, b in c(d, ) if a in b %}",
                "{%- for a, b in ( c(d) ) | _looped if a in b %}",
            ),
            (
                "{% for a in b.c recursive %}",
                "{% for a in ( b.c ) | _looped recursive %}",
            ),
            ("{% for a in 1, 2 %}", "{% for a in ( 1, 2) | _looped  %}"),
        ] {
            assert_eq!(rewritten(source), expected, "{source}");
        }
    }
}
