//! Tables of BENCHMARKS.md, from stored runs: `docs/benchmarks/results/MACHINE.jsonl`, as `bench --save` writes them.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};

const RESULTS: &str = "docs/benchmarks/results";
const DOCUMENT: &str = "BENCHMARKS.md";

type Case = Map<String, Value>;

/// One stored run.
struct Run {
    machine: String,
    cases: Vec<Case>,
}

/// Writes the tables into the document.
pub fn write(root: &Path) -> Result<()> {
    let path = root.join(DOCUMENT);
    let text = fs::read_to_string(&path)?;
    fs::write(&path, filled(&text, &stored(root)?)?)?;
    Ok(())
}

fn stored(root: &Path) -> Result<Vec<Run>> {
    let folder = root.join(RESULTS);
    let mut paths = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        paths.push(entry?.path());
    }
    paths.sort();
    let read = |path: &std::path::PathBuf| -> Result<Run> {
        let text = fs::read_to_string(path)?;
        let cases = text.lines().map(serde_json::from_str);
        Ok(Run {
            machine: (path.file_stem().unwrap_or_default())
                .to_string_lossy()
                .into_owned(),
            cases: cases
                .collect::<Result<_, _>>()
                .with_context(|| path.display().to_string())?,
        })
    };
    let runs = paths.iter().filter(|path| {
        path.extension()
            .is_some_and(|extension| extension == "jsonl")
    });
    runs.map(read).collect()
}

/// Returns the document with its tables replaced.
fn filled(text: &str, runs: &[Run]) -> Result<String> {
    let mut text = text.to_owned();
    for (name, table) in [("smollm2", smollm2(runs)), ("peers", peers(runs))] {
        let (begin, end) = (
            format!("<!-- {name} -->\n\n"),
            format!("\n<!-- /{name} -->"),
        );
        let place = text.find(&begin).and_then(|at| {
            let from = at + begin.len();
            Some(from..from + text[from..].find(&end)?)
        });
        match place {
            Some(place) => text.replace_range(place, &table),
            None => bail!("{DOCUMENT} has no place for the table {name}"),
        }
    }
    Ok(text)
}

/// Returns the cases of a run whose name begins with `prefix`, with the rest of their names split at slashes.
fn named<'a>(run: &'a Run, prefix: &str) -> Vec<(Vec<&'a str>, &'a Case)> {
    let name = |case: &'a Case| case.get("case").and_then(Value::as_str).unwrap_or_default();
    let found = run.cases.iter().filter_map(|case| {
        let rest = name(case).strip_prefix(prefix)?;
        Some((rest.split('/').collect(), case))
    });
    found.collect()
}

fn number(case: &Case, key: &str) -> f64 {
    case.get(key).and_then(Value::as_f64).unwrap_or(f64::NAN)
}

fn browser(name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

fn smollm2(runs: &[Run]) -> String {
    let mut out = "| machine | case | decode tok/s | prefill tok/s | load s | wasm heap MiB |\n\
        | --- | --- | --: | --: | --: | --: |\n"
        .to_owned();
    for run in runs {
        for (name, case) in named(run, "smollm2-q4_1/") {
            let [program, kind] = name[..] else { continue };
            let device = match kind {
                "cpu" => "CPU, one thread".to_owned(),
                // Firefox does not name its adapter.
                _ => match case.get("device").and_then(|device| device.get("name")) {
                    Some(Value::String(name)) if !name.is_empty() => format!("WebGPU ({name})"),
                    _ => "WebGPU".to_owned(),
                },
            };
            out += &format!(
                "| {} | {}, {device} | {:.1} | {:.0} | {:.1} | {:.0} |\n",
                run.machine,
                browser(program),
                number(case, "decode_tok_s"),
                number(case, "prefill_tok_s"),
                number(case, "load_ms") / 1000.0,
                number(case, "heap_mib"),
            );
        }
    }
    out
}

fn peers(runs: &[Run]) -> String {
    let mut out = "| machine | browser, threads | decode tok/s, ours / theirs | ratio | \
        prefill of 138 tokens, ms | ratio | load, ratio |\n\
        | --- | --- | --: | --: | --: | --: | --: |\n"
        .to_owned();
    for run in runs {
        for (name, case) in named(run, "peers/smollm2-q4_1/") {
            let [program, "cpu", threads] = name[..] else {
                continue;
            };
            let n = |key| number(case, key);
            out += &format!(
                "| {} | {}, {threads} | {:.1} / {:.1} | {:.1} | {:.0} / {:.0} | {:.1} | {:.1} |\n",
                run.machine,
                browser(program),
                n("hearth_decode_tok_s"),
                n("peer_decode_tok_s"),
                n("decode_ratio"),
                n("hearth_prefill_ms"),
                n("peer_prefill_ms"),
                n("prefill_ratio"),
                n("load_ratio"),
            );
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_those_of_the_stored_runs() {
        let root = Path::new(env!("HEARTH_ROOT"));
        let text = fs::read_to_string(root.join(DOCUMENT)).unwrap();
        let filled = filled(&text, &stored(root).unwrap()).unwrap();
        assert!(
            text == filled,
            "{DOCUMENT} is behind its results: cargo xtask bench --tables"
        );
    }

    #[test]
    fn every_stored_run_names_its_hardware() {
        let root = Path::new(env!("HEARTH_ROOT"));
        let runs = stored(root).unwrap();
        assert!(!runs.is_empty());
        for run in runs {
            let (name, machine) = &named(&run, "machine")[0];
            assert!(name == &[""], "{}", run.machine);
            for key in ["cpu", "cores"] {
                assert!(machine.contains_key(key), "{}: {key}", run.machine);
            }
        }
    }
}
