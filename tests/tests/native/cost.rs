//! The counters of a token's launches and the predicted speed, pinned for six models in `tests/cost`.
//!
//! A change that adds a byte, a barrier or a trip is a changed number here, to be explained in its commit. With
//! HEARTH_UPDATE_COST set, the test writes the numbers, and the table of docs/benchmarks/cost.md, instead.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use hearth::model::cost::{Prediction, StepCost, cost, kinds};
use hearth::model::outline::{OutlineOptions, Step, outline};
use hearth::ops::{KvType, Shapes, Tuning};
use hearth_modelfile::container::GgmlType;
use hearth_modelfile::cost::CLASSES;
use hearth_tests::published::{self, Published};
use hearth_tests::synthetic::{self, Shape, Types};
use serde::Serialize;
use serde_json::json;

/// Positions in use, of which the first and the second are pinned with all counters.
const CONTEXTS: [usize; 3] = [128, 2048, 8192];

/// The models of the study that this model of costs comes from. Rows of SmolLM2 are no whole blocks of Q6_K.
fn shapes() -> [Shape; 4] {
    let [q4, q8] = [GgmlType::Q4_0, GgmlType::Q8_0].map(Types::All);
    synthetic::published([q4, q8, Types::Q40, Types::Q40])
}

/// Those, and one each with recurrent layers and with layers that share caches.
fn models() -> Vec<Published> {
    let hybrids = [
        published::qwen35(Types::Q40),
        published::gemma4_e2b(Types::Q40),
    ];
    shapes()
        .map(Published::from)
        .into_iter()
        .chain(hybrids)
        .collect()
}

fn root() -> &'static Path {
    Path::new(env!("HEARTH_ROOT"))
}

fn costs(model: &Published) -> Vec<StepCost> {
    let at = |positions| cost(&model.header, KvType::F16, Some(positions)).unwrap();
    CONTEXTS.map(at).into()
}

/// Formats costs with a line for each launch, so that a difference is one.
fn pinned(costs: &[StepCost]) -> String {
    let mut text = String::from("{\n");
    for (i, cost) in costs.iter().take(2).enumerate() {
        let comma = if i == 0 { "," } else { "" };
        let _ = writeln!(text, " \"at {} positions\": {{", cost.positions);
        let _ = writeln!(text, "  \"totals\": {},", line(&cost.totals));
        let _ = writeln!(text, "  \"launches\": [");
        let lines: Vec<String> = cost.launches.iter().map(line).collect();
        let _ = writeln!(text, "   {}\n  ],", lines.join(",\n   "));
        let _ = writeln!(text, "  \"tokens_per_second\": [");
        let lines: Vec<String> = cost.predictions.iter().map(rounded).collect();
        let _ = writeln!(text, "   {}\n  ]\n }}{comma}", lines.join(",\n   "));
    }
    text + "}\n"
}

fn line(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap()
}

/// Formats a prediction without digits that nobody could measure.
fn rounded(p: &Prediction) -> String {
    let tenth = |v: f64| (v * 10.0).round() / 10.0;
    let line = json!({
        "class": p.class,
        "greedy": tenth(p.greedy),
        "filtered": tenth(p.filtered),
        "us": { "gaps": tenth(p.step.gaps), "latency": tenth(p.step.latency), "work": tenth(p.step.work) },
    });
    line.to_string()
}

/// The table of docs/benchmarks/cost.md.
fn table(all: &[(Published, Vec<StepCost>)]) -> String {
    let mut text = String::from("| model | positions |");
    for class in CLASSES {
        let _ = write!(text, " {} |", class.name);
    }
    text += "\n| --- | --: |";
    text += &" --: |".repeat(CLASSES.len());
    text.push('\n');
    for (model, costs) in all {
        let dtype = match model.types {
            Types::All(dtype) => dtype.name(),
            Types::Q40 => "Q4_0",
            Types::Q4KM => "Q4_K_M",
        };
        for cost in costs {
            let name = model.name;
            let _ = write!(text, "| {name} {dtype} | {} |", cost.positions);
            for p in &cost.predictions {
                let share = 100.0 * p.of_roofline;
                let _ = write!(text, " {:.0} ({share:.0}%) / {:.0} |", p.greedy, p.filtered);
            }
            text.push('\n');
        }
    }
    text
}

/// Compares a file with what it should be, or writes it.
fn check(path: &Path, found: &str, behind: &mut Vec<String>) {
    if std::env::var_os("HEARTH_UPDATE_COST").is_some() {
        fs::write(path, found).unwrap();
        return;
    }
    let before = fs::read_to_string(path).unwrap_or_default();
    if before != found {
        let changed = found.lines().filter(|line| !before.contains(line));
        let lines: Vec<&str> = changed.take(6).collect();
        behind.push(format!("{}, now:\n{}", path.display(), lines.join("\n")));
    }
}

#[test]
fn a_token_costs_what_is_pinned() {
    let all: Vec<_> = (models().into_iter())
        .map(|model| {
            let costs = costs(&model);
            (model, costs)
        })
        .collect();
    let mut behind = Vec::new();
    for (model, costs) in &all {
        let path = root().join("tests/cost").join(model.name);
        check(
            &path.with_added_extension("json"),
            &pinned(costs),
            &mut behind,
        );
    }
    let page = root().join("docs/benchmarks/cost.md");
    let text = fs::read_to_string(&page).unwrap();
    let (begin, end) = ("<!-- predicted -->\n\n", "\n<!-- /predicted -->");
    let from = text.find(begin).expect("the table's beginning") + begin.len();
    let to = from + text[from..].find(end).expect("the table's end");
    let mut updated = text.clone();
    updated.replace_range(from..to, &table(&all));
    check(&page, &updated, &mut behind);
    assert!(
        behind.is_empty(),
        "a token's cost has changed: explain it in the commit, and run this test with HEARTH_UPDATE_COST=1\n{}",
        behind.join("\n")
    );
}

/// The table of exact values that the study derived by hand from the code of the time, when 16 threads shared four rows.
#[test]
fn counters_are_those_that_were_derived_by_hand() {
    // Megabytes of weights, workgroups of the projections.
    let known: [(u64, &[u64]); 4] = [
        (76, &[60, 36, 192, 36, 3072]),
        (633, &[256, 64, 384, 64, 9496]),
        (765, &[192, 128, 1024, 128, 8016]),
        (4361, &[384, 256, 1792, 256, 8016]),
    ];
    for (shape, (weights, workgroups)) in shapes().iter().zip(known) {
        let short = cost(&shape.parsed(), KvType::F16, Some(CONTEXTS[0])).unwrap();
        let close = |bytes: u64, mb: u64| bytes.abs_diff(mb * 1_000_000) < 1_000_000;
        let totals = short.totals;
        assert!(
            close(totals.weight_bytes, weights),
            "{}: {totals:?}",
            shape.name
        );
        // As many bits as in the file, but for the head in Q6_K: 6.625 for 6.5625.
        let ratio = totals.weight_bytes as f64 / totals.file_bytes as f64;
        let expected = match shape.types {
            Types::All(_) => 1.0..1.0001,
            _ => 1.0001..6.625 / 6.5625,
        };
        assert!(expected.contains(&ratio), "{}: {ratio}", shape.name);
        let tuning = Tuning {
            decode_threads_per_tile: 16,
            shapes: Shapes::alike(16, true),
            ..Tuning::LARGE_GPU
        };
        let launches = kinds(&shape.parsed(), tuning, KvType::F16, CONTEXTS[0], false).unwrap();
        let projections = launches.iter().filter(|kind| kind.counters.file_bytes > 0);
        let found: Vec<u64> = projections.map(|kind| kind.counters.workgroups).collect();
        assert_eq!(found, workgroups, "{}", shape.name);
    }
}

/// Launches and bytes of models with recurrent layers, shared caches and embeddings by layer.
#[test]
fn counters_of_hybrids_are_those_that_were_derived_by_hand() {
    // A token's launches, bytes of weights, and bytes of the sequence's memory with 2048 positions.
    let known = [
        // 18 layers of 5 launches and 6 of 6. Keys and values of 512 columns; matrices of 16 heads, and 4 rows of history.
        (
            published::qwen35(Types::Q40),
            [
                1 + 18 * 5 + 6 * 6 + 3,
                490_484_560,
                6 * 2 * 2048 * 512 * 2 + 18 * (2 * 16 * 128 * 128 + 4 * 6144) * 4,
            ],
        ),
        // 35 layers of 12 launches; 3 whose wide heads share a key among two workgroups append in one more. 28 of them see 512 positions of 256 columns, 7 see all of 512.
        (
            published::gemma4_e2b(Types::Q40),
            [
                4 + 35 * 12 + 3 + 3,
                1_389_164_712,
                2 * 2 * (28 * 512 * 256 + 7 * 2048 * 512),
            ],
        ),
    ];
    for (model, expected) in known {
        let totals = cost(&model.header, KvType::F16, Some(2048)).unwrap().totals;
        let found = [totals.launches, totals.weight_bytes, totals.state_bytes];
        assert_eq!(found, expected, "{}", model.name);
    }
}

/// Bounds that hybrids were built for: a token's launches, the traffic of states, drafts without a copy of them, and the scan's share
/// of what a token reads and writes.
#[test]
fn recurrent_layers_keep_to_their_bounds() {
    for (model, layers, share) in [
        (published::qwen35(Types::Q40), 24, 0.15),
        (published::qwen35_4b(Types::Q40), 32, 0.05),
    ] {
        let at = |step| OutlineOptions {
            tuning: Tuning::LARGE_GPU,
            step,
            context_size: Some(2048),
            kv_type: KvType::F16,
            positions: Some(CONTEXTS[0]),
            filters: false,
        };
        let token = outline(&model.header, at(Step::Decode)).unwrap();
        let launches = token.len();
        assert!(launches <= 6 * layers + 4, "{}: {launches}", model.name);
        let states = token.iter().filter(|launch| launch.name == "delta");
        let states: u64 = states.map(|launch| launch.counters.state_bytes).sum();
        let weights: u64 = token
            .iter()
            .map(|launch| launch.counters.weight_bytes)
            .sum();
        let found = states as f64 / weights as f64;
        println!(
            "{}: {launches} launches, states take {found:.4} of the weights' bytes",
            model.name
        );
        assert!(found > 0.0 && found <= share, "{}: {found}", model.name);
        let drafts = outline(&model.header, at(Step::Drafts)).unwrap();
        let names: Vec<&str> = drafts.iter().map(|launch| launch.name.as_str()).collect();
        assert!(
            names.contains(&"delta") && !names.contains(&"copy"),
            "{names:?}"
        );
        // (each layer's, which also brings the accepted ones of the step before into the state)
        let scans = names.iter().filter(|name| **name == "delta").count();
        assert_eq!(scans, layers * 3 / 4, "{}", model.name);
    }
}

/// Every model's code describes its launches, whatever its family: also what no engine of these tests records.
#[test]
fn every_family_has_an_outline() {
    use hearth_tests::manifest::{self, Kind};
    for golden in [Kind::Tiny, Kind::Family]
        .into_iter()
        .flat_map(manifest::of)
    {
        let gguf = hearth_tests::header(&fs::read(golden.model()).unwrap());
        let cost = cost(&gguf, KvType::F16, Some(100)).unwrap();
        let launches = cost.totals.launches;
        assert!(
            launches > 10 && cost.totals.weight_bytes > 0,
            "{}: {launches}",
            golden.name
        );
        for p in cost.predictions {
            assert!(
                p.greedy.is_finite() && p.greedy > 0.0,
                "{}: {p:?}",
                golden.name
            );
        }
    }
}
