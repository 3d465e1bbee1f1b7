//! Measures one part of `cargo xtask gpu-trial` and prints a JSON line for each case as soon as it is there:
//! `gpu-trial PART [SHAPE FILE] [--contexts N,..] [--prompts N,..] [--layers N] [--profile JSON]`.
//!
//! A part is a process of its own, so that one that fails, hangs or loses the device takes nothing else along.

mod launches;
mod options;
mod speed;

use std::fs::File;
use std::io::{BufWriter, Write};

use anyhow::{Context, Result, bail};
use hearth::device::tune::trials;
use hearth_tests::calibration::{calibrate, flops};
use hearth_tests::gguf_file;
use pollster::block_on;
use serde_json::json;

use options::Options;

fn main() -> Result<()> {
    let options = Options::parse(std::env::args().skip(1))?;
    match options.part.as_str() {
        "hardware" => hardware(&options),
        "file" => file(&options),
        "launches" => launches::print(&options),
        "decode" => speed::decode(&options),
        "prefill" => speed::prefill(&options),
        "sampler" => speed::sampler(&options),
        "drafts" => speed::drafts(&options),
        other => bail!(
            "expected hardware, file, launches, decode, prefill, sampler or drafts, found {other}"
        ),
    }
}

/// Describes the adapter, with what our own kernels measure of it.
fn hardware(options: &Options) -> Result<()> {
    let device = options.open(true)?;
    let (bytes_s, launch_s) = calibrate(&device)?;
    let line = json!({
        "case": "hardware",
        "adapter": device.info(),
        "profile": device.measured(),
        "read_gb_s": bytes_s / 1e9,
        "launch_us": launch_s * 1e6,
        "gflop_s": flops(&device)? / 1e9,
    });
    println!("{line}");
    let (_, times) = block_on(trials(&device))?;
    for time in times {
        println!(
            "{}",
            json!({"case": "trial", "trial": time.trial, "ms": time.ms})
        );
    }
    Ok(())
}

/// Writes the shape's file.
fn file(options: &Options) -> Result<()> {
    let path = &options.file;
    let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    let mut out = BufWriter::with_capacity(1 << 20, file);
    let bytes = gguf_file::write(options.shape()?, &mut out)?;
    out.flush()?;
    println!("{}", json!({"case": "file", "bytes": bytes}));
    Ok(())
}
