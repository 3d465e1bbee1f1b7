//! The seams for layers whose state cannot be cut, tested with a running sum in the place of an attention.

use pollster::block_on;

use crate::device::{Device, DeviceOptions};
use crate::engine::request::{Sampling, Usage};
use crate::engine::sequence::Sequence;
use crate::engine::{Drafts, Engine};
use crate::load::{LoadOptions, Loader};
use crate::model::mixer::Mixer;
use crate::model::mixer::running_sum::RunningSum;

const FILE: &str = "../tests/goldens/data/tiny/tiny_llama_tied_f16.gguf";

/// Loads a tiny model on the CPU, whose first layer sums instead of attending.
fn engine() -> Engine {
    let bytes = std::fs::read(FILE).unwrap();
    let mut engine = block_on(async {
        let options = DeviceOptions {
            cpu: true,
            ..Default::default()
        };
        let device = Device::open(options).await.unwrap();
        let mut loader = Loader::new(device, LoadOptions::default());
        loader.push(&bytes).await.unwrap();
        loader.finish().await.unwrap()
    });
    let model = &mut engine.stepper.model;
    let d_model = model.config.d_model;
    model.layers[0].mixer = Mixer::RunningSum(RunningSum {
        d_model,
        scale: 0.3,
    });
    engine.sequence = Sequence::new(model);
    engine.set_drafts(Drafts::Auto);
    engine
}

/// Runs the request that was started to its end.
fn finish(engine: &mut Engine) -> (Vec<u32>, Usage) {
    let mut ids = Vec::new();
    loop {
        let step = block_on(engine.next()).unwrap();
        ids.extend(&step.ids);
        if step.finish_reason.is_some() {
            return (ids, step.usage);
        }
    }
}

fn answer(engine: &mut Engine, prompt: &[u32], n: usize) -> (Vec<u32>, Usage) {
    (engine.start_ids(prompt.to_vec(), Sampling::GREEDY, Some(n), &[])).unwrap();
    finish(engine)
}

/// Returns the answer of an engine that has computed nothing before.
fn fresh(prompt: &[u32], n: usize) -> Vec<u32> {
    answer(&mut engine(), prompt, n).0
}

fn prompt(seed: u32, n: u32) -> Vec<u32> {
    (0..n).map(|i| 10 + (i * 7 + seed * 13) % 200).collect()
}

#[test]
fn the_sum_changes_the_answer() {
    let (a, b) = (prompt(1, 20), prompt(2, 20));
    assert_ne!(fresh(&a, 8), fresh(&b, 8));
}

#[test]
fn a_prefix_is_reused_from_the_snapshot_or_not_at_all() {
    let mut engine = engine();
    let first = prompt(1, 20);
    let (ids, usage) = answer(&mut engine, &first, 8);
    assert_eq!(ids, fresh(&first, 8));
    assert_eq!(usage.prompt_tokens_details.cached_tokens, 0);

    // The next turn: the prompt, the answer and more. The answer itself cannot be cut, the prompt was copied.
    let next = [&first[..], &ids, &prompt(3, 9)].concat();
    let (ids, usage) = answer(&mut engine, &next, 8);
    assert_eq!(ids, fresh(&next, 8));
    let cached = usage.prompt_tokens_details.cached_tokens;
    assert!((20..=28).contains(&cached), "{cached}");

    // Half of the first prompt: there is a copy of the state 16 tokens before its end.
    let half = [&first[..10], &prompt(4, 5)].concat();
    let (ids, usage) = answer(&mut engine, &half, 8);
    assert_eq!(ids, fresh(&half, 8));
    assert_eq!(usage.prompt_tokens_details.cached_tokens, 4);

    // Asking again needs the last token's logits, but the sum has absorbed that token already.
    let (ids, usage) = answer(&mut engine, &half, 8);
    assert_eq!(ids, fresh(&half, 8));
    assert_eq!(usage.prompt_tokens_details.cached_tokens, 4);

    // Nothing in common.
    let other = prompt(6, 12);
    let (ids, usage) = answer(&mut engine, &other, 8);
    assert_eq!(ids, fresh(&other, 8));
    assert_eq!(usage.prompt_tokens_details.cached_tokens, 0);
}

#[test]
fn drafts_are_off_since_they_could_not_be_taken_back() {
    let mut engine = engine();
    engine.set_drafts(Drafts::Always);
    // A repetition, which would be drafted.
    let repeated: Vec<u32> = (0..30).map(|i| 10 + i % 3).collect();
    let (ids, _) = answer(&mut engine, &repeated, 24);
    assert_eq!(ids, fresh(&repeated, 24));
    assert_eq!(engine.stats().draft_steps, 0);
}

#[test]
fn a_chunk_given_up_between_layers_leaves_no_trace() {
    let mut engine = engine();
    let first = prompt(1, 20);
    let (_, _) = answer(&mut engine, &first, 4);
    let next = [&first[..], &prompt(5, 12)].concat();
    (engine.start_ids(next.clone(), Sampling::GREEDY, Some(8), &[])).unwrap();
    let (stepper, sequence) = (&mut engine.stepper, &mut engine.sequence);
    let generation = engine.generation.as_mut().unwrap();
    let at = generation.prefilled;
    assert_eq!(at, 20, "from the snapshot");
    let mut chunk = stepper.begin_chunk(sequence, at, &next[at..], true);
    stepper.run_layers(sequence, &mut chunk, 1);
    generation.chunk = Some(chunk);
    engine.cancel();
    let (ids, usage) = answer(&mut engine, &next, 8);
    assert_eq!(ids, fresh(&next, 8));
    assert_eq!(usage.prompt_tokens_details.cached_tokens, 20);

    // Carried on instead of given up, it is the same as well.
    (engine.start_ids(next.clone(), Sampling::GREEDY, Some(8), &[])).unwrap();
    let (stepper, sequence) = (&mut engine.stepper, &mut engine.sequence);
    let generation = engine.generation.as_mut().unwrap();
    let at = generation.prefilled;
    let mut chunk = stepper.begin_chunk(sequence, at, &next[at..], true);
    stepper.run_layers(sequence, &mut chunk, 1);
    generation.chunk = Some(chunk);
    assert_eq!(finish(&mut engine).0, ids);
}
