//! The report of a trial, one JSON: hardware, speeds beside the peer's, and where the cost model is furthest off.

use serde_json::{Map, Value, json};

use super::plan::Plan;
use super::run::Outcome;
use crate::{bench, proc};

/// Facts that a report states beside its parts.
pub struct About {
    /// The hardware as the system names it.
    pub machine: Value,
    /// List of what is packed.
    pub manifest: Value,
}

/// Assembles the report of the parts so far; `is_whole` tells whether none is missing.
pub fn report(
    plan: &Plan,
    about: &About,
    outcomes: &[Outcome],
    seconds: f64,
    is_whole: bool,
) -> Value {
    let all = || outcomes.iter().flat_map(|outcome| &outcome.lines);
    let shapes: Vec<Value> = plan.shapes.iter().map(|s| shape(s, outcomes)).collect();
    let failed: Vec<Value> = outcomes
        .iter()
        .filter_map(|outcome| {
            let error = outcome.error.as_ref()?;
            Some(json!({
                "part": outcome.part.name, "shape": outcome.part.shape,
                "engine": outcome.engine, "error": error,
            }))
        })
        .collect();
    json!({
        "gpu_trial": env!("CARGO_PKG_VERSION"),
        "plan": {
            "name": plan.name, "layers": plan.layers, "contexts": plan.contexts, "prompts": plan.prompts,
        },
        "seconds": seconds.round(),
        "whole": is_whole,
        "machine": about.machine,
        "adapter": all().find(|line| is(line, "hardware")),
        "pack": about.manifest,
        "largest_residual": largest_residual(all()),
        "shapes": shapes,
        "failed": failed,
        "parts": outcomes.iter().map(Outcome::json).collect::<Vec<_>>(),
    })
}

/// Returns the measurements of the device that a part printed, as the other parts take them.
pub fn profile(lines: &[Value]) -> Option<String> {
    let hardware = lines.iter().find(|line| is(line, "hardware"))?;
    let profile = hardware
        .get("profile")
        .filter(|profile| !profile.is_null())?;
    Some(profile.to_string())
}

fn is(line: &Value, case: &str) -> bool {
    line.get("case").and_then(Value::as_str) == Some(case)
}

fn number(line: &Value, key: &str) -> Option<f64> {
    line.get(key).and_then(Value::as_f64)
}

/// Returns the hardware as the system names it.
pub fn machine() -> Value {
    const QUERY: &str =
        "name,driver_version,memory.total,clocks.max.memory,clocks.max.sm,power.limit";
    let mut smi = std::process::Command::new("nvidia-smi");
    smi.args([&format!("--query-gpu={QUERY}"), "--format=csv,noheader"]);
    let mut machine: Value = serde_json::from_str(&bench::machine()).unwrap_or_default();
    if let (Some(machine), Some(line)) = (machine.as_object_mut(), proc::first_line(&mut smi)) {
        machine.insert("nvidia_smi".to_owned(), json!({ QUERY: line }));
    }
    machine
}

/// Returns the launch whose measured time differs most from the predicted one, over the step that it is part of.
fn largest_residual<'a>(lines: impl Iterator<Item = &'a Value>) -> Option<Value> {
    let off = |line: &Value| {
        let one = number(line, "us")? - number(line, "model_us")?;
        Some(one * number(line, "launches")?)
    };
    let (line, residual) = lines
        .filter(|line| is(line, "launch"))
        .filter_map(|line| Some((line, off(line)?)))
        .filter(|(_, residual)| residual.is_finite())
        .max_by(|(_, a), (_, b)| a.abs().total_cmp(&b.abs()))?;
    let mut line = line.clone();
    line.as_object_mut()?
        .insert("residual_us_a_step".to_owned(), json!(residual));
    Some(line)
}

/// Summarises a shape: tokens per second of each engine, by context and by length of the prompt.
fn shape(name: &str, outcomes: &[Outcome]) -> Value {
    let own = || outcomes.iter().filter(|o| o.part.shape == Some(name));
    let lines = || own().flat_map(|outcome| &outcome.lines);
    let of_case = |case: &'static str| lines().filter(move |line| is(line, case));
    json!({
        "shape": name,
        "decode_tok_s": speeds(own(), "decode", "context"),
        "prefill_tok_s": speeds(own(), "prefill", "tokens"),
        "steps": of_case("step").collect::<Vec<_>>(),
        "sampler": of_case("sampler").collect::<Vec<_>>(),
        "drafts": of_case("drafts").collect::<Vec<_>>(),
        "largest_residual": largest_residual(lines()),
    })
}

/// Returns tokens per second by the number `key`, of every engine, and Hearth's share of each peer's.
fn speeds<'a>(outcomes: impl Iterator<Item = &'a Outcome>, case: &str, key: &str) -> Value {
    let mut table: Vec<(u64, Map<String, Value>)> = Vec::new();
    for outcome in outcomes {
        for line in outcome.lines.iter().filter(|line| is(line, case)) {
            let at = line.get(key).and_then(Value::as_u64);
            let (Some(at), Some(speed)) = (at, number(line, "tok_s")) else {
                continue;
            };
            if !table.iter().any(|(n, _)| *n == at) {
                table.push((at, Map::new()));
            }
            if let Some((_, row)) = table.iter_mut().find(|(n, _)| *n == at) {
                row.insert(outcome.engine.clone(), json!(speed));
            }
        }
    }
    table.sort_by_key(|(at, _)| *at);
    let rows = table.into_iter().map(|(at, mut row)| {
        let hearth = row.get("hearth").and_then(Value::as_f64);
        let ratios: Vec<(String, f64)> = row
            .iter()
            .filter(|(engine, _)| *engine != "hearth")
            .filter_map(|(engine, speed)| Some((format!("of {engine}"), hearth? / speed.as_f64()?)))
            .collect();
        row.extend(ratios.into_iter().map(|(name, ratio)| (name, json!(ratio))));
        (at.to_string(), Value::Object(row))
    });
    Value::Object(rows.collect())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::plan::{Part, Program, small};
    use super::*;

    fn outcome(name: &'static str, engine: &str, lines: Vec<Value>) -> Outcome {
        Outcome {
            part: Part {
                name,
                shape: Some("smollm2-135m"),
                program: Program::Bench,
                limit: Duration::from_secs(1),
            },
            engine: engine.to_owned(),
            seconds: 1.0,
            lines,
            error: (name == "sampler").then(|| "it hung".to_owned()),
        }
    }

    #[test]
    fn speeds_stand_side_by_side_and_the_largest_residual_is_named() {
        let launch = |name: &str, launches: u64, us: f64, model_us: f64| json!({"case": "launch", "name": name, "launches": launches, "us": us, "model_us": model_us});
        let outcomes = [
            outcome(
                "launches",
                "hearth",
                vec![
                    launch("attn_q", 30, 5.0, 4.0),
                    launch("sample", 1, 60.0, 10.0),
                    launch("rope", 30, 1.0, 2.0),
                    json!({"case": "launch", "name": "unknown"}),
                ],
            ),
            outcome(
                "decode",
                "hearth",
                vec![
                    json!({"case": "decode", "context": 2048, "tok_s": 300.0}),
                    json!({"case": "decode", "context": 0, "tok_s": 500.0}),
                ],
            ),
            outcome(
                "peer",
                "llama.cpp-vulkan",
                vec![
                    json!({"case": "decode", "context": 0, "tok_s": 250.0}),
                    json!({"case": "prefill", "tokens": 16, "tok_s": 800.0}),
                ],
            ),
            outcome("sampler", "hearth", vec![]),
        ];
        let about = About {
            machine: json!({}),
            manifest: json!({}),
        };
        let report = report(&small(), &about, &outcomes, 12.3, true);
        assert_eq!(report["largest_residual"]["name"], "sample");
        assert_eq!(report["largest_residual"]["residual_us_a_step"], 50.0);
        let shape = &report["shapes"][0];
        let decode = &shape["decode_tok_s"];
        assert_eq!(decode["0"]["of llama.cpp-vulkan"], 2.0);
        assert_eq!(decode["2048"], json!({"hearth": 300.0}));
        assert_eq!(
            shape["prefill_tok_s"]["16"],
            json!({"llama.cpp-vulkan": 800.0})
        );
        assert_eq!(report["failed"][0]["error"], "it hung");
        assert_eq!(report["parts"].as_array().map(Vec::len), Some(4));
        assert_eq!(profile(&[json!({"case": "hardware"})]), None);
    }
}
