//! Declarations of the plain objects, by ts-rs.
//!
//! They are true to how `crate/src/web` encodes: every number, of 64 bits too, is a JavaScript number (one that is too
//! large is an error), `None` is null, maps are objects. Objects that only Rust reads may lack every optional field.

use std::any::TypeId;
use std::collections::{BTreeMap, BTreeSet};

use hearth::boundary::{AllStats, InspectorOptions, LoaderOptions, OpenOptions};
use hearth::device::DeviceInfo;
use hearth::engine::adapters::AdapterInfo;
use hearth::engine::embed::EmbedInput;
use hearth::engine::rank::{RankInput, RankScore};
use hearth::engine::request::{Request, TokenDelta};
use hearth::engine::{ContextPage, ModelInfo};
use hearth::load::Progress;
use hearth_grammar::Format;
use hearth_modelfile::budget::Report;
use hearth_modelfile::sampling::SAMPLING_PARAMS;
use ts_rs::{Config, TS, TypeVisitor};

use super::comment;

/// Types with a flattened map of further fields, which ts-rs cannot write.
const OPEN: [&str; 1] = ["Message"];

/// Returns the declarations of all types that cross, and of those they contain, by name.
pub fn declarations() -> String {
    let mut found = Declarations {
        config: Config::new().with_large_int("number"),
        seen: BTreeSet::new(),
        texts: BTreeMap::new(),
    };
    found.visit::<OpenOptions>();
    found.visit::<DeviceInfo>();
    found.visit::<LoaderOptions>();
    found.visit::<Progress>();
    found.visit::<ModelInfo>();
    found.visit::<Request>();
    found.visit::<AdapterInfo>();
    found.visit::<EmbedInput>();
    found.visit::<RankInput>();
    found.visit::<RankScore>();
    found.visit::<Format>();
    found.visit::<TokenDelta>();
    found.visit::<AllStats>();
    found.visit::<ContextPage>();
    found.visit::<InspectorOptions>();
    found.visit::<Report>();
    let texts: Vec<_> = found.texts.into_values().collect();
    texts.join("\n")
}

/// Returns the ranges of the sampling parameters as a constant: the one value in the file, which TypeScript checks
/// requests with.
pub fn ranges() -> String {
    let mut out =
        "/** Range of each sampling parameter. */\nexport const SAMPLING_RANGES = {\n".to_owned();
    for param in SAMPLING_PARAMS {
        // (the shortest text of a float of 32 bits)
        let [min, max] = [param.min, param.max].map(|bound| match param.is_integer {
            true => bound.to_string(),
            false => (bound as f32).to_string(),
        });
        let (name, is_integer) = (param.name, param.is_integer);
        out += &format!("  {name}: {{ min: {min}, max: {max}, isInteger: {is_integer} }},\n");
    }
    out + "} as const;\n"
}

struct Declarations {
    config: Config,
    seen: BTreeSet<TypeId>,
    texts: BTreeMap<String, String>,
}

impl TypeVisitor for Declarations {
    fn visit<T: TS + 'static + ?Sized>(&mut self) {
        if !self.seen.insert(TypeId::of::<T>()) {
            return;
        }
        if T::output_path().is_some() {
            let name = T::ident(&self.config);
            let docs = T::docs().map(|text| docs(&text, "")).unwrap_or_default();
            let mut text = laid_out(&T::inline(&self.config));
            if OPEN.contains(&name.as_str()) {
                text = text.replace("\n}", "\n  [field: string]: unknown;\n}");
            }
            let mut text = format!("export type {name} = {text};\n");
            // A union that is longer than a line has one alternative a line.
            if !text.contains('{') && text.len() > 121 {
                text = text.replacen(" = ", " =\n  | ", 1);
                text = text.replace("\" | \"", "\"\n  | \"");
            }
            let text = format!("{docs}{text}");
            let other = self.texts.insert(name.clone(), text);
            assert!(other.is_none(), "two types are called {name}");
        }
        T::visit_dependencies(self);
        T::visit_generics(self);
    }
}

/// Lays out a type as prettier does: an object's fields on a line each. A flattened enum becomes a union of which
/// every key can be read.
fn laid_out(text: &str) -> String {
    let mut rest = text.trim();
    if !rest.starts_with('{') || rest.contains("} | {") && !rest.contains(" & (") {
        return on_one_line(rest);
    }
    let mut out = "{\n".to_owned();
    rest = rest[1..].trim_start();
    while !rest.starts_with('}') {
        if let Some(end) = rest.strip_prefix("/**").and_then(|_| rest.find("*/")) {
            out += &docs(&rest[..end + 2], "  ");
            rest = rest[end + 2..].trim_start();
        }
        let (field, after) = rest.split_at(end_of_field(rest));
        out += &format!("  {};\n", on_one_line(field));
        rest = after.trim_start_matches(',').trim_start();
    }
    let flattened = on_one_line(&rest[1..]);
    let flattened = flattened.strip_prefix(" & (").map(|union| {
        let union = union.strip_suffix(')').unwrap();
        format!(" & OneOf<{union}>")
    });
    out + "}" + &flattened.unwrap_or_default()
}

/// Returns the length of the field that `text` begins with.
fn end_of_field(text: &str) -> usize {
    let mut depth = 0;
    let end = text.char_indices().find(|(_, c)| {
        match c {
            '{' | '[' | '(' | '<' => depth += 1,
            '}' | ']' | ')' | '>' => depth -= 1,
            _ => {}
        }
        depth < 0 || (*c == ',' && depth == 0)
    });
    end.map_or(text.len(), |(at, _)| at)
}

/// Writes a field, or a type that is nested in another, as prettier does.
fn on_one_line(text: &str) -> String {
    let text = text.trim_end().replace(", }", " }");
    let mut out = String::new();
    // Within braces, a comma ends a field.
    for (i, part) in text.split('{').enumerate() {
        out += if i > 0 { "{" } else { "" };
        out += &(if i > 0 {
            part.replace(", ", "; ")
        } else {
            part.to_owned()
        });
    }
    // A key without quotes.
    while let Some(end) = out.find("\":") {
        let start = out[..end].rfind('"').unwrap();
        out = out[..start].to_owned() + &out[start + 1..end] + &out[end + 1..];
    }
    for (open, close, prefix, suffix) in [
        ("Array<", ">", "", "[]"),
        ("{ [key in string]: ", " }", "Record<string, ", ">"),
    ] {
        while let Some(start) = out.find(open) {
            let (before, rest) = out.split_at(start);
            let (inner, after) = rest[open.len()..].split_once(close).unwrap();
            out = format!("{before}{prefix}{inner}{suffix}{after}");
        }
    }
    out
}

/// Takes a comment that ts-rs wrote apart.
fn docs(text: &str, indent: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let lines = lines.filter(|line| !["/**", "*/"].contains(line));
    let lines: Vec<_> = lines
        .map(|line| line.trim_start_matches('*').trim())
        .collect();
    comment(&lines, indent)
}
