//! The candidates, and which of them a device gets for what they take.
//!
//! Each step builds on the winner so far. A candidate has to win by a margin: a difference that may be gone the next time
//! is none, and integers even round differently.

use std::cell::RefCell;

use super::{DeviceProfile, PREFILL_TOKENS, TrialTime};
use crate::ops::{Arithmetic, Shapes, TileShape};
use hearth_modelfile::error::Result;

/// Columns of the measurement's matrices: a block for each thread of the widest tile.
pub(super) const COLS: usize = 2048;
/// Rows on a software adapter, on a GPU, where fewer would only measure the clock, and on one that may have as many in
/// its caches: 140 MB where the largest have 72 MB.
pub(super) const FEW_ROWS: usize = 512;
pub(super) const MANY_ROWS: usize = 32 * 1024;
const UNCACHED_ROWS: usize = 4 * MANY_ROWS;
/// Rows of a small matrix, many of which are measured one after the other, so that no cache has them all.
const SMALL_ROWS: usize = 2048;
/// Rows of prefill's trials of tiles, which are bound by arithmetic, and their tokens: half a chunk.
const TILE_TRIAL_ROWS: usize = 8192;
const TILE_TRIAL_TOKENS: usize = 256;
/// Tokens that show what a tile through workgroup memory is good for.
const WIDE_TOKENS: usize = 64;
/// A launch on few rows that takes less is on a GPU, and one on many rows reads at least 84 GB/s.
const FAST_MS: f64 = 0.1;
const CACHED_MS: f64 = 0.5;
/// Time that a slow device may spend on measurements beyond the necessary ones.
const BUDGET_MS: f64 = 300.0;
/// Launches that timings are of.
pub(super) const LAUNCHES: usize = 8;

/// Share of the time so far that a candidate must stay below.
const BAR: f64 = 0.9;
const INTEGER_BAR: f64 = 0.75;

/// One way to launch a projection.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Candidate {
    pub threads_per_tile: u32,
    pub subgroups: bool,
    pub arithmetic: Arithmetic,
    /// Tile through workgroup memory, where there are several tokens.
    pub tile: Option<TileShape>,
}

const ONE_THREAD: Candidate = Candidate {
    threads_per_tile: 1,
    subgroups: false,
    arithmetic: Arithmetic::F32,
    tile: None,
};

/// Work that is timed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Trial {
    /// Projections of `tokens` by matrices of `each` rows, `rows` in all, of the input or, for one token, of its norm.
    Projection {
        rows: usize,
        each: usize,
        normed: bool,
        tokens: usize,
        candidate: Candidate,
    },
    /// Attention of half a chunk of a prompt, with few or many queries in a workgroup.
    Attention { many_queries: bool },
    /// Attention of one token behind many positions, by threads that read keys together or each its own.
    Step { shared_keys: bool },
}

/// Clock of the trials.
pub(super) trait Timer {
    /// Returns the milliseconds of [`LAUNCHES`] launches, after their result was checked. A shader that the device
    /// refuses, or whose result is wrong, is an error.
    async fn ms(&self, trial: Trial) -> Result<f64>;
    /// Returns the milliseconds since the first trial.
    fn elapsed_ms(&self) -> f64;
    /// Returns whether the device has a feature.
    fn has(&self, feature: &str) -> bool;
    /// Returns the bytes of workgroup memory.
    fn workgroup_bytes(&self) -> usize;
}

/// A timer that remembers what it was asked.
pub(super) struct Recorded<T> {
    timer: T,
    times: RefCell<Vec<TrialTime>>,
}

impl<T> Recorded<T> {
    pub(super) fn new(timer: T) -> Self {
        let times = RefCell::default();
        Self { timer, times }
    }

    pub(super) fn into_times(self) -> Vec<TrialTime> {
        self.times.into_inner()
    }
}

impl<T: Timer> Timer for Recorded<T> {
    async fn ms(&self, trial: Trial) -> Result<f64> {
        let found = self.timer.ms(trial).await;
        self.times.borrow_mut().push(TrialTime {
            trial: trial.name(),
            ms: found.as_ref().ok().copied(),
        });
        found
    }

    fn elapsed_ms(&self) -> f64 {
        self.timer.elapsed_ms()
    }

    fn has(&self, feature: &str) -> bool {
        self.timer.has(feature)
    }

    fn workgroup_bytes(&self) -> usize {
        self.timer.workgroup_bytes()
    }
}

impl Trial {
    /// Names the trial for people.
    fn name(self) -> String {
        let Self::Projection {
            rows,
            each,
            normed,
            tokens,
            candidate,
        } = self
        else {
            return match self {
                Self::Attention { many_queries: true } => "attention, 32 queries".to_owned(),
                Self::Step { shared_keys: true } => {
                    "attention of one token, shared keys".to_owned()
                }
                Self::Step { .. } => "attention of one token".to_owned(),
                _ => "attention, 8 queries".to_owned(),
            };
        };
        let how = match candidate.tile {
            Some(tile) => format!("{tile:?} tile").to_lowercase(),
            None => format!("{} threads", candidate.threads_per_tile),
        };
        let norm = if normed { " normed" } else { "" };
        let subgroups = if candidate.subgroups {
            ", subgroups"
        } else {
            ""
        };
        let count = rows.div_ceil(each);
        let arithmetic = format!("{:?}", candidate.arithmetic).to_lowercase();
        format!("{tokens} tokens{norm}, {count} x {each} rows, {how}{subgroups}, {arithmetic}")
    }
}

/// Returns a projection by one matrix.
fn whole(rows: usize, tokens: usize, candidate: Candidate) -> Trial {
    Trial::Projection {
        rows,
        each: rows,
        normed: false,
        tokens,
        candidate,
    }
}

/// Asks `timer` for what decides, and returns the profile.
pub(super) async fn choose(timer: &impl Timer) -> Result<DeviceProfile> {
    let mut best = ONE_THREAD;
    let mut best_ms = timer.ms(whole(FEW_ROWS, 1, best)).await?;
    let mut rows = FEW_ROWS;
    for (fast_ms, more) in [(FAST_MS, MANY_ROWS), (CACHED_MS, UNCACHED_ROWS)] {
        if best_ms >= fast_ms * LAUNCHES as f64 {
            break;
        }
        rows = more;
        best_ms = timer.ms(whole(rows, 1, best)).await?;
    }
    // A software adapter, whose compiler is the slow part, rarely wants anything but the plainest.
    let is_over = || rows == FEW_ROWS && timer.elapsed_ms() > BUDGET_MS;
    let mut several = Candidate {
        threads_per_tile: 16,
        ..ONE_THREAD
    };
    for step in 0..6 {
        let candidate = match step {
            0 => several,
            1 if timer.has("subgroups") && best.threads_per_tile > 1 => {
                several.subgroups = true;
                several
            }
            // More threads on a row are fewer rows in a workgroup, so that more workgroups share a matrix.
            2 | 3 if best.threads_per_tile > 1 => Candidate {
                threads_per_tile: 16 << (step - 1),
                ..best
            },
            4 => Candidate {
                arithmetic: Arithmetic::F16,
                ..best
            },
            5 => Candidate {
                arithmetic: Arithmetic::I15,
                ..best
            },
            _ => continue,
        };
        if is_over() {
            break;
        }
        let bar = match candidate.arithmetic {
            Arithmetic::I15 => INTEGER_BAR,
            Arithmetic::F32 | Arithmetic::F16 => BAR,
        };
        if let Ok(ms) = timer.ms(whole(rows, 1, candidate)).await
            && ms < bar * best_ms
        {
            (best, best_ms) = (candidate, ms);
        }
    }
    let decode_rows = rows;
    // Prefill is bound by arithmetic, and four matrices would only take four times as long.
    let rows = rows.min(MANY_ROWS);
    let mut prefill = ONE_THREAD;
    let mut ms = timer.ms(whole(rows, PREFILL_TOKENS, prefill)).await?;
    if !is_over() {
        let several = Candidate {
            threads_per_tile: 16,
            ..best
        };
        let found = timer.ms(whole(rows, PREFILL_TOKENS, several)).await?;
        if found < ms {
            (prefill, ms) = (several, found);
        }
    }
    let speed = |tokens: usize, ms: f64| (rows * COLS * tokens * LAUNCHES) as f64 / ms;
    let mut macs_per_ms = speed(PREFILL_TOKENS, ms);
    let mut shared_tile = false;
    if !is_over() {
        // The arithmetic is decode's, so that one number says whether integers are used.
        let through_memory = Candidate {
            tile: Some(TileShape::Square),
            arithmetic: best.arithmetic,
            ..ONE_THREAD
        };
        let ms = timer.ms(whole(rows, WIDE_TOKENS, prefill)).await?;
        if let Ok(found) = timer.ms(whole(rows, WIDE_TOKENS, through_memory)).await
            && found < BAR * ms
        {
            shared_tile = true;
            macs_per_ms = speed(WIDE_TOKENS, found);
        }
    }
    // A device without a GPU's speed, or that wants one thread a row, has nothing to choose by shape.
    let has_classes = decode_rows > FEW_ROWS && best.threads_per_tile > 1;
    let shapes = match has_classes {
        true => Some(by_shape(timer, decode_rows, best, shared_tile).await),
        false => None,
    };
    Ok(DeviceProfile {
        decode_threads_per_tile: best.threads_per_tile,
        prefill_threads_per_tile: prefill.threads_per_tile,
        subgroups: best.subgroups,
        arithmetic: best.arithmetic,
        shared_tile,
        macs_per_ms,
        shapes,
    })
}

/// Chooses for each class of shape, beginning with what is best for one large matrix.
async fn by_shape(timer: &impl Timer, rows: usize, best: Candidate, shared_tile: bool) -> Shapes {
    let many = rows.min(MANY_ROWS);
    let mut shapes = Shapes::alike(best.threads_per_tile, shared_tile);
    shapes.few_rows = threads(timer, rows, SMALL_ROWS, false, best).await;
    shapes.normed = threads(timer, rows, many, true, best).await;
    shapes.few_rows_normed = threads(timer, rows, SMALL_ROWS, true, best).await;
    shapes.shared_keys = best.subgroups && shared_keys(timer).await;
    if shared_tile {
        shapes.tile = tile(timer, TILE_TRIAL_ROWS, best.arithmetic).await;
        shapes.few_rows_tile = tile(timer, SMALL_ROWS, best.arithmetic).await;
        shapes.many_queries = many_queries(timer).await;
    }
    shapes
}

/// Chooses the threads that share four rows of matrices of `each` rows.
async fn threads(
    timer: &impl Timer,
    rows: usize,
    each: usize,
    normed: bool,
    best: Candidate,
) -> u32 {
    let ms = async |threads_per_tile| {
        let candidate = Candidate {
            threads_per_tile,
            ..best
        };
        let trial = Trial::Projection {
            rows,
            each,
            normed,
            tokens: 1,
            candidate,
        };
        timer.ms(trial).await.unwrap_or(f64::MAX)
    };
    let mut chosen = best.threads_per_tile;
    let mut least = ms(chosen).await;
    for other in [16, 32, 64] {
        if other == best.threads_per_tile {
            continue;
        }
        let found = ms(other).await;
        if found < BAR * least {
            (chosen, least) = (other, found);
        }
    }
    chosen
}

/// Chooses the tile of a prompt for matrices of `each` rows, among those that the device has room for.
async fn tile(timer: &impl Timer, each: usize, arithmetic: Arithmetic) -> TileShape {
    let integers = arithmetic == Arithmetic::I15;
    let (mut chosen, mut least) = (TileShape::Square, f64::MAX);
    for shape in TileShape::ALL {
        let has_room = shape.fitting(integers, timer.workgroup_bytes()) == shape.size(integers);
        if !has_room && shape != TileShape::Square {
            continue;
        }
        let trial = Trial::Projection {
            rows: TILE_TRIAL_ROWS,
            each,
            normed: false,
            tokens: TILE_TRIAL_TOKENS,
            candidate: Candidate {
                arithmetic,
                tile: Some(shape),
                ..ONE_THREAD
            },
        };
        if let Ok(ms) = timer.ms(trial).await
            && ms < BAR * least
        {
            (chosen, least) = (shape, ms);
        }
    }
    chosen
}

/// Chooses the queries of a workgroup of attention: many read keys and values less often, few leave more waves.
async fn many_queries(timer: &impl Timer) -> bool {
    let ms = async |many_queries| timer.ms(Trial::Attention { many_queries }).await;
    match (ms(false).await, ms(true).await) {
        (Ok(few), Ok(many)) => many < BAR * few,
        (few, many) => few.is_err() && many.is_ok(),
    }
}

/// Chooses whether the threads of a step's attention read keys together, which touches fewer lines and takes more
/// registers.
async fn shared_keys(timer: &impl Timer) -> bool {
    let ms = async |shared_keys| timer.ms(Trial::Step { shared_keys }).await;
    match (ms(false).await, ms(true).await) {
        (Ok(each), Ok(shared)) => shared < BAR * each,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
