//! Python's methods on strings, lists and dicts that minijinja's `pycompat` lacks.

use minijinja::value::{Kwargs, Rest, Tuple, Value, ValueKind, from_args};
use minijinja::{Error, ErrorKind, State};
use minijinja_contrib::pycompat::unknown_method_callback;

/// Maximum digits of a width: the padded text is built before the work limit can take effect.
const MAX_WIDTH_DIGITS: usize = 4;
const MAX_WIDTH: usize = 9_999;
/// Maximum bytes of an indented text.
const MAX_INDENTED: usize = 1 << 20;

/// Calls `value.method(args)`.
pub(super) fn python_method(
    state: &mut State,
    value: &Value,
    method: &str,
    args: &[Value],
) -> Result<Value, Error> {
    let found = match (value.as_str(), value.kind()) {
        (Some(text), _) => of_text(text, method, args)?,
        (None, ValueKind::Seq) => of_list(value, method, args)?,
        (None, ValueKind::Map) if method == "copy" => Some(value.clone()),
        _ => None,
    };
    match found {
        Some(result) => Ok(result),
        None => unknown_method_callback(state, value, method, args),
    }
}

fn of_text(text: &str, method: &str, args: &[Value]) -> Result<Option<Value>, Error> {
    let found = match method {
        "format" => {
            let is_long = |digits: &str| digits.len() > MAX_WIDTH_DIGITS;
            if text.split(|c: char| !c.is_ascii_digit()).any(is_long) {
                return Err(too_wide("format"));
            }
            return Ok(None);
        }
        "rsplit" => rsplit(text, args)?,
        "partition" | "rpartition" => {
            let (sep,): (&str,) = from_args(args)?;
            let found = match method {
                "partition" => text.split_once(sep),
                _ => text.rsplit_once(sep),
            };
            let parts = match (found, method) {
                (Some((before, after)), _) => [before, sep, after],
                (None, "partition") => [text, "", ""],
                (None, _) => ["", "", text],
            };
            Value::from(Tuple::from(parts.map(Value::from)))
        }
        "removeprefix" => {
            let (prefix,): (&str,) = from_args(args)?;
            Value::from(text.strip_prefix(prefix).unwrap_or(text))
        }
        "removesuffix" => {
            let (suffix,): (&str,) = from_args(args)?;
            Value::from(text.strip_suffix(suffix).unwrap_or(text))
        }
        "zfill" => {
            let (width,): (usize,) = from_args(args)?;
            let sign = text.len() - text.trim_start_matches(['+', '-']).len();
            let (sign, digits) = text.split_at(sign.min(1));
            let missing = missing(text, width, method)?;
            Value::from([sign, &"0".repeat(missing), digits].concat())
        }
        "ljust" | "rjust" | "center" => {
            let (width, fill): (usize, Option<char>) = from_args(args)?;
            let (fill, missing) = (fill.unwrap_or(' '), missing(text, width, method)?);
            // CPython's rounding: an odd blank goes to the left if the width is odd too.
            let left = match method {
                "ljust" => 0,
                "rjust" => missing,
                _ => missing / 2 + (missing & width & 1),
            };
            let pad = |n: usize| fill.to_string().repeat(n);
            Value::from([&pad(left), text, &pad(missing - left)].concat())
        }
        "index" | "rindex" => {
            let (what,): (&str,) = from_args(args)?;
            let at = match method {
                "index" => text.find(what),
                _ => text.rfind(what),
            };
            let at = at.ok_or_else(|| invalid(format!("{method}: substring not found")))?;
            Value::from(text[..at].chars().count())
        }
        "swapcase" => {
            let swapped = text.chars().flat_map(|c| -> Vec<char> {
                match c.is_uppercase() {
                    true => c.to_lowercase().collect(),
                    false => c.to_uppercase().collect(),
                }
            });
            Value::from(swapped.collect::<String>())
        }
        _ => return Ok(None),
    };
    Ok(Some(found))
}

fn of_list(list: &Value, method: &str, args: &[Value]) -> Result<Option<Value>, Error> {
    Ok(Some(match method {
        "index" => {
            let (what,): (Value,) = from_args(args)?;
            let at = list.try_iter()?.position(|item| item == what);
            Value::from(at.ok_or_else(|| invalid("index: the value is not in the list"))?)
        }
        "copy" => list.clone(),
        _ => return Ok(None),
    }))
}

/// Python's `str.rsplit(sep, maxsplit)`.
fn rsplit(text: &str, args: &[Value]) -> Result<Value, Error> {
    let (sep, max): (Option<&str>, Option<i64>) = from_args(args)?;
    let max = usize::try_from(max.unwrap_or(-1)).unwrap_or(usize::MAX);
    let mut parts: Vec<&str> = match sep {
        Some("") => return Err(invalid("rsplit: empty separator")),
        Some(sep) => text.rsplitn(max.saturating_add(1), sep).collect(),
        None => {
            let (mut words, mut rest) = (Vec::new(), text.trim_end());
            while let Some(at) = rest
                .rfind(char::is_whitespace)
                .filter(|_| words.len() < max)
            {
                let blank = rest[at..].chars().next().map_or(1, char::len_utf8);
                words.push(&rest[at + blank..]);
                rest = rest[..at].trim_end();
            }
            words.extend(Some(rest).filter(|rest| !rest.is_empty()));
            words
        }
    };
    parts.reverse();
    Ok(parts.into_iter().map(Value::from).collect())
}

/// `value | indent(width=4, first=false, blank=false)`; the width is a number of blanks or the indentation itself.
pub(super) fn indent(
    text: &str,
    width: Option<Value>,
    first: Option<bool>,
    blank: Option<bool>,
    options: Kwargs,
) -> Result<String, Error> {
    let width = width.or(options.get("width")?);
    let first = first.or(options.get("first")?).unwrap_or(false);
    let blank = blank.or(options.get("blank")?).unwrap_or(false);
    options.assert_all_used()?;
    let indentation = match &width {
        None => " ".repeat(4),
        Some(width) => match width.as_str() {
            Some(text) => text.to_owned(),
            None => match usize::try_from(width.clone())? {
                width if width > MAX_WIDTH => return Err(too_wide("indent")),
                width => " ".repeat(width),
            },
        },
    };
    // The work limit does not cover what a filter builds.
    let lines = text.split('\n').count();
    if lines.saturating_mul(indentation.len()) > MAX_INDENTED {
        return Err(invalid("indent: the result is too long"));
    }
    let mut out = String::with_capacity(text.len() + indentation.len());
    for (i, line) in text.split('\n').enumerate() {
        if i > 0 {
            out.push('\n');
        }
        if (i == 0 && first) || (i > 0 && (blank || !line.is_empty())) {
            out.push_str(&indentation);
        }
        out.push_str(line);
    }
    Ok(out)
}

/// `value | default(other="", boolean=false)`; minijinja's own version takes no named arguments.
pub(super) fn default(
    value: &Value,
    other: Option<Value>,
    boolean: Option<bool>,
    options: Kwargs,
) -> Result<Value, Error> {
    let other = other.or(options.get("default_value")?);
    let boolean = boolean.or(options.get("boolean")?).unwrap_or(false);
    options.assert_all_used()?;
    let is_missing = value.is_undefined() || (boolean && !value.is_true());
    Ok(match is_missing {
        true => other.unwrap_or_else(|| Value::from("")),
        false => value.clone(),
    })
}

/// `value is sequence`: anything with a length and entries, also a string or a dict.
pub(super) fn is_sequence(value: &Value) -> bool {
    matches!(
        value.kind(),
        ValueKind::Seq | ValueKind::Map | ValueKind::String
    )
}

/// `cycler('a', 'b')`.
pub(super) fn cycler(items: Rest<Value>) -> Result<Value, Error> {
    minijinja_contrib::globals::cycler(items.0)
}

/// Returns the number of characters that `text` falls short of `width`.
fn missing(text: &str, width: usize, method: &str) -> Result<usize, Error> {
    if width > MAX_WIDTH {
        return Err(too_wide(method));
    }
    Ok(width.saturating_sub(text.chars().count()))
}

fn too_wide(method: &str) -> Error {
    invalid(format!(
        "{method}: a number has more than {MAX_WIDTH_DIGITS} digits"
    ))
}

fn invalid(message: impl Into<String>) -> Error {
    let message: String = message.into();
    Error::new(ErrorKind::InvalidOperation, message)
}
