//! Tokens per second, the sampler alone, and steps that check drafts.

use std::time::Instant;

use anyhow::Result;
use hearth::Drafts;
use hearth::engine::request::Sampling;
use hearth_tests::GREEDY;
use hearth_tests::calibration::first_token_ms;
use pollster::block_on;
use serde_json::json;

use crate::options::Options;

/// Steps in a measurement.
const STEPS: usize = 32;
/// Measurements, the best of which counts: the peer is measured alike.
const ROUNDS: usize = 2;

/// Measures decode at each context, whatever the cache holds there.
pub fn decode(options: &Options) -> Result<()> {
    let start = Instant::now();
    let mut engine = options.load(false)?;
    let info = engine.info();
    let (weight_bytes, kv_bytes, n_ctx) = (info.weight_bytes, info.kv_bytes, info.n_ctx);
    let line = json!({
        "case": "load", "ms": start.elapsed().as_secs_f64() * 1e3, "weight_bytes": weight_bytes,
        "kv_bytes": kv_bytes, "n_ctx": n_ctx, "gpu_bytes": engine.stats().gpu_bytes,
    });
    println!("{line}");
    for &context in &options.contexts {
        let (mut best, mut launches) = (f64::MAX, 0);
        for _ in 0..ROUNDS {
            let (ms, dispatches) = block_on(engine.decode_ms(context, STEPS))?;
            (best, launches) = (best.min(ms), dispatches);
        }
        let line = json!({
            "case": "decode", "context": context, "tok_s": 1e3 / best, "launches": launches,
        });
        println!("{line}");
    }
    Ok(())
}

/// Measures the time to the first token of prompts that no cache knows.
pub fn prefill(options: &Options) -> Result<()> {
    let mut engine = options.load(false)?;
    let vocab = engine.info().config.vocab_size;
    for &tokens in &options.prompts {
        let mut best = f64::MAX;
        for round in 0..ROUNDS {
            let first = 1000 + tokens + 13 * round;
            let id = |i: usize| ((first + i * 7) % vocab) as u32;
            let prompt: Vec<u32> = (0..tokens).map(id).collect();
            best = best.min(first_token_ms(&mut engine, &prompt)?);
        }
        let line = json!({
            "case": "prefill", "tokens": tokens, "tok_s": tokens as f64 * 1e3 / best, "ms": best,
        });
        println!("{line}");
    }
    Ok(())
}

/// Measures the sampler alone, greedy and with filters.
pub fn sampler(options: &Options) -> Result<()> {
    let mut engine = options.load(false)?;
    let filters = Sampling {
        temperature: 0.8,
        top_k: 40,
        top_p: 0.95,
        ..GREEDY
    };
    for (how, sampling) in [("greedy", GREEDY), ("top-k 40, top-p 0.95", filters)] {
        let mut best = f64::MAX;
        for _ in 0..ROUNDS {
            best = best.min(block_on(engine.sampler_ms(&sampling, STEPS))?);
        }
        println!(
            "{}",
            json!({"case": "sampler", "how": how, "us": best * 1e3})
        );
    }
    Ok(())
}

/// Measures a step that checks drafts, in plain steps: drafts pay where it costs less than they bring.
pub fn drafts(options: &Options) -> Result<()> {
    let mut engine = options.load(false)?;
    // The start of a request records the steps.
    engine.set_drafts(Drafts::Always);
    first_token_ms(&mut engine, &[1, 2, 3])?;
    for &context in &options.contexts {
        let (plain, _) = block_on(engine.decode_ms(context, STEPS))?;
        let ms = block_on(engine.draft_ms(context, STEPS / 4))?;
        let line = json!({
            "case": "drafts", "context": context, "ms": ms, "in_plain_steps": ms / plain,
        });
        println!("{line}");
    }
    Ok(())
}
