//! `hearth inspect FILE`: a model's requirements, and how it would run on this machine, from the header alone.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use hearth::model::cost::cost;
use hearth::model::report::inspect;
use hearth::ops::KvType;
use hearth::{Device, DeviceOptions};
use hearth_modelfile::budget::{Budget, InspectOptions, Report, Runs};
use hearth_modelfile::files::folder;

/// Hearth's command line
#[derive(Parser)]
#[command(version)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Say what a model asks for: data, compute, algorithm
    Inspect {
        /// A GGUF file, the first of a split one, or a folder of safetensors; only headers are read
        file: PathBuf,
        /// Positions of the KV cache
        #[arg(long)]
        context: Option<usize>,
        /// Bytes that the device reads a second, in GB, for a prediction of tokens a second
        #[arg(long)]
        bandwidth: Option<f64>,
        /// Print instead what the launches of a token cost, and the speed that this predicts on known devices, as JSON
        #[arg(long)]
        cost: bool,
        /// Do not look for a GPU
        #[arg(long)]
        no_device: bool,
        /// Print everything as JSON
        #[arg(long)]
        json: bool,
    },
}

fn main() -> ExitCode {
    let Command::Inspect {
        file,
        context,
        bandwidth,
        cost: only_cost,
        no_device,
        json,
    } = Args::parse().command;
    let headers = folder::open(&file).and_then(|(files, _)| files.join());
    let gguf = match headers {
        Ok((gguf, _)) => gguf,
        Err(e) => {
            eprintln!("{}: {e}\n{}", file.display(), e.hint());
            return ExitCode::FAILURE;
        }
    };
    if only_cost {
        return match cost(&gguf, KvType::F16, context) {
            Ok(cost) => print_json(&cost),
            Err(e) => {
                eprintln!("{}: {e}\n{}", file.display(), e.hint());
                ExitCode::FAILURE
            }
        };
    }
    let device = (!no_device)
        .then(|| pollster::block_on(Device::open(DeviceOptions::default())))
        .and_then(|opened| match opened {
            Ok(device) => Some(device),
            Err(e) => {
                eprintln!("no GPU: {e}");
                None
            }
        });
    let report = inspect(
        &gguf,
        InspectOptions {
            context_size: context,
            memory: None,
            kv_type: None,
            device: device.as_ref().map(|device| &device.info().limits),
            bandwidth: bandwidth.map(|gb| gb * 1e9),
            launch_gap: None,
        },
    );
    if json {
        print_json(&report);
    } else {
        print(&report);
    }
    match report.run {
        Runs::Budget(_) => ExitCode::SUCCESS,
        Runs::Unsupported { .. } => ExitCode::FAILURE,
    }
}

fn print_json(value: &impl serde::Serialize) -> ExitCode {
    match serde_json::to_string_pretty(value) {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(e) => {
            eprintln!("{e}");
            ExitCode::FAILURE
        }
    }
}

fn print(report: &Report) {
    let known = |text: &str| if text.is_empty() { "?" } else { text }.to_owned();
    println!("{} ({})", known(&report.name), known(&report.architecture));
    if let Some(license) = &report.license {
        println!("  licence    {license}");
    }
    println!("\ndata");
    println!("  file       {} of tensors", bytes(report.tensor_bytes));
    println!("  weights    {}", count(report.parameters));
    for (name, quant) in &report.quants {
        let share = 100.0 * quant.parameters as f64 / report.parameters.max(1) as f64;
        println!(
            "    {name:<8} {share:5.1}%  {} in {} tensors",
            bytes(quant.bytes),
            quant.tensors
        );
    }
    match &report.run {
        Runs::Budget(budget) => print_budget(report, budget),
        Runs::Unsupported { message, hint, .. } => println!("\nnot supported: {message}\n{hint}"),
    }
}

fn print_budget(report: &Report, budget: &Budget) {
    let (c, memory, token) = (&budget.config, budget.memory, budget.token);
    println!("\nalgorithm");
    println!(
        "  layers     {} of width {}, {} heads of {} ({} for keys and values), feed-forward {}",
        c.n_layers, c.d_model, c.n_heads, c.head_dim, c.n_kv_heads, c.d_ff
    );
    if c.n_experts > 0 {
        println!(
            "  experts    {} of {} a token",
            c.n_experts_used, c.n_experts
        );
    }
    if let Some(pooling) = c.pooling {
        println!("  embeddings {}", format!("{pooling:?}").to_lowercase());
    }
    println!("  vocabulary {}", c.vocab_size);
    let trained = report.n_ctx_train.unwrap_or_default();
    println!("  context    {} of {trained} positions", budget.n_ctx);
    println!("\ncompute");
    println!(
        "  memory     {} = weights {} + KV cache {} + scratch {}",
        bytes(memory.total),
        bytes(memory.weights),
        bytes(memory.kv),
        bytes(memory.scratch)
    );
    println!(
        "  a token    {} read, {}FLOP",
        bytes(token.bytes),
        scaled(token.flops as f64, 1000.0, &["", "k", "M", "G", "T"])
    );
    if let Some(verdict) = &budget.device {
        match &verdict.reason {
            None => println!("  device     nothing speaks against it"),
            Some(reason) => println!("  device     does not fit: {reason}"),
        }
        if let Some(speed) = verdict.speed {
            println!(
                "  speed      about {:.1} tokens/s, {:.1} at most (latencies as of {})",
                speed.tokens_per_second, speed.at_most, speed.like
            );
        }
    }
}

fn bytes(n: u64) -> String {
    scaled(n as f64, 1024.0, &["B", "KiB", "MiB", "GiB", "TiB"])
}

fn count(n: u64) -> String {
    scaled(n as f64, 1000.0, &["", "k", "M", "B"])
}

fn scaled(n: f64, step: f64, units: &[&str]) -> String {
    let (mut n, mut unit) = (n, 0);
    while n >= step && unit + 1 < units.len() {
        n /= step;
        unit += 1;
    }
    format!("{n:.*} {}", if unit == 0 { 0 } else { 1 }, units[unit])
}
