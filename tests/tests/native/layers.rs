//! Imports point one way. Cargo enforces the border between `hearth` and `hearth-modelfile`; this test enforces the
//! layers within each.

use std::fs;
use std::path::{Path, PathBuf};

/// The layers of each crate, from the lowest up. A module imports only from itself and from those before it in this
/// list.
const CRATES: [(&str, &[&str]); 2] = [
    (
        "modelfile/src",
        &[
            "error",
            "kv_type",
            "container",
            "sampling",
            "quant",
            "json",
            "router",
            "families",
            "rope",
            "layer_spec",
            "by_layer",
            "layer_kinds",
            "mathematics",
            "config",
            "weight_requests",
            "text",
            "vision",
            "huggingface",
            "adapter",
            "files",
            "cost",
            "budget",
        ],
    ),
    (
        "crate/src",
        &[
            "platform", "ops", "device", "weights", "model", "engine", "load", "boundary", "web",
        ],
    ),
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => sources(&path, found),
            false if path.extension().is_some_and(|end| end == "rs") => found.push(path),
            false => {}
        }
    }
}

/// Returns the modules that a source names in `crate::MODULE`, ignoring comments and the source's own tests.
fn imports(source: &str) -> impl Iterator<Item = &str> {
    let code = source.split("\n#[cfg(test)]\nmod tests").next();
    let lines = code.unwrap_or_default().lines();
    let code = lines.filter(|line| !line.trim_start().starts_with("//"));
    let parts = code.flat_map(|line| line.split("crate::").skip(1));
    parts.map(|rest| {
        &rest[..rest
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(rest.len())]
    })
}

#[test]
fn imports_point_one_way() {
    let root = Path::new(env!("HEARTH_ROOT"));
    let (mut seen, mut upward) = (0, Vec::new());
    for (folder, layers) in CRATES {
        let base = root.join(folder);
        let layer = |name: &str| layers.iter().position(|layer| *layer == name);
        let mut files = Vec::new();
        sources(&base, &mut files);
        for path in files {
            let name = path
                .strip_prefix(&base)
                .unwrap()
                .to_string_lossy()
                .replace('\\', "/");
            let own = name.split('/').next().unwrap().trim_end_matches(".rs");
            if own == "lib" || name.ends_with("tests.rs") || name.ends_with("testing.rs") {
                continue;
            }
            let place = layer(own).unwrap_or_else(|| panic!("{folder}/{own} is in no layer"));
            seen += 1;
            for to in imports(&fs::read_to_string(&path).unwrap()) {
                if layer(to).is_some_and(|to| to > place) {
                    upward.push(format!("{folder}/{name} imports {to}"));
                }
            }
        }
    }
    assert!(upward.is_empty(), "{}", upward.join("\n"));
    assert!(seen > 100, "{seen}");
}
