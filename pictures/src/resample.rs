//! Pillow's resampling of 8-bit pictures, byte for byte: two passes, each of which rounds.
//!
//! A filter is stretched by the factor that an axis shrinks by, which keeps out aliases, and cut off at the picture's edges.
//! Coefficients are normalised in f64 and rounded to 22 bits behind the point; a pass sums in i32, adds a half and clamps to a byte.
//! An axis that keeps its length has no pass. Which pass comes first is by the rule of Pillow 13; up to 12 it was always the horizontal one,
//! and some bytes were others by 1.

use crate::rgba::Picture;

/// Bits behind the point of a coefficient: a byte, a coefficient up to 2 and a sign fill 32.
const PRECISION: u32 = 32 - 8 - 2;

/// Filters that processors name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    /// A triangle.
    Bilinear,
    /// Keys' cubic with a = -1/2.
    Bicubic,
    /// A sinc under the main lobe of another one, three times as wide.
    Lanczos,
}

impl Filter {
    /// Distance from its middle at which the filter ends, in pixels of the coarser grid.
    fn support(self) -> f64 {
        match self {
            Filter::Bilinear => 1.0,
            Filter::Bicubic => 2.0,
            Filter::Lanczos => 3.0,
        }
    }

    fn at(self, x: f64) -> f64 {
        match self {
            Filter::Bilinear => (1.0 - x.abs()).max(0.0),
            Filter::Bicubic => cubic(x.abs()),
            Filter::Lanczos if (-3.0..3.0).contains(&x) => sinc(x) * sinc(x / 3.0),
            Filter::Lanczos => 0.0,
        }
    }
}

/// Horner's scheme in the order of Pillow's, so that f64 rounds alike.
fn cubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 {
        return 1.0;
    }
    let x = x * std::f64::consts::PI;
    x.sin() / x
}

/// Coefficients of one output: those of the inputs from `first` on.
struct Tap {
    first: usize,
    weights: Vec<i32>,
}

/// Returns the coefficients of each output of an axis.
fn taps(from: usize, to: usize, filter: Filter) -> Vec<Tap> {
    let scale = from as f64 / to as f64;
    let stretch = scale.max(1.0);
    let support = filter.support() * stretch;
    (0..to)
        .map(|out| {
            let center = (out as f64 + 0.5) * scale;
            // (casts cut towards 0)
            let first = ((center - support + 0.5).max(0.0) as usize).min(from);
            let end = ((center + support + 0.5).max(0.0) as usize).clamp(first, from);
            let weights: Vec<f64> = (first..end)
                .map(|input| filter.at((input as f64 - center + 0.5) * (1.0 / stretch)))
                .collect();
            let sum: f64 = weights.iter().sum();
            let weights = weights.iter().map(|weight| match sum {
                0.0 => fixed(*weight),
                sum => fixed(weight / sum),
            });
            Tap {
                first,
                weights: weights.collect(),
            }
        })
        .collect()
}

/// Rounds to nearest, halves away from 0.
fn fixed(weight: f64) -> i32 {
    let scaled = weight * f64::from(1 << PRECISION);
    (scaled + if scaled < 0.0 { -0.5 } else { 0.5 }) as i32
}

const HALF: i32 = 1 << (PRECISION - 1);

fn byte(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}

impl Picture {
    /// Resizes the picture to `width` and `height`, which are at least 1; the old pixels are freed.
    pub fn resize(&mut self, width: usize, height: usize, filter: Filter) {
        if (width, height) != (self.width, self.height) {
            *self = self.resized(width, height, filter);
        }
    }

    /// Returns the picture at another size, `width` and `height` of at least 1.
    pub fn resized(&self, width: usize, height: usize, filter: Filter) -> Picture {
        // Since Pillow 13: where the height loses more than twice as many pixels as the width, rows come first, which is faster.
        let lost = |from: usize, to: usize| from as i64 - to as i64;
        let lost_rows = lost(self.height, height);
        let rows_first = lost_rows > 0 && lost_rows > 2 * lost(self.width, width);
        match (width == self.width, height == self.height) {
            (true, true) => self.clone(),
            (true, false) => self.rows_resized(height, filter),
            (false, true) => self.columns_resized(width, filter),
            (false, false) if rows_first => {
                let low = self.rows_resized(height, filter);
                low.columns_resized(width, filter)
            }
            (false, false) => {
                let narrow = self.columns_resized(width, filter);
                narrow.rows_resized(height, filter)
            }
        }
    }

    fn columns_resized(&self, width: usize, filter: Filter) -> Picture {
        let taps = taps(self.width, width, filter);
        let mut bytes = Vec::with_capacity(width * self.height * 4);
        for row in self.bytes.chunks_exact(self.width * 4) {
            let pixels = row.as_chunks::<4>().0;
            for Tap { first, weights } in &taps {
                let mut sums = [HALF; 4];
                for (pixel, weight) in pixels[*first..].iter().zip(weights) {
                    for (sum, channel) in sums.iter_mut().zip(pixel) {
                        *sum = sum.wrapping_add(i32::from(*channel).wrapping_mul(*weight));
                    }
                }
                bytes.extend(sums.map(byte));
            }
        }
        Picture {
            width,
            height: self.height,
            bytes,
        }
    }

    fn rows_resized(&self, height: usize, filter: Filter) -> Picture {
        let stride = self.width * 4;
        let mut bytes = Vec::with_capacity(stride * height);
        let mut sums = vec![HALF; stride];
        for Tap { first, weights } in taps(self.height, height, filter) {
            sums.fill(HALF);
            let rows = self.bytes[first * stride..].chunks_exact(stride);
            for (row, weight) in rows.zip(weights) {
                for (sum, channel) in sums.iter_mut().zip(row) {
                    *sum = sum.wrapping_add(i32::from(*channel).wrapping_mul(weight));
                }
            }
            bytes.extend(sums.iter().map(|sum| byte(*sum)));
        }
        Picture {
            width: self.width,
            height,
            bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILTERS: [Filter; 3] = [Filter::Bilinear, Filter::Bicubic, Filter::Lanczos];

    #[test]
    fn coefficients_of_each_output_sum_to_one() {
        for filter in FILTERS {
            for (from, to) in [(1, 1_000), (1_000, 1), (7, 13), (13, 7), (4_032, 2_048)] {
                for Tap { first, weights } in taps(from, to, filter) {
                    assert!(!weights.is_empty() && first + weights.len() <= from);
                    let sum: i64 = weights.iter().map(|w| i64::from(*w)).sum();
                    let slack = weights.len() as i64;
                    assert!((sum - (1 << PRECISION)).abs() <= slack, "{filter:?} {sum}");
                }
            }
        }
    }

    #[test]
    fn one_colour_stays_itself() {
        let picture = Picture::from_rgba([3, 200, 255, 255].repeat(35), 7, 5).unwrap();
        for filter in FILTERS {
            for (width, height) in [(1, 1), (7, 5), (70, 5), (7, 50), (100, 3)] {
                let resized = picture.resized(width, height, filter);
                assert_eq!((resized.width(), resized.height()), (width, height));
                assert_eq!(resized.rgb().count(), width * height);
                assert!(resized.rgb().all(|pixel| pixel == [3, 200, 255]));
            }
        }
    }
}
