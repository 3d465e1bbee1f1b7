//! `cargo xtask`: every task in this repository, as plain Rust.
//!
//! Each module answers one question:
//!
//! | module       | answers                                                          |
//! |--------------|------------------------------------------------------------------|
//! | `paths`      | where is the repository, where does heavy and rebuildable stuff go |
//! | `proc`       | how is a program found, run, logged, stopped                     |
//! | `stamp`      | is an output older than its inputs                               |
//! | `config`     | what does `wasm-pack.toml` say                                   |
//! | `setup`      | which pieces are needed, in which order, and the report          |
//! | `debian`     | how does a piece come from Debian                                |
//! | `toolchain`  | which cargo builds wasm32                                        |
//! | `linker`     | what WebAssembly modules are linked without                      |
//! | `linter`     | how is clippy run on what a build has compiled                   |
//! | `tools`      | wasm-bindgen, node, npm packages, wasm-opt                       |
//! | `browsers`   | which Chromium and Firefox the tests drive                       |
//! | `build`      | crates -> pkg/wasm, pkg/grammar -> pkg/dist -> www/dist          |
//! | `wasm`       | a crate to a module with its bindings                            |
//! | `model`      | where does the default model come from, is it the right file     |
//! | `whisper`    | how do Whisper's weights become a folder as Hugging Face has them |
//! | `llama`      | where is a llama.cpp server for the tests                        |
//! | `docs`       | the documentation site                                           |
//! | `serve`      | the command; `server` is the HTTP server under it                |
//! | `test`       | which stages there are, how one is run and judged                |
//! | `bench`      | one JSON line per case                                           |
//! | `cost`       | what a token costs, from a header                                |
//! | `gpu_stats`  | what compilers of real GPUs make of the kernels                  |
//! | `gpu_trial`  | how fast a GPU is, on a machine that somebody has for half an hour |

mod bench;
mod browsers;
mod build;
mod config;
mod cost;
mod debian;
mod docs;
mod gpu_stats;
mod gpu_trial;
mod linker;
mod linter;
mod llama;
mod model;
mod paths;
mod proc;
mod serve;
mod server;
mod setup;
mod stamp;
mod test;
mod toolchain;
mod tools;
mod wasm;
mod whisper;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    about = "Build, serve and test Hearth",
    arg_required_else_help = true
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Find or install everything that building and testing need. Safe to repeat
    Setup,
    /// Build whatever is stale: crate to wasm, JavaScript bindings, npm package, page
    Build(build::Args),
    /// Build what is stale, fetch the default model, and serve the chat page
    Serve(serve::Args),
    /// Build what is stale, and the documentation site: docs/.vitepress/dist
    Docs(docs::Args),
    /// Run all checks and all tests. The last line is `N passed, N failed`
    Test(test::Args),
    /// Run the native and browser benchmarks: one JSON line per case
    Bench(bench::Args),
    /// Print what the launches of a token cost, and the speed that this predicts on known devices, as JSON
    Cost(cost::Args),
    /// Compile every kernel for real GPUs, without one, and compare registers, spills and occupancy with pinned ones
    GpuStats(gpu_stats::Args),
    /// Pack what a bare machine with a GPU needs to measure everything within 20 minutes and print one JSON
    GpuTrial(gpu_trial::Args),
}

fn main() -> ExitCode {
    if let Some(ended) = linter::asked().or_else(linker::asked) {
        return ended;
    }
    match run(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<ExitCode> {
    if let Command::GpuTrial(args) = &cli.command
        && let Some(ended) = gpu_trial::elsewhere(args)
    {
        return ended;
    }
    let dirs = paths::Dirs::find()?;
    match cli.command {
        Command::Setup => setup::run(&dirs, &setup::EVERYTHING).map(|_| ExitCode::SUCCESS),
        Command::Build(args) => build::run(&dirs, &args).map(|()| ExitCode::SUCCESS),
        Command::Serve(args) => serve::run(&dirs, &args).map(|()| ExitCode::SUCCESS),
        Command::Docs(args) => docs::run(&dirs, &args).map(|()| ExitCode::SUCCESS),
        Command::Test(args) => test::run(&dirs, &args),
        Command::Bench(args) => bench::run(&dirs, &args),
        Command::Cost(args) => cost::run(&dirs, &args),
        Command::GpuStats(args) => gpu_stats::run(&dirs, &args),
        Command::GpuTrial(args) => gpu_trial::run(&dirs, &args),
    }
}
