//! The `tojson` filter, with the output of Python's `json.dumps`.
//!
//! `transformers` replaces Jinja's own filter by `json.dumps(x, ensure_ascii=False, indent=None, ...)`, so `,` and
//! `:` are followed by a blank, and nothing is escaped for HTML.

use std::fmt::Write as _;

use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Error, ErrorKind, State, Value};

/// Maximum nesting depth of a value.
const MAX_DEPTH: usize = 120;
/// Maximum characters of indentation per level.
const MAX_INDENT: usize = 16;

struct Style {
    ensure_ascii: bool,
    indent: Option<String>,
    item_separator: String,
    key_separator: String,
    sort_keys: bool,
}

/// `value | tojson(ensure_ascii=false, indent=none, separators=none, sort_keys=false)`; the first two may be
/// positional.
pub(super) fn tojson(
    state: &State,
    value: Value,
    ensure_ascii: Option<Value>,
    indent: Option<Value>,
    options: Kwargs,
) -> Result<String, Error> {
    let by_name: Option<Value> = options.get("ensure_ascii")?;
    let indent: Option<Value> = indent.or(options.get("indent")?);
    let separators: Option<Vec<String>> = options.get("separators")?;
    let sort_keys: Option<bool> = options.get("sort_keys")?;
    options.assert_all_used()?;
    // Python accepts a number of blanks or the indentation itself.
    let indent = match indent.filter(|v| !v.is_none() && !v.is_undefined()) {
        None => None,
        Some(v) => Some(match v.as_str() {
            Some(text) => text.chars().take(MAX_INDENT).collect(),
            None => " ".repeat(usize::try_from(v)?.min(MAX_INDENT)),
        }),
    };
    let (item_separator, key_separator) = match separators.as_deref() {
        Some([item, key]) => (item.clone(), key.clone()),
        _ if indent.is_some() => (",".to_owned(), ": ".to_owned()),
        _ => (", ".to_owned(), ": ".to_owned()),
    };
    let style = Style {
        ensure_ascii: by_name.or(ensure_ascii).is_some_and(|v| v.is_true()),
        indent,
        item_separator,
        key_separator,
        sort_keys: sort_keys.unwrap_or(false),
    };
    let mut out = String::new();
    style.value(state, &value, 0, &mut out)?;
    Ok(out)
}

impl Style {
    fn value(
        &self,
        state: &State,
        value: &Value,
        depth: usize,
        out: &mut String,
    ) -> Result<(), Error> {
        if depth > MAX_DEPTH {
            return Err(Error::new(
                ErrorKind::InvalidOperation,
                "tojson: the value is nested too deeply",
            ));
        }
        // Custom filters must account for their own work: one value, and the indentation before it.
        let indentation = self.indent.as_deref().map_or(0, str::len) * depth;
        state.consume_fuel(1 + indentation as u64 / 64)?;
        match value.kind() {
            ValueKind::Undefined | ValueKind::None => out.push_str("null"),
            ValueKind::Bool => out.push_str(if value.is_true() { "true" } else { "false" }),
            ValueKind::Number if value.is_integer() => {
                let _ = write!(out, "{value}");
            }
            ValueKind::Number => number(f64::try_from(value.clone())?, out),
            ValueKind::Seq | ValueKind::Iterable => {
                let mut items = value.try_iter()?.peekable();
                if items.peek().is_none() {
                    out.push_str("[]");
                    return Ok(());
                }
                out.push('[');
                for (i, item) in items.enumerate() {
                    self.separate(i, depth, out);
                    self.value(state, &item, depth + 1, out)?;
                }
                self.close(depth, out);
                out.push(']');
            }
            ValueKind::Map => {
                let mut keys: Vec<Value> = value.try_iter()?.collect();
                if keys.is_empty() {
                    out.push_str("{}");
                    return Ok(());
                }
                if self.sort_keys {
                    keys.sort();
                }
                out.push('{');
                for (i, key) in keys.iter().enumerate() {
                    self.separate(i, depth, out);
                    match key.as_str() {
                        Some(text) => self.string(state, text, out)?,
                        None => self.string(state, &key.to_string(), out)?,
                    }
                    out.push_str(&self.key_separator);
                    self.value(state, &value.get_item(key)?, depth + 1, out)?;
                }
                self.close(depth, out);
                out.push('}');
            }
            _ => match value.as_str() {
                Some(text) => self.string(state, text, out)?,
                None => self.string(state, &value.to_string(), out)?,
            },
        }
        Ok(())
    }

    fn separate(&self, index: usize, depth: usize, out: &mut String) {
        if index > 0 {
            out.push_str(&self.item_separator);
        }
        if self.indent.is_some() {
            self.new_line(depth + 1, out);
        }
    }

    fn close(&self, depth: usize, out: &mut String) {
        if self.indent.is_some() {
            self.new_line(depth, out);
        }
    }

    fn new_line(&self, depth: usize, out: &mut String) {
        out.push('\n');
        for _ in 0..depth {
            out.push_str(self.indent.as_deref().unwrap_or_default());
        }
    }

    fn string(&self, state: &State, text: &str, out: &mut String) -> Result<(), Error> {
        state.consume_fuel(text.len() as u64 / 64)?;
        out.push('"');
        for c in text.chars() {
            match c {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\u{8}' => out.push_str("\\b"),
                '\u{c}' => out.push_str("\\f"),
                '\0'..='\u{1f}' => unicode_escape(c, out),
                // The marker is a private-use character and must stay one to be found again.
                '\u{e000}'..='\u{f8ff}' | '\u{f0000}'.. => out.push(c),
                // Like Python, which escapes U+007F too.
                '\u{7f}'.. if self.ensure_ascii => unicode_escape(c, out),
                _ => out.push(c),
            }
        }
        out.push('"');
        Ok(())
    }
}

fn unicode_escape(c: char, out: &mut String) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        let _ = write!(out, "\\u{unit:04x}");
    }
}

/// Python's `repr` of a float.
fn number(x: f64, out: &mut String) {
    if x.is_nan() {
        out.push_str("NaN");
    } else if x.is_infinite() {
        out.push_str(if x > 0.0 { "Infinity" } else { "-Infinity" });
    } else if x != 0.0 && !(1e-4..1e16).contains(&x.abs()) {
        let text = format!("{x:e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, digits) = match exponent.strip_prefix('-') {
            Some(digits) => ('-', digits),
            None => ('+', exponent),
        };
        let _ = write!(out, "{mantissa}e{sign}{digits:0>2}");
    } else {
        let _ = write!(out, "{x:?}");
    }
}
