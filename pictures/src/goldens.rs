//! Tests: pictures against Pillow and transformers, whose results `tests/goldens/generator/gold_pictures.py` writes, and properties of all
//! sizes.

use std::collections::BTreeMap;

use hearth_modelfile::vision::{Processor, ProcessorKind};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::prepare;
use crate::probe::{Facts, probe};
use crate::resample::Filter;
use crate::rgba::Picture;

#[derive(Deserialize)]
struct Goldens {
    /// Values of the composite of all colours and alphas.
    composite: Sum,
    resizes: Vec<Resize>,
    processors: BTreeMap<String, Processor>,
    pictures: Vec<Prepared>,
    files: Vec<File>,
}

/// Hash of bytes, and some of them, evenly spaced.
#[derive(Deserialize)]
struct Sum {
    sha256: String,
    values: Vec<u8>,
}

#[derive(Deserialize)]
struct Resize {
    filter: String,
    from: [usize; 2],
    to: [usize; 2],
    #[serde(flatten)]
    sum: Sum,
}

#[derive(Deserialize)]
struct Prepared {
    processor: String,
    size: [usize; 2],
    detail: String,
    tiles: [usize; 2],
    grids: Vec<[usize; 2]>,
    #[serde(flatten)]
    sum: Sum,
}

#[derive(Deserialize)]
struct File {
    format: String,
    size: (u32, u32),
    /// Bytes of its head.
    head: String,
}

fn goldens() -> Goldens {
    let path = concat!(
        env!("HEARTH_ROOT"),
        "tests/goldens/data/pictures/pictures.json"
    );
    let text = std::fs::read(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_slice(&text).unwrap()
}

/// Returns a picture of noise, ramps and hard edges, as the generator makes it.
fn rgba(width: usize, height: usize) -> Vec<u8> {
    let value = |x: u32, y: u32, c: u32| match (x / 16 + y / 16 + c) % 5 {
        0 => 255,
        1 => 0,
        _ => {
            let noise = x.wrapping_mul(73_856_093) ^ y.wrapping_mul(19_349_663);
            let noise = (noise ^ c.wrapping_mul(83_492_791)) >> 11 & 63;
            ((x * 3 + y * 5 + c * 40) % 192 + noise) as u8
        }
    };
    (0..height as u32)
        .flat_map(|y| (0..width as u32).map(move |x| (x, y)))
        .flat_map(|(x, y)| [value(x, y, 0), value(x, y, 1), value(x, y, 2), 255])
        .collect()
}

fn picture(width: usize, height: usize) -> Picture {
    Picture::from_rgba(rgba(width, height), width, height).unwrap()
}

/// Compares bytes with those that the golden knows, its samples first: they say more than a hash.
fn compare(bytes: &[u8], golden: &Sum, what: &str) {
    let count = golden.values.len();
    let samples: Vec<u8> = (0..count).map(|i| bytes[i * bytes.len() / count]).collect();
    assert_eq!(samples, golden.values, "{what}");
    let sha256: String = Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(sha256, golden.sha256, "{what}: other bytes");
}

#[test]
fn transparency_is_composited_as_by_pillow() {
    let all = (0..256 * 256_u32).flat_map(|i| {
        let (x, y) = ((i % 256) as u8, (i / 256) as u8);
        [x, x ^ y, 255 - x, y]
    });
    let picture = Picture::from_rgba(all.collect(), 256, 256).unwrap();
    let bytes: Vec<u8> = picture.rgb().flatten().collect();
    compare(&bytes, &goldens().composite, "composite");
}

#[test]
fn pictures_are_resized_as_by_pillow() {
    let resizes = goldens().resizes;
    assert!(resizes.len() >= 30);
    for golden in resizes {
        let filter = match golden.filter.as_str() {
            "bilinear" => Filter::Bilinear,
            "bicubic" => Filter::Bicubic,
            _ => Filter::Lanczos,
        };
        let ([from_width, from_height], [width, height]) = (golden.from, golden.to);
        let resized = picture(from_width, from_height).resized(width, height, filter);
        let bytes: Vec<u8> = resized.rgb().flatten().collect();
        let what = format!("{filter:?} {:?} to {:?}", golden.from, golden.to);
        compare(&bytes, &golden.sum, &what);
    }
}

#[test]
fn pictures_are_prepared_as_by_transformers() {
    let goldens = goldens();
    let kinds = goldens.processors.values().map(|p| p.kind as usize);
    assert_eq!(
        kinds.collect::<std::collections::BTreeSet<_>>().len(),
        KINDS.len()
    );
    assert!(goldens.pictures.len() >= 100);
    for golden in &goldens.pictures {
        let ([width, height], detail) = (golden.size, golden.detail.parse().unwrap());
        let processor = &goldens.processors[&golden.processor];
        let got = prepare(rgba(width, height), width, height, processor, detail).unwrap();
        let what = format!("{} {width} x {height} {detail:?}", golden.processor);
        assert_eq!([got.tiles_high, got.tiles_wide], golden.tiles, "{what}");
        assert_eq!(got.grids, golden.grids, "{what}");
        compare(&got.pixels, &golden.sum, &what);
    }
}

#[test]
fn heads_of_files_say_format_and_size() {
    let files = goldens().files;
    assert!(files.len() >= 10);
    for file in files {
        let digits: Vec<char> = file.head.chars().collect();
        let head: Vec<u8> = digits
            .chunks(2)
            .map(|pair| u8::from_str_radix(&String::from_iter(pair), 16).unwrap())
            .collect();
        let Some(Facts { format, size }) = probe(&head) else {
            panic!("{} is not recognised", file.format);
        };
        assert_eq!((format.name(), size), (&*file.format, Some(file.size)));
        // No end of a file is a panic, and none gives another size.
        for end in 0..head.len() {
            let size = probe(&head[..end]).and_then(|facts| facts.size);
            assert!(
                size.is_none() || size == Some(file.size),
                "{} {end}",
                file.format
            );
        }
        for at in 0..head.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut changed = head.clone();
                changed[at] = value;
                // (any answer will do)
                let _ = probe(&changed);
            }
        }
    }
}

/// Rules as small as pictures of 40 pixels need them to be cut.
fn small(kind: ProcessorKind) -> Processor {
    let any = Processor {
        kind,
        patch: 4,
        merge: 2,
        side: 12,
        longest_edge: 40,
        min_pixels: 128,
        max_pixels: 512,
        min_tiles: 2,
        max_tiles: 6,
        mean: [0.5; 3],
        std: [0.5; 3],
    };
    match kind {
        // Sides of which patches leave something over.
        ProcessorKind::Idefics3 => Processor { patch: 5, ..any },
        _ => any,
    }
}

const KINDS: [ProcessorKind; 8] = [
    ProcessorKind::Idefics3,
    ProcessorKind::Gemma3,
    ProcessorKind::Qwen,
    ProcessorKind::Lfm2,
    ProcessorKind::Pixtral,
    ProcessorKind::Gemma4,
    ProcessorKind::Clip,
    ProcessorKind::Siglip,
];

#[test]
fn frames_agree_with_their_grids_for_all_small_sizes() {
    for kind in KINDS {
        let processor = small(kind);
        let area = processor.patch * processor.patch;
        let mut cut = 0;
        for (width, height) in (1..=40).flat_map(|w| (1..=40).map(move |h| (w, h))) {
            for detail in ["auto", "high", "low"] {
                let rgba = vec![200; width * height * 4];
                let prepared =
                    prepare(rgba, width, height, &processor, detail.parse().unwrap()).unwrap();
                let what = format!("{kind:?} {width} x {height} {detail}");
                let patches: usize = prepared.grids.iter().map(|[h, w]| h * w).sum();
                assert!(
                    prepared.grids.iter().all(|grid| !grid.contains(&0)),
                    "{what}"
                );
                assert_eq!(prepared.pixels.len(), patches * 3 * area, "{what}");
                let tiles = prepared.tiles_high * prepared.tiles_wide;
                assert_eq!(prepared.grids.len(), tiles + 1, "{what}");
                assert!(detail != "low" || tiles == 0, "{what}");
                assert_eq!([prepared.width, prepared.height], [width, height]);
                let [whole_high, whole_wide] = prepared.grids[tiles];
                match kind {
                    ProcessorKind::Idefics3
                    | ProcessorKind::Gemma3
                    | ProcessorKind::Clip
                    | ProcessorKind::Siglip => {
                        let side = processor.side / processor.patch;
                        assert!(
                            prepared.grids.iter().all(|grid| *grid == [side; 2]),
                            "{what}"
                        );
                    }
                    _ => assert_eq!([whole_high % 2, whole_wide % 2], [0, 0], "{what}"),
                }
                if kind == ProcessorKind::Lfm2 || kind == ProcessorKind::Qwen {
                    // (as many as the bounds allow, and a row or column more for what is rounded up)
                    assert!(whole_high * whole_wide * area <= 512 + 16 * 40, "{what}");
                }
                cut += usize::from(tiles > 0);
            }
        }
        let cuts = matches!(kind, ProcessorKind::Idefics3 | ProcessorKind::Lfm2);
        assert_eq!(cut > 0, cuts, "{kind:?}: {cut} were cut");
    }
}

#[test]
fn rules_out_of_bounds_are_refused_by_name() {
    let refused = |processor: &Processor, field: &str| {
        let auto = "auto".parse().unwrap();
        let error = prepare(vec![0; 4], 1, 1, processor, auto).unwrap_err();
        assert_eq!(error.code(), "invalid_request");
        assert!(error.to_string().contains(field), "{error}");
    };
    for kind in KINDS {
        let fit = small(kind);
        refused(
            &Processor {
                patch: 0,
                ..fit.clone()
            },
            "patch",
        );
        refused(
            &Processor {
                merge: 0,
                ..fit.clone()
            },
            "merge",
        );
        refused(
            &Processor {
                merge: 64,
                ..fit.clone()
            },
            "merge",
        );
        let huge = Processor {
            side: 1 << 31,
            longest_edge: 1 << 31,
            min_pixels: 1 << 31,
            max_pixels: 1 << 31,
            max_tiles: 1 << 31,
            ..fit.clone()
        };
        refused(&huge, "processor.");
        match kind {
            ProcessorKind::Qwen | ProcessorKind::Pixtral => {}
            ProcessorKind::Gemma4 => refused(
                &Processor {
                    max_pixels: 0,
                    ..fit
                },
                "max_pixels",
            ),
            _ => refused(&Processor { side: 0, ..fit }, "side"),
        }
    }
    assert!("best".parse::<crate::Detail>().is_err());
}

#[test]
fn narrow_pictures_are_prepared_or_refused() {
    for kind in KINDS {
        for (width, height) in [(1, 201), (201, 1), (3_000, 1), (1, 65_535), (65_535, 3)] {
            let auto = "auto".parse().unwrap();
            let rgba = vec![7; width * height * 4];
            let prepared = prepare(rgba, width, height, &small(kind), auto);
            let refuses = matches!(
                kind,
                ProcessorKind::Qwen | ProcessorKind::Lfm2 | ProcessorKind::Clip
            );
            let code = prepared.err().map(|error| error.code());
            assert_eq!(code, refuses.then_some("bad_picture"), "{kind:?} {width}");
        }
    }
}
