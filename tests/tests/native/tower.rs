//! The cost of looking at pictures: launches, memory, progress, and nothing for texts.

use hearth::Engine;
use hearth::engine::request::{Request, StepPhase};
use hearth::model::report::inspect;
use hearth_modelfile::budget::{InspectOptions, Runs};
use hearth_tests::synthetic::Shape;
use hearth_tests::synthetic_tower::{SMOLVLM_256M, Tower, smolvlm_256m_text};
use hearth_tests::{GREEDY, On, exact, finish, open, open_new};
use pollster::block_on;

use crate::vision::{Form, Golden, KINDS, load, load_pair, messages};

/// Launches of a layer, and around the layers: patches, their bias and positions, norms, the merge and the projections.
const LAUNCHES: [(&str, u64, u64); 10] = [
    ("smolvlm", 8, 6),
    ("gemma3", 8, 7),
    // (two projectors of layers in between, of six each)
    ("qwen3_vl", 8, 9 + 2 * 6),
    ("qwen3_5", 8, 9),
    ("lfm2_vl", 8, 10),
    ("qwen2_vl", 8, 7),
    // Gated blocks take one more, as those of texts do where several tokens share a step.
    ("mistral3", 9, 8),
    ("pixtral", 9, 7),
    ("qwen2_5_vl", 9, 7),
    // Bounds before and after each projection.
    ("gemma4", 18, 8),
];

#[test]
fn a_layer_of_a_tower_takes_eight_launches_or_nine_with_a_gate() {
    let Some(device) = open(On::Gpu) else { return };
    for kind in KINDS {
        let known = LAUNCHES.iter().find(|(of, ..)| *of == kind);
        let (_, a_layer, around) = known.unwrap_or_else(|| panic!("{kind} has no row"));
        let golden = Golden::read(kind);
        let mut engine = load(&golden, Form::Pair, &device);
        let expected = &golden.expected;
        let keys = golden.add(&mut engine);
        let before = engine.stats().dispatches;
        block_on(engine.picture_rows(&keys[0])).unwrap();
        let frames = expected.pictures[0].grids.len() as u64;
        let a_frame = around + a_layer * expected.dims.tower.block_count;
        let launches = engine.stats().dispatches - before;
        assert_eq!(launches, frames * a_frame, "{kind}, {frames} frames");
        block_on(engine.close());
    }
}

/// A text costs a model that sees what it costs the same one without its tower.
#[test]
fn a_text_takes_no_launch_more_beside_a_tower() {
    let Some(device) = open(On::Gpu) else { return };
    for kind in KINDS {
        let golden = Golden::read(kind);
        let [model, projector] = (golden.expected.gguf.each_ref()).map(|file| golden.path(file));
        let texts = golden.expected.cases.iter();
        let ids = &texts
            .clone()
            .find(|case| case.shown.is_empty())
            .unwrap()
            .ids;
        let counted = |projector: Option<&std::path::Path>| {
            let mut engine = load_pair(device.clone(), &model, projector).unwrap();
            block_on(engine.warm_up()).unwrap();
            let before = engine.stats();
            engine
                .start_ids(ids.clone(), GREEDY, Some(12), &[])
                .unwrap();
            let text = finish(&mut engine).unwrap().text;
            let stats = engine.stats();
            block_on(engine.close());
            let counts = [
                stats.dispatches - before.dispatches,
                stats.replays - before.replays,
                stats.dispatches_per_token,
                stats.bytes_read - before.bytes_read,
            ];
            (text, counts)
        };
        assert_eq!(counted(None), counted(Some(&projector)), "{kind}");
    }
}

/// Checks that a frame of SmolVLM's size works in no more than the report says.
#[test]
fn a_tower_works_in_the_memory_that_is_reported() {
    let Some(device) = open_new(On::Gpu) else {
        return;
    };
    let tower = Tower {
        n_layers: 2,
        ..SMOLVLM_256M
    };
    let text = Shape {
        n_layers: 1,
        vocab: 2048,
        ..smolvlm_256m_text()
    };
    let options = InspectOptions {
        context_size: Some(256),
        ..InspectOptions::default()
    };
    let Runs::Budget(budget) = inspect(&tower.header(text).unwrap(), options).run else {
        panic!("it does not run");
    };
    let mut engine = tower.load(text, device, exact(256)).unwrap();
    let (frames, pixels) = tower.tile(1);
    let key = engine.add_picture(frames, pixels).unwrap();
    let before = engine.stats().gpu_bytes;
    let rows = block_on(engine.picture_rows(&key)).unwrap();
    assert_eq!(rows.len(), tower.patches() / 16 * tower.width);
    assert!(rows.iter().all(|v| v.is_finite()));
    let (after, reported) = (engine.stats().gpu_bytes, budget.memory.total);
    println!("{before} bytes before, {after} after, {reported} reported");
    assert!(after <= reported, "{after} of {reported}");
    // (otherwise the report would say nothing of what it works in)
    assert!(after > budget.memory.weights + 10 * 4 * (tower.patches() * tower.d_model) as u64);
    block_on(engine.close());
}

/// Steps say that the model looks at pictures, and how far it is.
#[test]
fn looking_at_pictures_is_told() {
    for kind in [KINDS[0], "qwen3_vl"] {
        let golden = Golden::read(kind);
        let mut engine = load(&golden, Form::Pair, &open(On::Cpu).unwrap());
        let keys = golden.add(&mut engine);
        let case = golden.expected.cases.iter();
        let case = case.max_by_key(|case| case.shown.len()).unwrap();
        assert!(case.shown.len() > 1, "choose another case");
        let ask = |engine: &mut Engine| {
            let request = Request {
                messages: Some(messages(case, &keys)),
                max_tokens: Some(1),
                ..Request::default()
            };
            engine.start(&request).unwrap();
            let mut told = Vec::new();
            loop {
                let step = block_on(engine.next()).unwrap();
                told.push((step.phase, step.looked));
                if step.finish_reason.is_some() {
                    return told;
                }
            }
        };
        let told = ask(&mut engine);
        assert!(told.is_sorted_by(|a, b| a.1 <= b.1), "{told:?}");
        let of_pictures: Vec<f32> = (told.iter())
            .filter(|(phase, _)| *phase == StepPhase::Picture)
            .map(|(_, looked)| *looked)
            .collect();
        assert!(!of_pictures.is_empty(), "{told:?}");
        assert!(of_pictures.iter().all(|looked| *looked > 0.0));
        assert!(of_pictures[0] < 1.0, "{told:?}");
        assert_eq!(told.last().map(|(_, looked)| *looked), Some(1.0));
        // A picture is looked at only once.
        let again = ask(&mut engine);
        let is_still =
            |(phase, looked): &(StepPhase, f32)| *phase != StepPhase::Picture && *looked == 1.0;
        assert!(again.iter().all(is_still), "{again:?}");
    }
}
