//! Deals out the rows of a product to threads.

use core::cell::Cell;
use core::ops::Range;
use core::sync::atomic::{AtomicU32, Ordering};

/// Fewest groups of rows that a thread takes at once, unless fewer are left.
const LEAST: u32 = 4;
/// Number of pieces that a thread's equal share of the remaining groups is divided into; a thread takes one at a time. The
/// first pieces are large, and later ones become smaller, so that all threads end at about the same time.
const PIECES: u32 = 2;

/// The share of all groups that a thread has had in the jobs so far, by its speed. It begins a product with most of that in one piece:
/// each piece costs a thread about a microsecond, until its core's prefetchers have begun anew.
pub struct Share {
    /// In parts of [`Share::WHOLE`]; 0 if nothing is known.
    last: u32,
    /// Groups that it has had in this job, and groups in all.
    own: Cell<u32>,
    all: Cell<u32>,
}

impl Share {
    const WHOLE: u32 = 1 << 16;

    /// Creates the share from what [`Share::next`] returned after the last job, or from 0.
    pub fn new(last: u32) -> Self {
        Self {
            last: last.min(Self::WHOLE),
            own: Cell::new(0),
            all: Cell::new(0),
        }
    }

    /// Takes the first groups of a product, fifteen sixteenths of the share, if there are any left; the rest evens out what
    /// is not as before.
    pub fn take_first(&self, next: &AtomicU32, groups: u32, threads: u32) -> Option<Range<usize>> {
        let share = u64::from(groups) * u64::from(self.last) / u64::from(Self::WHOLE);
        let first = (share * 15 / 16) as u32;
        take_by(next, groups, |left| {
            first.max(piece(left, threads)).min(left)
        })
    }

    /// Adds a product of so many groups, of which the thread has had some.
    pub fn add(&self, own: u32, all: u32) {
        self.own.set(self.own.get() + own);
        self.all.set(self.all.get() + all);
    }

    /// Returns the share after this job, which changes it by an eighth of the difference.
    pub fn next(&self) -> u32 {
        let (own, all) = (u64::from(self.own.get()), u64::from(self.all.get()));
        let Some(now) = (own * u64::from(Self::WHOLE)).checked_div(all) else {
            return self.last;
        };
        ((7 * u64::from(self.last) + now) / 8) as u32
    }
}

/// Returns how many groups a thread takes of so many that are left.
fn piece(left: u32, threads: u32) -> u32 {
    (left / (PIECES * threads.max(1))).max(LEAST).min(left)
}

/// Takes the next groups below `groups` for one of `threads` threads, if there are any left; `next` is the first that no
/// thread has taken.
pub fn take(next: &AtomicU32, groups: u32, threads: u32) -> Option<Range<usize>> {
    take_by(next, groups, |left| piece(left, threads))
}

/// Takes the next part below `parts`, if there is one left.
pub fn take_one(next: &AtomicU32, parts: u32) -> Option<Range<usize>> {
    take_by(next, parts, |_| 1)
}

/// Takes as many of the parts that are left as `size` says, at least one.
fn take_by(next: &AtomicU32, parts: u32, size: impl Fn(u32) -> u32) -> Option<Range<usize>> {
    let mut first = next.load(Ordering::Relaxed);
    loop {
        let left = parts.checked_sub(first).filter(|left| *left > 0)?;
        let end = first + size(left);
        match next.compare_exchange_weak(first, end, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => return Some(first as usize..end as usize),
            Err(now) => first = now,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::groups;
    use std::vec;
    use std::vec::Vec;

    /// Returns the time after which the last thread ends, and the pieces taken, if each thread takes the next piece as soon as it has
    /// done one, in a job of one product. A thread does `speeds` groups at a time.
    fn product(groups: u32, speeds: &[f64], shares: &mut [u32]) -> (f64, usize) {
        let (next, threads) = (AtomicU32::new(0), speeds.len() as u32);
        let now: Vec<Share> = shares.iter().map(|last| Share::new(*last)).collect();
        let (mut ends, mut own) = (vec![0.0f64; speeds.len()], vec![0; speeds.len()]);
        let mut pieces = 0;
        loop {
            let earliest = (0..speeds.len()).min_by(|a, b| ends[*a].total_cmp(&ends[*b]));
            let Some(t) = earliest else { break };
            let range = match own[t] {
                0 => now[t].take_first(&next, groups, threads),
                _ => take(&next, groups, threads),
            };
            let Some(range) = range else { break };
            own[t] += range.len() as u32;
            ends[t] += range.len() as f64 / speeds[t];
            pieces += 1;
        }
        for ((share, now), own) in shares.iter_mut().zip(now).zip(own) {
            now.add(own, groups);
            *share = now.next();
        }
        (ends.into_iter().fold(0.0, f64::max), pieces)
    }

    /// Returns the groups that threads of equal speed have computed when the last one ends, in their first job.
    fn longest(groups: u32, threads: usize) -> u32 {
        product(groups, &vec![1.0; threads], &mut vec![0; threads]).0 as u32
    }

    #[test]
    fn every_group_is_taken_once() {
        for count in [0, 1, 3, 4, 5, 144, 12_288] {
            for threads in [1, 2, 7] {
                let next = AtomicU32::new(0);
                let taken: Vec<usize> = core::iter::from_fn(|| take(&next, count, threads))
                    .flatten()
                    .collect();
                assert!(taken.into_iter().eq(0..count as usize), "{count} {threads}");
            }
        }
    }

    /// Projections of SmolLM2 135M, of Qwen3 0.6B and of Llama 3.2 1B: how many times as fast as one thread equal threads are.
    #[test]
    fn threads_end_at_about_the_same_time() {
        for (rows, least) in [
            (576, [1.99, 3.85, 7.5]),
            (960, [1.96, 3.9, 7.7]),
            (1024, [1.99, 3.9, 7.7]),
            (2048, [1.99, 3.9, 7.6]),
            (3072, [1.99, 3.95, 7.7]),
            (49_152, [1.99, 3.99, 7.9]),
        ] {
            let count = groups(rows) as u32;
            for (threads, least) in [2, 4, 8].into_iter().zip(least) {
                let gain = f64::from(count) / f64::from(longest(count, threads));
                assert!(gain >= least, "{rows} rows, {threads} threads: {gain}");
            }
        }
    }

    /// After some jobs, threads begin with most of what they can do in the time, whatever their speed, and take fewer pieces.
    #[test]
    fn shares_become_those_of_speeds() {
        for (speeds, groups, most) in [
            (&[1.0, 1.0][..], 144, 6),
            (&[1.0, 1.0], 768, 12),
            (&[1.0, 0.4], 768, 12),
            (&[1.0, 1.0, 1.0, 1.0, 0.5, 0.5], 3584, 40),
        ] {
            let ideal = f64::from(groups) / speeds.iter().sum::<f64>();
            // From nothing, and from shares of threads that had slept.
            for first in [0, Share::WHOLE] {
                let mut shares = vec![0; speeds.len()];
                shares[0] = first;
                let (_, before) = product(groups, speeds, &mut vec![0; speeds.len()]);
                for _ in 0..300 {
                    product(groups, speeds, &mut shares);
                }
                let (end, pieces) = product(groups, speeds, &mut shares);
                assert!(end <= 1.06 * ideal, "{speeds:?}: {end} instead of {ideal}");
                assert!(pieces <= most && pieces < before, "{pieces} of {before}");
            }
        }
    }
}
