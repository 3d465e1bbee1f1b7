//! Times the preparation of a picture: `cargo run --release -p hearth-llm-pictures --example times [WIDTH HEIGHT]`.

use std::time::Instant;

use hearth_modelfile::vision::{Processor, ProcessorKind};
use hearth_pictures::{Detail, prepare};

/// Rules as published: SmolVLM-256M, Gemma 3, Qwen2-VL, LFM2-VL, Mistral 3.
const PROCESSORS: [(ProcessorKind, [usize; 8]); 5] = [
    (ProcessorKind::Idefics3, [16, 4, 512, 2048, 0, 0, 0, 0]),
    (ProcessorKind::Gemma3, [14, 4, 896, 0, 0, 0, 0, 0]),
    (ProcessorKind::Qwen, [14, 2, 0, 0, 3136, 12_845_056, 0, 0]),
    (ProcessorKind::Lfm2, [16, 2, 512, 0, 65_536, 262_144, 2, 10]),
    (ProcessorKind::Pixtral, [14, 2, 1540, 1540, 0, 0, 0, 0]),
];

fn main() {
    let sides: Vec<usize> = std::env::args()
        .skip(1)
        .flat_map(|arg| arg.parse())
        .collect();
    let [width, height] = sides[..] else {
        return run(4_032, 3_024);
    };
    run(width, height);
}

fn run(width: usize, height: usize) {
    let rgba: Vec<u8> = (0..width * height * 4)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 7) as u8 | if i % 4 == 3 { 255 } else { 0 })
        .collect();
    for (kind, sizes) in PROCESSORS {
        let [
            patch,
            merge,
            side,
            longest_edge,
            min_pixels,
            max_pixels,
            min_tiles,
            max_tiles,
        ] = sizes;
        let processor = Processor {
            kind,
            patch,
            merge,
            side,
            longest_edge,
            min_pixels,
            max_pixels,
            min_tiles,
            max_tiles,
            mean: [0.5; 3],
            std: [0.5; 3],
        };
        for detail in [Detail::Auto, Detail::High, Detail::Low] {
            let rgba = rgba.clone();
            let start = Instant::now();
            match prepare(rgba, width, height, &processor, detail) {
                Ok(prepared) => println!(
                    "{kind:?} {detail:?}: {:.0} ms, {} frames, {} bytes",
                    start.elapsed().as_secs_f64() * 1e3,
                    prepared.grids.len(),
                    prepared.pixels.len()
                ),
                Err(error) => println!("{kind:?}: {error}"),
            }
        }
    }
}
