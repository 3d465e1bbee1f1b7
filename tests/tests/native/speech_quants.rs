//! Quantised files of whisper.cpp, made here of the real whisper-tiny.en as its `quantize` makes them.

use std::rc::Rc;

use half::f16;
use hearth_audio::whisper::{Loader, Options, Whisper};
use hearth_tests::real_model;
use hearth_tests::whisper::{push, recording, transcribe};

/// Values of a block.
const BLOCK: usize = 32;

/// A storage type, by its number in GGML.
#[derive(Debug, Clone, Copy)]
enum Quant {
    Q5_0 = 6,
    Q5_1 = 7,
    Q8_0 = 8,
}

impl Quant {
    /// Appends a block's bytes.
    fn pack(self, values: &[f32], out: &mut Vec<u8>) {
        let largest = |a: f32, b: &f32| if b.abs() > a.abs() { *b } else { a };
        let most = values.iter().fold(0.0, largest);
        match self {
            Self::Q8_0 => {
                let d = most.abs() / 127.0;
                out.extend(f16::from_f32(d).to_le_bytes());
                let level = |v: &f32| (v / d.max(1e-30)).round() as i8 as u8;
                out.extend(values.iter().map(level));
            }
            Self::Q5_0 => {
                let d = most / -16.0;
                out.extend(f16::from_f32(d).to_le_bytes());
                let by = if d == 0.0 { 0.0 } else { 1.0 / d };
                five(values.iter().map(|v| (v * by + 16.5).min(31.0) as u32), out);
            }
            Self::Q5_1 => {
                let low = values.iter().copied().fold(f32::INFINITY, f32::min);
                let high = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let d = (high - low) / 31.0;
                out.extend(f16::from_f32(d).to_le_bytes());
                out.extend(f16::from_f32(low).to_le_bytes());
                let by = if d == 0.0 { 0.0 } else { 1.0 / d };
                let level = |v: &f32| ((v - low) * by + 0.5).min(31.0) as u32;
                five(values.iter().map(level), out);
            }
        }
    }
}

/// Appends 32 levels of 5 bits: the fifth bits, then the others, of which the second half lies in the upper four bits.
fn five(levels: impl Iterator<Item = u32>, out: &mut Vec<u8>) {
    let levels: Vec<u32> = levels.collect();
    let high = (levels.iter().enumerate()).fold(0, |bits, (i, level)| bits | (level >> 4) << i);
    out.extend(u32::to_le_bytes(high));
    let (low, up) = levels.split_at(BLOCK / 2);
    let pair = |(low, up): (&u32, &u32)| (low & 15 | (up & 15) << 4) as u8;
    out.extend(low.iter().zip(up).map(pair));
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> &'a [u8] {
        let (bytes, rest) = self.0.split_at(len);
        self.0 = rest;
        bytes
    }

    fn number(&mut self) -> usize {
        u32::from_le_bytes(self.take(4).try_into().unwrap()) as usize
    }
}

/// Returns a file of f16 with the matrices of its layers and its embedding in `quant`.
fn quantised(file: &[u8], quant: Quant) -> Vec<u8> {
    let mut reader = Reader(file);
    // The magic, ten sizes, and the type.
    let mut out = reader.take(44).to_vec();
    reader.take(4);
    out.extend(u32::to_le_bytes(2_000 + quant as u32));
    let header = reader.0;
    let filters = reader.number() * reader.number();
    reader.take(4 * filters);
    for _ in 0..reader.number() {
        let len = reader.number();
        reader.take(len);
    }
    out.extend(&header[..header.len() - reader.0.len()]);
    while !reader.0.is_empty() {
        let (n_dims, name_len, dtype) = (reader.number(), reader.number(), reader.number());
        let dims: Vec<usize> = (0..n_dims).map(|_| reader.number()).collect();
        let name = reader.take(name_len);
        let len: usize = dims.iter().product();
        let bytes = reader.take(len * if dtype == 0 { 4 } else { 2 });
        let is_plain = dtype == 0 || n_dims != 2 || name.ends_with(b"positional_embedding");
        let dtype = if is_plain { dtype } else { quant as usize };
        for number in [n_dims, name_len, dtype].iter().chain(&dims) {
            out.extend(u32::to_le_bytes(*number as u32));
        }
        out.extend(name);
        if is_plain {
            out.extend(bytes);
            continue;
        }
        let halves = bytes.as_chunks().0.iter();
        let values: Vec<f32> = halves.map(|b| f16::from_le_bytes(*b).to_f32()).collect();
        for block in values.chunks_exact(BLOCK) {
            quant.pack(block, &mut out);
        }
    }
    out
}

/// They hear what the whole weights hear, and take the memory of f16.
#[test]
fn quantised_files_are_heard_with() {
    let Some(path) = real_model("HEARTH_WHISPER_TINY_EN", "whisper-tiny.en") else {
        return;
    };
    let Some(sound) = recording() else { return };
    let file = std::fs::read(path.join("ggml-tiny.en.bin")).unwrap();
    let load = |bytes: &[u8]| Rc::new(push(Loader::default(), bytes).unwrap());
    let whole = load(&file);
    let text = |model: &Rc<Whisper>| {
        let (_, found) = transcribe(model, sound[..5 * 16_000].to_vec(), Options::default());
        let texts: Vec<String> = found.into_iter().map(|segment| segment.text).collect();
        texts.concat()
    };
    let wanted = text(&whole);
    assert!(wanted.contains("best of times"), "{wanted}");
    for (quant, share) in [(Quant::Q5_0, 0.4), (Quant::Q5_1, 0.43), (Quant::Q8_0, 0.6)] {
        let small = quantised(&file, quant);
        let model = load(&small);
        println!(
            "{quant:?}: a file of {} bytes, {} in memory",
            small.len(),
            model.bytes
        );
        assert!(
            (small.len() as f64) < share * file.len() as f64,
            "{quant:?}"
        );
        assert_eq!(text(&model), wanted, "{quant:?}");
        assert_eq!(model.bytes, whole.bytes, "{quant:?}");
    }
}
