//! Deals out the rows of a product to threads.

use core::ops::Range;
use core::sync::atomic::{AtomicU32, Ordering};

/// Fewest groups of rows that a thread takes at once, unless fewer are left.
const LEAST: u32 = 4;
/// Number of pieces that a thread's equal share of the remaining groups is divided into; a thread takes one at a time. The
/// first pieces are large, since a core's prefetcher starts anew with each. Later ones become smaller, so that all threads
/// end at about the same time.
const PIECES: u32 = 2;

/// Returns how many groups a thread takes of so many that are left.
fn piece(left: u32, threads: u32) -> u32 {
    (left / (PIECES * threads.max(1))).max(LEAST).min(left)
}

/// Takes the next groups below `groups` for one of `threads` threads, if there are any left; `next` is the first that no
/// thread has taken.
pub fn take(next: &AtomicU32, groups: u32, threads: u32) -> Option<Range<usize>> {
    let mut first = next.load(Ordering::Relaxed);
    loop {
        let left = groups.checked_sub(first).filter(|left| *left > 0)?;
        let end = first + piece(left, threads);
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

    /// Returns the groups that threads of equal speed have computed when the last one ends, if each takes the next piece as
    /// soon as it has done one.
    fn longest(groups: u32, threads: usize) -> u32 {
        let next = AtomicU32::new(0);
        let mut done = vec![0; threads];
        loop {
            let Some(first) = (0..threads).min_by_key(|t| done[*t]) else {
                return 0;
            };
            let Some(range) = take(&next, groups, threads as u32) else {
                break;
            };
            done[first] += range.len() as u32;
        }
        done.into_iter().max().unwrap_or(0)
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
}
