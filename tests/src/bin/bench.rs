//! `cargo xtask bench --native`: SmolLM2 on every native device; one JSON line a case.

use std::time::Instant;

use hearth::{Engine, Result};
use hearth_tests::{GREEDY, On, load_file, open, smollm2};
use pollster::block_on;

/// Milliseconds to the first token, and tokens a second after it.
fn run(engine: &mut Engine, prompt: &[u32], tokens: usize) -> Result<(f64, f64)> {
    block_on(async {
        let start = Instant::now();
        engine.start_ids(prompt.to_vec(), GREEDY, Some(tokens), &[])?;
        let (mut first, mut count) = (None, 0usize);
        loop {
            let step = engine.next().await?;
            if !step.ids.is_empty() && first.is_none() {
                first = Some(Instant::now());
            }
            count += step.ids.len();
            if step.finish_reason.is_some() {
                break;
            }
        }
        let first = first.unwrap_or_else(Instant::now);
        let decode = count.saturating_sub(1) as f64 / first.elapsed().as_secs_f64();
        Ok(((first - start).as_secs_f64() * 1e3, decode))
    })
}

fn main() -> Result<()> {
    let Some(path) = smollm2() else {
        std::process::exit(1)
    };
    for on in [On::Gpu, On::Cpu] {
        let start = Instant::now();
        let Some(device) = open(on) else { continue };
        let open_ms = start.elapsed().as_secs_f64() * 1e3;
        let start = Instant::now();
        let mut engine = load_file(device, &path, 2048);
        block_on(engine.warm_up())?;
        let load_ms = start.elapsed().as_secs_f64() * 1e3;
        // Two prompts without a common prefix.
        let long: Vec<u32> = (0..128).map(|i| 1000 + i * 7).collect();
        let short: Vec<u32> = (0..8).map(|i| 500 + i * 11).collect();
        let (ttft_ms, _) = run(&mut engine, &long, 1)?;
        let (_, decode_tok_s) = run(&mut engine, &short, 64)?;
        let stats = engine.stats();
        let (launch_us, replay_us) = block_on(engine.dispatch_cost())?;
        let line = serde_json::json!({
            "case": format!("smollm2-q4_1/native/{}", engine.device().info().kind),
            "device": engine.device().info(),
            "open_ms": open_ms,
            "load_ms": load_ms,
            "prefill_tokens": long.len(),
            "prefill_tok_s": long.len() as f64 * 1e3 / ttft_ms,
            "decode_tok_s": decode_tok_s,
            "launch_us": launch_us,
            "replay_us": replay_us,
            "dispatches_per_token": stats.dispatches_per_token,
        });
        println!("{line}");
    }
    Ok(())
}
