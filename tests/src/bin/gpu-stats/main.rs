//! Compiles the kernels of four real model shapes, and of every packing, without a GPU: `gpu-stats vulkan` prints a line
//! of JSON with the driver and one per kernel with its compiler's statistics, `gpu-stats text` one per kernel with counts
//! in naga's Metal and Direct3D texts. `cargo xtask gpu-stats` runs it for each GPU family, and compares.

mod shader;
mod vulkan;

use std::collections::HashSet;

use hearth::model::outline::{OutlineOptions, Step, outline};
use hearth::ops::kernel::Kernel;
use hearth::ops::outline::{Launch, Situation};
use hearth::ops::projection::packing::PACKINGS;
use hearth::ops::projection::tile::SHARED_TILE_FROM;
use hearth::ops::sampling::draft::ROWS;
use hearth::ops::{
    Arithmetic, KvType, Norm, NormSpec, Ops, Scaling, Shapes, Source, StepState, TileShape, Tuning,
    Weight, WeightPart,
};
use hearth_modelfile::quant::Packing;
use hearth_tests::synthetic::{Types, published};
use serde_json::{Value, json};

use shader::Shader;
use vulkan::Driver;

type Result<T> = std::result::Result<T, String>;

fn main() {
    let mode = std::env::args().nth(1).unwrap_or_default();
    let done = match mode.as_str() {
        "vulkan" => vulkan(),
        "text" => each(|shader| shader.text_counts()),
        _ => Err("expected `vulkan` or `text`".to_owned()),
    };
    if let Err(error) = done {
        eprintln!("gpu-stats: {error}");
        std::process::exit(1);
    }
}

fn vulkan() -> Result<()> {
    let driver = Driver::open()?;
    println!("{}", json!({ "driver": driver.name() }));
    each(|shader| driver.compile(&shader.spirv()?, &shader.bindings()))
}

/// Prints the counts of each kernel.
fn each(count: impl Fn(&Shader) -> Result<Value>) -> Result<()> {
    for (name, kernel) in kernels()? {
        let counts = Shader::new(&kernel)
            .and_then(|shader| count(&shader))
            .map_err(|error| format!("{name}: {error}"))?;
        println!("{}", json!({ "kernel": name, "counts": counts }));
    }
    Ok(())
}

/// Tokens of a prompt whose attention takes many queries in a workgroup.
const LONG: usize = 512;

/// Steps whose kernels are compiled: decode, a few tokens (drafts and short prompts), and prefill.
const STEPS: [(Step, Arithmetic); 6] = [
    (Step::Decode, Arithmetic::F32),
    (Step::Decode, Arithmetic::I15),
    (Step::Drafts, Arithmetic::F32),
    (Step::Prefill(SHARED_TILE_FROM), Arithmetic::F32),
    (Step::Prefill(SHARED_TILE_FROM), Arithmetic::I15),
    (Step::Prefill(LONG), Arithmetic::F32),
];

fn tuning(arithmetic: Arithmetic) -> Tuning {
    Tuning {
        arithmetic,
        ..Tuning::LARGE_GPU
    }
}

/// Kernels with their names, each once.
#[derive(Default)]
struct Kernels {
    all: Vec<(String, Kernel)>,
    seen: HashSet<String>,
}

impl Kernels {
    fn add(&mut self, of: &str, step: (Step, Arithmetic), launch: Launch) {
        if self.seen.insert(format!("{of} {}", launch.kernel.text())) {
            let name = kernel_name(step, &launch.name);
            self.all.push((format!("{of} {name}"), launch.kernel));
        }
    }
}

/// Returns the kernels of every model, and of a matrix in each packing that no model here has.
fn kernels() -> Result<Vec<(String, Kernel)>> {
    let (mut kernels, mut listed) = (Kernels::default(), HashSet::new());
    for shape in published([Types::Q4KM; 4]) {
        let header = shape.parsed();
        for step in STEPS {
            let options = OutlineOptions {
                tuning: tuning(step.1),
                step: step.0,
                context_size: Some(8192),
                kv_type: KvType::F16,
                positions: None,
                filters: false,
            };
            for launch in outline(&header, options).map_err(|error| error.to_string())? {
                listed.extend(packing_of(&launch.name).map(str::to_owned));
                kernels.add(shape.name, step, launch);
            }
        }
    }
    let others = PACKINGS
        .iter()
        .filter(|packing| !listed.contains(packing.name()));
    for packing in others {
        for step in STEPS {
            let launches = norm_and_matrix(*packing, step.0, tuning(step.1));
            let matrix = launches
                .into_iter()
                .filter(|launch| packing_of(&launch.name).is_some());
            matrix.for_each(|launch| kernels.add("other packings", step, launch));
        }
    }
    other_choices(&mut kernels);
    Ok(kernels.all)
}

/// Adds what a device may choose instead: other tiles of a prompt, fewer threads on four rows.
fn other_choices(kernels: &mut Kernels) {
    let mut add = |of: &str, step: (Step, Arithmetic), tuning: Tuning| {
        for packing in [Packing::Q4S, Packing::Q4K, Packing::Q8] {
            let launches = norm_and_matrix(packing, step.0, tuning);
            let matrix = (launches.into_iter()).filter(|launch| packing_of(&launch.name).is_some());
            matrix.for_each(|launch| kernels.add(of, step, launch));
        }
    };
    for arithmetic in [Arithmetic::F32, Arithmetic::I15] {
        for tile in TileShape::ALL {
            let name = format!("tile {tile:?}").to_lowercase();
            let mut tuning = tuning(arithmetic);
            (tuning.shapes.tile, tuning.shapes.few_rows_tile) = (tile, tile);
            add(&name, (Step::Prefill(SHARED_TILE_FROM), arithmetic), tuning);
        }
        for threads in [16, 32] {
            let tuning = Tuning {
                decode_threads_per_tile: threads,
                shapes: Shapes::alike(threads, true),
                ..tuning(arithmetic)
            };
            add(
                &format!("{threads} threads"),
                (Step::Decode, arithmetic),
                tuning,
            );
        }
    }
}

/// Returns the launches of a norm and a matrix with Llama 3.2 1B's width.
fn norm_and_matrix(packing: Packing, step: Step, tuning: Tuning) -> Vec<Launch> {
    const WIDTH: usize = 2048;
    let now = Situation {
        positions: 1,
        filters: false,
    };
    let ops = Ops::outline(tuning, now);
    let rows = match step {
        Step::Decode => 1,
        Step::Drafts => ROWS,
        Step::Prefill(tokens) => tokens,
    };
    let norm = Norm {
        weight: ops.upload_row(&[1.0; WIDTH]),
        spec: NormSpec::rms(1e-5),
    };
    let weight = Weight {
        rows: WIDTH,
        cols: WIDTH,
        scaling: Scaling::NONE,
        segments: Default::default(),
        lora: None,
        bias: None,
        parts: vec![WeightPart {
            packing,
            first_row: 0,
            rows: WIDTH,
            quants: ops.alloc_words(0),
            scales: ops.alloc_words(0),
            pooled: None,
            source: Source {
                name: "matrix".into(),
                file_bytes: 0,
            },
        }],
    };
    let (x, state) = (ops.alloc_f32(rows, WIDTH), StepState::new(&ops, rows));
    ops.norm_linear(&x, Some(&norm), &weight, &state);
    ops.take_outline()
}

/// Returns the packing in the name of a launch that multiplies by a weight.
fn packing_of(launch: &str) -> Option<&str> {
    launch.split_once(' ').map(|(_, packing)| packing)
}

/// Returns the name that a kernel is pinned by.
fn kernel_name((step, arithmetic): (Step, Arithmetic), launch: &str) -> String {
    let suffix = format!(" {arithmetic:?}").to_lowercase();
    let (of, suffix) = match (step, launch) {
        (_, "embed" | "rope_append") => return launch.to_owned(),
        (Step::Decode, "attention" | "merge" | "scan" | "sample") => ("decode", String::new()),
        (Step::Decode, _) => ("decode", suffix),
        (Step::Drafts, "scan" | "sample") => ("drafts", String::new()),
        (Step::Drafts, "attention" | "norm" | "gate") => ("prefill", String::new()),
        (Step::Drafts, _) => ("few", String::new()),
        (Step::Prefill(LONG), _) => ("long prefill", String::new()),
        (Step::Prefill(_), _) if arithmetic == Arithmetic::I15 => ("prefill", suffix),
        (Step::Prefill(_), _) => ("prefill", String::new()),
    };
    let (tensors, packing) = launch.split_once(' ').unwrap_or((launch, ""));
    let projection = match tensors {
        "attn_q+attn_k+attn_v" => "qkv_proj",
        "attn_q+attn_k" => "qk_proj",
        "attn_v" => "v_proj",
        "attn_output" => "o_proj",
        "ffn_gate+ffn_up" => "gate_up_proj",
        "ffn_down" => "down_proj",
        "token_embd" | "output" => "lm_head",
        other => other,
    };
    format!("{of} {projection} {packing}").trim_end().to_owned() + &suffix
}
