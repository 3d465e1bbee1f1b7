//! Drafts: the sampler's rows and drafts on every backend, and answers that are the same with and without drafts.

use hearth::engine::request::{CompletionTokensDetails, Sampling};
use hearth::ops::sampling::draft::{ROWS, draft};
use hearth::ops::state::{self, STATE_WORDS};
use hearth::ops::{Ops, SamplerTables};
use hearth::{Device, Drafts, Engine, LoadOptions};
use hearth_tests::kernels::*;
use hearth_tests::{On, exact, finish, goldens, load_file_with, open, open_measured, prompts};
use pollster::block_on;
use proptest::prelude::*;

/// Returns the state and the context after a step on `rows` of logits, whose ids after the first are `drafted`.
fn step(
    device: &Device,
    rows: &[Vec<f32>],
    context: &[u32],
    drafted: &[u32],
    params: &[u32],
    n_ctx: usize,
) -> Vec<u32> {
    let ops = Ops::new(&device.handle, tuning(1));
    let vocab = rows[0].len();
    let mut tables = SamplerTables::new(&ops, vocab, n_ctx);
    tables.begin(&ops, context, &[], &[]);
    tables.write_ids(&ops, 0, context);
    let position = context.len() as u32 - 1;
    let mut ids = vec![context[context.len() - 1]];
    ids.extend_from_slice(drafted);
    let mut state = state_with(
        &ops,
        &[
            (state::POS, vec![position, ids.len() as u32]),
            (state::STEP, params.to_vec()),
            (state::IDS, ids),
        ],
    );
    let logits = tensor(device, &rows.concat(), [rows.len(), vocab]);
    ops.sample(logits, &mut state, &mut tables);
    block_on(state.read(0, STATE_WORDS)).unwrap()
}

/// Tokens of `rows` when each row is sampled alone, on the CPU.
fn alone(rows: &[Vec<f32>], context: &[u32], params: &[u32], n_ctx: usize) -> Vec<u32> {
    let mut context = context.to_vec();
    let mut params = params.to_vec();
    for row in rows {
        let words = step(
            &cpu(),
            std::slice::from_ref(row),
            &context,
            &[],
            &params,
            n_ctx,
        );
        params[0] += 1;
        context.push(words[state::IDS]);
    }
    context.split_off(context.len() - rows.len())
}

#[test]
fn rows_are_sampled_as_if_alone_and_the_next_drafts_are_the_twins() {
    let drawn = (
        0..4usize,
        1..60usize,
        0..ROWS,
        any::<u64>(),
        any::<bool>(),
        0..70usize,
        0..20u32,
    );
    for_all(60, drawn, |(vocab, len, n, seed, greedy, room, round)| {
        // Few shapes, since each is compiled separately.
        let vocab = [3, 8, 21, 39][vocab];
        // Few different tokens, so that there are matches.
        let context: Vec<u32> = (values(seed, len).iter())
            .map(|v| ((v + 1.0) * 2.0) as u32 % vocab as u32)
            .collect();
        let rows: Vec<Vec<f32>> = (0..ROWS as u64)
            .map(|r| {
                values(seed ^ (r + 1), vocab)
                    .iter()
                    .map(|v| v * 4.0)
                    .collect()
            })
            .collect();
        let n_ctx = (len + ROWS + room).next_multiple_of(48);
        let temperature = if greedy { 0.0f32 } else { 0.9 };
        let one = 1.0f32.to_bits();
        let params = vec![
            5,
            temperature.to_bits(),
            0,
            one,
            0,
            seed as u32,
            one,
            // An accepted token counts for the rows after it. (History is kept between rows only: the penalty for
            // tokens in the prompt is the same for all rows.)
            one,
            0,
            0,
            0,
            ROWS as u32 - 1,
            round,
        ];
        let expected = alone(&rows, &context, &params, n_ctx);
        // The first n ids are right, and the next one is wrong.
        let mut drafted = expected[..n].to_vec();
        if n > 0 && seed % 3 > 0 {
            drafted[n - 1] = (drafted[n - 1] + 1) % vocab as u32;
        }
        let right = drafted
            .iter()
            .zip(&expected)
            .take_while(|(a, b)| a == b)
            .count();
        let count = right + 1;
        let run = |device: &Device| {
            let words = step(device, &rows, &context, &drafted, &params, n_ctx);
            let slot = state::RING + round as usize * ROWS % state::RING_LEN;
            let first = words[slot];
            assert_eq!(first >> 24 & 15, count as u32);
            assert_eq!(first >> 28, n as u32);
            let mut ids = words[slot..slot + count].to_vec();
            ids[0] &= 0xff_ffff;
            assert_eq!(ids, expected[..count]);
            let end = context.len() - 1 + count;
            assert_eq!(words[state::POS], end as u32);
            assert_eq!(words[state::STEP], 5 + count as u32);
            assert_eq!(words[state::ROUND], round + 1);
            let whole = [&context[..], &ids].concat();
            let next = draft(&whole, (ROWS - 1).min(n_ctx - 1 - end));
            assert_eq!(words[state::N_TOKENS], 1 + next.len() as u32);
            assert_eq!(words[state::IDS], ids[count - 1]);
            assert_eq!(words[state::IDS + 1..][..next.len()], next);
        };
        run(&cpu());
        if let Some(gpu) = gpu() {
            run(gpu);
        }
    });
}

/// Loads the tiny model on a GPU assumed to gain from many threads per row: on a GPU without that gain, no drafts are
/// made unless requested.
fn tiny(on: On, drafts: Drafts, context: usize) -> Option<Engine> {
    let device = match on {
        On::Gpu => open_measured(|measured| measured.decode_threads_per_tile = 16)?,
        _ => open(on)?,
    };
    let options = LoadOptions {
        drafts,
        ..exact(context)
    };
    let file = goldens().join("tiny/tiny_llama.gguf");
    Some(load_file_with(device, &file, options))
}

/// Returns a text that repeats itself, and one that does not.
fn texts() -> [Vec<u32>; 2] {
    let [chat, long] = prompts();
    let again: Vec<u32> = (0..6).flat_map(|_| long.ids[..12].to_vec()).collect();
    [again, chat.ids]
}

/// Returns sampling parameters. The model's weights are random, so it repeats itself only if biases to `favoured` ids
/// make it.
fn sampling(temperature: f32, repetition_penalty: f32, favoured: &[u32]) -> Sampling {
    Sampling {
        temperature,
        repetition_penalty,
        seed: 11,
        logit_bias: favoured.iter().map(|id| (*id, 40.0)).collect(),
        ..Sampling::GREEDY
    }
}

fn answer(
    engine: &mut Engine,
    prompt: &[u32],
    n: usize,
    sampling: &Sampling,
) -> hearth_tests::Answer {
    engine
        .start_ids(prompt.to_vec(), sampling.clone(), Some(n), &[])
        .unwrap();
    finish(engine).unwrap()
}

#[test]
fn answers_are_the_same_with_drafts_and_without() {
    for on in [On::Cpu, On::Gpu] {
        let (Some(mut plain), Some(mut drafting), Some(mut auto)) = (
            tiny(on, Drafts::Off, 256),
            tiny(on, Drafts::Always, 256),
            tiny(on, Drafts::Auto, 256),
        ) else {
            continue;
        };
        for text in texts() {
            let cases = [
                sampling(0.0, 1.0, &[]),
                sampling(0.0, 1.0, &[40]),
                sampling(0.8, 1.0, &[]),
                sampling(2.0, 1.0, &[40, 41]),
                sampling(1.0, 1.1, &[40, 41, 42]),
            ];
            for sampling in cases {
                // Up to the end of the context, where a step with drafts no longer fits; drafts are accepted there, or refused.
                let is_long = on == On::Cpu || matches!(sampling.logit_bias.len(), 1 | 3);
                let longest = if is_long { 256 - text.len() } else { 80 };
                for n in [1, 2, 50, longest] {
                    let mut expected = answer(&mut plain, &text, n, &sampling);
                    let none = expected.usage.completion_tokens_details;
                    assert_eq!(none, CompletionTokensDetails::default());
                    let mut same = |engine: &mut Engine| {
                        let found = answer(engine, &text, n, &sampling);
                        expected.usage.completion_tokens_details =
                            found.usage.completion_tokens_details;
                        assert_eq!(found, expected, "{on:?} {n}");
                    };
                    same(&mut drafting);
                    same(&mut auto);
                }
            }
        }
        let stats = drafting.stats();
        println!("{on:?}: {stats:?}");
        assert!(
            stats.accepted > 100 && stats.accepted <= stats.drafted,
            "{stats:?}"
        );
        assert_eq!(plain.stats().draft_steps, 0);
    }
}

/// A session continues after drafts as after plain steps: the cache matches the tokens.
#[test]
fn a_request_after_drafts_reuses_what_they_left() {
    for on in [On::Cpu, On::Gpu] {
        let (Some(mut plain), Some(mut drafting)) =
            (tiny(on, Drafts::Off, 256), tiny(on, Drafts::Always, 256))
        else {
            continue;
        };
        let [text, _] = texts();
        let turn = |engine: &mut Engine| {
            let first = answer(engine, &text, 40, &Sampling::GREEDY);
            let next = [&text[..], &first.ids, &text[..10]].concat();
            answer(engine, &next, 30, &Sampling::GREEDY)
        };
        let (mut expected, found) = (turn(&mut plain), turn(&mut drafting));
        expected.usage.completion_tokens_details = found.usage.completion_tokens_details;
        assert_eq!(found, expected, "{on:?}");
        assert!(found.usage.prompt_tokens_details.cached_tokens > text.len());
    }
}

/// A step with drafts has a fixed cost as well: its launches, no write, 32 bytes read back.
#[test]
fn a_step_with_drafts_costs_the_launches_that_it_should() {
    let Some(mut engine) = tiny(On::Gpu, Drafts::Always, 256) else {
        return;
    };
    block_on(engine.warm_up()).unwrap();
    // A prompt of one chunk on any device.
    let text = &texts()[0][..8];
    let before = engine.stats();
    let found = answer(&mut engine, text, 60, &sampling(0.0, 1.0, &[40]));
    let after = engine.stats();
    let steps = after.draft_steps - before.draft_steps;
    assert!(steps <= 14, "{steps} steps for {}", found.ids.len());
    assert_eq!(after.draft_replays - before.draft_replays, steps);
    // Per layer: two norms, RoPE, attention, the gate, and the projections: 7, because this file mixes types. Then
    // embedding, norm, lm_head and the two of sampling.
    assert_eq!(after.dispatches_per_draft_step, 2 * (5 + 7) + 5);
    assert_eq!(
        after.bytes_read - before.bytes_read,
        // (the first token)
        4 + 32 * steps + 4 * (after.replays - before.replays)
    );
}

/// Eight rows cost as much together as one by one where one thread per row is fastest, so nothing is compiled for
/// them.
#[test]
fn no_drafts_where_they_cannot_pay() {
    let Some(device) = open_measured(|measured| measured.decode_threads_per_tile = 1) else {
        return;
    };
    let file = goldens().join("tiny/tiny_llama.gguf");
    let mut engine = load_file_with(device, &file, exact(256));
    let repeating = sampling(0.0, 1.0, &[40]);
    let expected = answer(&mut engine, &texts()[0], 40, &repeating);
    let stats = engine.stats();
    assert_eq!((stats.draft_steps, stats.dispatches_per_draft_step), (0, 0));
    // A caller that requests drafts gets them.
    engine.set_drafts(Drafts::Always);
    let mut found = answer(&mut engine, &texts()[0], 40, &repeating);
    assert!(engine.stats().draft_steps > 0);
    found.usage = expected.usage;
    assert_eq!(found, expected);
}
