//! `cargo xtask bench --native [-- SHAPE ..]`: decode at several contexts, prefill, prefix hit and load, on every
//! native device; one JSON line per case. The default is SmolLM2 itself; other shapes have all-zero weights. `smolvlm-256m`: a tile
//! through its tower, and texts beside it; with `-tile` or `-text` behind it one of the two.

use std::time::Instant;

use hearth::{Device, Drafts, Engine, LoadOptions, Result};
use hearth_modelfile::container::GgmlType;
use hearth_modelfile::text::template::Message;
use hearth_tests::calibration::{calibrate, first_token_ms, flops};
use hearth_tests::synthetic::SHAPES;
use hearth_tests::synthetic_tower::{self, SMOLVLM_256M, Tower, smolvlm_256m_text};
use hearth_tests::{GREEDY, On, generate, load_file, open, smollm2};
use pollster::block_on;
use serde_json::json;

const CONTEXT: usize = 8448;

/// Two texts: one that drafts help with, and one that they do not.
const TEXTS: [(&str, &str); 2] = [
    (
        "copy",
        "Repeat this text word for word: The quick brown fox jumps over the lazy dog near the river bank. Every morning \
         the baker sells fresh bread, rolls and pretzels to the people of the town, and every evening he counts the \
         coins of the day.",
    ),
    ("tell", "Tell me a story about a lighthouse keeper."),
];

/// Times greedy answers of up to 96 tokens, without drafts and with drafts while they pay.
fn drafts(engine: &mut Engine, text: &str) -> Result<serde_json::Value> {
    let mut tok_s = [0.0; 2];
    let before = engine.stats();
    for (drafts, tok_s) in [Drafts::Off, Drafts::Auto].into_iter().zip(&mut tok_s) {
        engine.set_drafts(drafts);
        let message = json!([{"role": "user", "content": text}]);
        let messages: Vec<Message> = serde_json::from_value(message).unwrap_or_default();
        let ids = engine.encode_chat(&messages)?;
        // In the second run the prompt is cached.
        generate(engine, &ids, 1, GREEDY)?;
        let start = Instant::now();
        let (ids, _) = generate(engine, &ids, 96, GREEDY)?;
        *tok_s = ids.len() as f64 / start.elapsed().as_secs_f64();
    }
    let stats = engine.stats();
    Ok(json!({
        "tok_s": tok_s[0], "tok_s_auto": tok_s[1], "steps": stats.draft_steps - before.draft_steps,
        "drafted": stats.drafted - before.drafted, "accepted": stats.accepted - before.accepted,
    }))
}

/// Options for SmolVLM 256M's shapes.
fn of_smolvlm() -> LoadOptions {
    LoadOptions {
        context_size: Some(2048),
        ..Default::default()
    }
}

/// Times one tile through SmolVLM 256M's tower by its storage type.
fn tiles(device: &Device) -> Result<()> {
    let name = format!("native/{}/smolvlm-256m", device.info().kind.name());
    for dtype in [GgmlType::F16, GgmlType::Q8_0] {
        let tower = Tower {
            dtype,
            ..SMOLVLM_256M
        };
        let mut engine = tower.load(smolvlm_256m_text(), device.clone(), of_smolvlm())?;
        let mut seconds = Vec::new();
        // The first one compiles.
        for seed in 0..4 {
            let (frames, pixels) = tower.tile(seed);
            let key = engine.add_picture(frames, pixels)?;
            let before = engine.stats().dispatches;
            let start = Instant::now();
            block_on(engine.picture_rows(&key))?;
            seconds.push(start.elapsed().as_secs_f64());
            let launches = engine.stats().dispatches - before;
            let case = format!("{name}/tile/{dtype:?}");
            println!(
                "{}",
                json!({"case": case, "s": seconds.last(), "launches": launches})
            );
        }
    }
    Ok(())
}

/// Times texts in turns, without a tower and beside one.
fn texts(device: &Device, on: On) -> Result<()> {
    let name = format!("native/{}/smolvlm-256m", device.info().kind.name());
    // (24 pairs take a software GPU more than seven minutes)
    let rounds = if on == On::Cpu { 24 } else { 8 };
    let projector = SMOLVLM_256M.file();
    let text = smolvlm_256m_text();
    let load = |projector| synthetic_tower::load(text, projector, device.clone(), of_smolvlm());
    let mut engines = [load(None)?, load(Some(&projector[..]))?];
    for engine in &mut engines {
        block_on(engine.warm_up())?;
        block_on(engine.decode_ms(0, 16))?;
    }
    let (mut decode, mut prefill) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let mut ms = [[0.0; 2]; 2];
        for i in 0..2 {
            let which = (i + round) % 2;
            let engine = &mut engines[which];
            let prompt: Vec<u32> = (0..128)
                .map(|i| (300 + 131 * round + i * 7) as u32)
                .collect();
            ms[which] = [
                block_on(engine.decode_ms(0, 16))?.0,
                first_token_ms(engine, &prompt)?,
            ];
        }
        decode.push(ms[1][0] / ms[0][0]);
        prefill.push(ms[1][1] / ms[0][1]);
    }
    for (case, mut ratios) in [("decode", decode), ("prefill@128", prefill)] {
        ratios.sort_by(f64::total_cmp);
        let median = (ratios[rounds / 2 - 1] + ratios[rounds / 2]) / 2.0;
        println!(
            "{}",
            json!({"case": format!("{name}/text/{case}"), "time_beside_tower": median, "all": ratios})
        );
    }
    Ok(())
}

fn main() -> Result<()> {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    for on in [On::Gpu, On::Cpu] {
        let Some(device) = open(on) else { continue };
        let (bytes_s, launch_s) = calibrate(&device)?;
        let flops = flops(&device)?;
        let info = device.info().clone();
        eprintln!(
            "{} {}: {:?}",
            info.kind.name(),
            info.name,
            device.tuning(1 << 30)
        );
        println!(
            "{}",
            json!({
                "case": format!("native/{}/calibration", info.kind.name()),
                "device": info.name,
                "read_gb_s": bytes_s / 1e9,
                "launch_us": launch_s * 1e6,
                "gflop_s": flops / 1e9,
            })
        );
        let names: Vec<&str> = match wanted.is_empty() {
            true => vec!["smollm2"],
            false => wanted.iter().map(String::as_str).collect(),
        };
        for name in names {
            match name {
                "smolvlm-256m" => {
                    tiles(&device)?;
                    texts(&device, on)?;
                    continue;
                }
                "smolvlm-256m-tile" => {
                    tiles(&device)?;
                    continue;
                }
                "smolvlm-256m-text" => {
                    texts(&device, on)?;
                    continue;
                }
                _ => {}
            }
            let start = Instant::now();
            let options = LoadOptions {
                context_size: Some(CONTEXT),
                ..Default::default()
            };
            let shape = SHAPES.iter().find(|shape| shape.name == name);
            let mut engine = match shape {
                Some(shape) => shape.load(device.clone(), options)?,
                None => match smollm2() {
                    Some(path) => load_file(device.clone(), &path, 2048),
                    None => std::process::exit(1),
                },
            };
            block_on(engine.warm_up())?;
            let load_ms = start.elapsed().as_secs_f64() * 1e3;
            let n_ctx = engine.info().n_ctx;
            let weights = engine.info().weight_bytes as f64;
            let kv_a_token = engine.info().kv_bytes as f64 / n_ctx as f64;
            let print = |case: String, more: serde_json::Value| {
                let mut line =
                    json!({"case": format!("native/{}/{name}/{case}", info.kind.name())});
                if let (Some(line), Some(more)) = (line.as_object_mut(), more.as_object()) {
                    line.extend(more.clone());
                }
                println!("{line}");
            };
            print(
                "load".into(),
                json!({"ms": load_ms, "weight_bytes": weights}),
            );
            for context in [0, 2048, 8192].into_iter().filter(|c| c + 64 <= n_ctx) {
                let (ms, dispatches) = block_on(engine.decode_ms(context, 16))?;
                // Minimum time for the bytes and the launches of a step.
                let bound = (weights + kv_a_token * context as f64) / bytes_s * 1e3
                    + dispatches as f64 * launch_s * 1e3;
                print(
                    format!("decode@{context}"),
                    json!({"tok_s": 1e3 / ms, "dispatches": dispatches, "of_bound": bound / ms}),
                );
            }
            let (plain, _) = block_on(engine.decode_ms(0, 16))?;
            let ms = block_on(engine.draft_ms(0, 16))?;
            print(
                "drafts".into(),
                json!({"ms": ms, "in_plain_steps": ms / plain}),
            );
            if shape.is_none() {
                for (name, text) in TEXTS {
                    print(format!("drafts/{name}"), drafts(&mut engine, text)?);
                }
            }
            for n in [16, 128, 512, 2048].into_iter().filter(|n| n + 64 <= n_ctx) {
                // No two prompts begin alike, so that no prompt hits another's cached prefix.
                let prompt: Vec<u32> = (0..n).map(|i| (1000 + n + i * 7) as u32 % 40_000).collect();
                let ms = first_token_ms(&mut engine, &prompt)?;
                let hit = first_token_ms(&mut engine, &prompt)?;
                // Minimum time for the multiplications; unknown for the CPU.
                let bound = 2.0 * engine.info().parameters as f64 * n as f64 / flops * 1e3;
                let of_bound = (flops > 0.0).then_some(bound / ms);
                print(
                    format!("prefill@{n}"),
                    json!({
                        "tok_s": n as f64 * 1e3 / ms, "ttft_ms": ms, "ttft_hit_ms": hit,
                        "of_bound": of_bound,
                    }),
                );
                if ms > 60_000.0 {
                    break;
                }
            }
        }
    }
    Ok(())
}
