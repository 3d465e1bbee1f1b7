//! Reads the device's layouts back: the oracle for kernels.

use half::f16;
use hearth_cpu::formats::{FP4_TABLE, IQ4_TABLE};
use hearth_cpu::grid_formats::{Codes, GridFormat, Iq1, Iq2S, Iq2Xs, Iq2Xxs, Iq3S, Iq3Xxs};

use super::Packing;

/// Reads one row of `out.len()` elements back from the device's layout.
///
/// Elements for which `quants` or `scales` are too short become NaN.
pub fn unpack_row(packing: Packing, quants: &[u32], scales: &[u32], out: &mut [f32]) {
    out.fill(f32::NAN);
    match packing {
        Packing::F32 => {
            for (y, &word) in out.iter_mut().zip(quants) {
                *y = f32::from_bits(word);
            }
        }
        Packing::F16 => {
            for (y, half) in out.iter_mut().zip(halves(quants)) {
                *y = f16::from_bits(half).to_f32();
            }
        }
        Packing::BF16 => {
            for (y, half) in out.iter_mut().zip(halves(quants)) {
                *y = f32::from_bits(u32::from(half) << 16);
            }
        }
        // Two blocks at once, since they share their words of scales.
        Packing::Q2 => blocks::<64, 4, 2>(quants, scales, out, |q, s, j| {
            let (d, dmin) = halves_f32(s[1]);
            let byte = s[0] >> (j / 16 * 8);
            d * (byte & 15) as f32 * two_bits(q, j) as f32 - dmin * (byte >> 4 & 15) as f32
        }),
        Packing::Q3 => blocks::<32, 2, 2>(quants, scales, out, |q, s, j| {
            let q = (two_bits(q, j) | bit(s[1], j) << 2) as f32 - 4.0;
            q * of_half(s[0], j)
        }),
        Packing::Q4 => blocks::<32, 4, 1>(quants, scales, out, |q, s, j| {
            let (d, m) = halves_f32(s[0]);
            d * nibble(q, j) as f32 + m
        }),
        Packing::Q4S => blocks::<64, 8, 1>(quants, scales, out, |q, s, j| {
            let d = halves_f32(s[0] >> (j / 32 * 16)).0;
            d * (nibble(&q[j / 32 * 4..], j % 32) as f32 - 8.0)
        }),
        Packing::Q4K => blocks::<256, 32, 4>(quants, scales, out, |q, s, j| {
            let (p, (d, dmin)) = (j / 32, halves_f32(s[0]));
            let byte = s[1 + p / 4] >> (p % 4 * 8);
            let upper = s[3] >> (p % 4 * 8 + p / 4 * 4) & 15;
            let (sc, mn) = (byte & 63, byte >> 6 & 3 | upper << 2);
            d * sc as f32 * nibble(&q[4 * p..], j % 32) as f32 - dmin * mn as f32
        }),
        Packing::Iq4 => looked_up(quants, scales, out, &IQ4_TABLE),
        Packing::Fp4 => looked_up(quants, scales, out, &FP4_TABLE),
        Packing::Nvfp4 => blocks::<32, 4, 1>(quants, scales, out, |q, s, j| {
            of_half(s[0], j) * f32::from(FP4_TABLE[nibble(q, j) as usize])
        }),
        Packing::Q5 => blocks::<32, 4, 2>(quants, scales, out, |q, s, j| {
            let (d, m) = halves_f32(s[0]);
            d * (nibble(q, j) | bit(s[1], j) << 4) as f32 + m
        }),
        Packing::Q6 => blocks::<256, 32, 21>(quants, scales, out, |q, s, j| {
            let (p, i) = (j / 32, j % 32);
            let q = (nibble(&q[4 * p..], i) | two_bits(&s[5 + 2 * p..], i) << 4) as f32 - 32.0;
            let sc = (s[1 + p / 2] >> (j / 16 % 4 * 8)) as u8;
            halves_f32(s[0]).0 * f32::from(sc as i8) * q
        }),
        Packing::Q8 => blocks::<64, 16, 1>(quants, scales, out, |q, s, j| {
            let byte = (q[j / 4] >> (j % 4 * 8)) as u8;
            halves_f32(s[0] >> (j / 32 * 16)).0 * f32::from(byte as i8)
        }),
        Packing::Q1 => blocks::<256, 8, 1>(quants, scales, out, |q, s, j| {
            let d = halves_f32(s[0] >> (j / 128 * 16)).0;
            if q[j / 32] >> (j % 32) & 1 == 1 {
                d
            } else {
                -d
            }
        }),
        Packing::Q2S => blocks::<128, 8, 1>(quants, scales, out, |q, s, j| {
            let d = halves_f32(s[0] >> (j / 64 * 16)).0;
            d * (two_bits(&q[j / 32 * 2..], j % 32) as f32 - 1.0)
        }),
        Packing::Iq2Xxs => from_grid::<Iq2Xxs>(quants, scales, out),
        Packing::Iq2Xs => from_grid::<Iq2Xs>(quants, scales, out),
        Packing::Iq2S => from_grid::<Iq2S>(quants, scales, out),
        Packing::Iq3Xxs => from_grid::<Iq3Xxs>(quants, scales, out),
        Packing::Iq3S => from_grid::<Iq3S>(quants, scales, out),
        Packing::Iq1 => from_grid::<Iq1>(quants, scales, out),
    }
}

/// Fills blocks of 256 elements of a format with a grid.
fn from_grid<G: GridFormat>(quants: &[u32], scales: &[u32], out: &mut [f32]) {
    let words = quants.chunks_exact(8 * G::WORDS);
    let blocks = words.zip(scales.chunks_exact(G::SCALE_WORDS));
    for ((quants, scales), out) in blocks.zip(out.chunks_mut(256)) {
        let d = halves_f32(scales[0]).0;
        let parts = quants.chunks_exact(G::WORDS).zip(out.chunks_mut(32));
        for (p, (words, out)) in parts.enumerate() {
            let (codes, negative) = (G::codes(words, scales, p), G::negative(words, scales, p));
            let s = G::scales(words, scales, p);
            for (c, y) in out.iter_mut().enumerate() {
                let s = if G::HALVES { s >> (c / 16 * 4) } else { s };
                let magnitude = f32::from(G::VALUES[codes.code(c)]);
                let v = d * ((s & 15) as f32 + 0.5) * G::FACTOR * magnitude;
                *y = if negative >> c & 1 == 1 { -v } else { v };
            }
        }
    }
}

/// Fills blocks of `N` elements with `value(quants, scales, element)`, as far as words are available.
fn blocks<const N: usize, const Q: usize, const S: usize>(
    quants: &[u32],
    scales: &[u32],
    out: &mut [f32],
    value: impl Fn(&[u32; Q], &[u32; S], usize) -> f32,
) {
    let words = quants.as_chunks().0.iter().zip(scales.as_chunks().0);
    for (y, (quants, scales)) in out.chunks_mut(N).zip(words) {
        for (j, y) in y.iter_mut().enumerate() {
            *y = value(quants, scales, j);
        }
    }
}

fn looked_up(quants: &[u32], scales: &[u32], out: &mut [f32], table: &[i8; 16]) {
    blocks::<32, 4, 1>(quants, scales, out, |q, s, j| {
        f32::from_bits(s[0]) * f32::from(table[nibble(q, j) as usize])
    });
}

/// Returns the halves of words, the low one first.
fn halves(words: &[u32]) -> impl Iterator<Item = u16> {
    words
        .iter()
        .flat_map(|&word| [word as u16, (word >> 16) as u16])
}

/// Returns element `j`'s lower four bits.
fn nibble(block: &[u32], j: usize) -> u32 {
    block[j % 16 / 4] >> (j % 4 * 8 + j / 16 * 4) & 15
}

/// Returns element `j`'s bits in planes of two bits, one for each 16 elements.
fn two_bits(planes: &[u32], j: usize) -> u32 {
    planes[j / 16] >> (j % 4 * 8 + j % 16 / 4 * 2) & 3
}

/// Returns element `j`'s bit in a plane of single bits.
fn bit(plane: u32, j: usize) -> u32 {
    plane >> (j % 4 * 8 + j / 4) & 1
}

/// Returns the two f16 of a word.
fn halves_f32(word: u32) -> (f32, f32) {
    let half = |bits: u32| f16::from_bits(bits as u16).to_f32();
    (half(word), half(word >> 16))
}

/// Returns the scale of element `j`'s half.
fn of_half(word: u32, j: usize) -> f32 {
    let (first, second) = halves_f32(word);
    if j < 16 { first } else { second }
}
