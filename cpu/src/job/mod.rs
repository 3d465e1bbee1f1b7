//! Jobs of the CPU's threads: stages one after the other, each of which may read what those before it wrote.
//!
//! All threads have one memory, in which addresses count bytes from its beginning. A [`Job`] lies in it, with weights, and with
//! the floats that the job's [`Stage`]s read and write. A stage has phases, each of a number of parts. Whichever thread comes first
//! takes the next parts, and none goes on to the next phase before all are done. So a thread that comes late or not at all holds
//! nobody up.

mod attend;
mod product;

use core::ops::Range;
use core::sync::atomic::{AtomicU32, Ordering};

use crate::rows::MAX_TOKENS;
use crate::share::{Share, take, take_one};

pub use attend::{APPENDED, Attend, together};
pub use product::{NO_NORM, Product};

/// Most stages of a job.
pub const MAX_STAGES: usize = 8;
/// Most threads of a job.
pub const MAX_THREADS: usize = 64;
/// Most phases of a stage.
const MAX_PHASES: usize = 4;
/// Words of a stage behind its kind.
const WORDS: usize = 14;

/// Looks at the generation before a thread sleeps: about 200 us, longer than the time between two jobs of a token, since waking
/// a thread costs the caller 11 us each time.
const SPINS: u32 = 200_000;
/// Looks at what other threads have yet to do before a thread gives up, or asks its host whether it should: about half a
/// millisecond.
const PATIENCE: u32 = 500_000;

/// Kind of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
enum Kind {
    Product = 1,
    Attend = 2,
}

/// A stage as words.
#[repr(C)]
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Stage {
    kind: u32,
    words: [u32; WORDS],
}

impl From<Product> for Stage {
    fn from(product: Product) -> Self {
        Self {
            kind: Kind::Product as u32,
            words: bytemuck::cast(product),
        }
    }
}

impl From<Attend> for Stage {
    fn from(attend: Attend) -> Self {
        Self {
            kind: Kind::Attend as u32,
            words: bytemuck::cast(attend),
        }
    }
}

/// Returns the words of stages, as hosts write them.
pub fn words(stages: &[Stage]) -> &[u32] {
    bytemuck::cast_slice(stages)
}

/// Progress of a phase: parts that are taken, and parts that are done.
#[repr(C)]
struct Progress {
    /// The first part that no thread has taken.
    next: AtomicU32,
    /// Number of parts that are done.
    done: AtomicU32,
}

/// A job; its host writes the words from `threads` to the last of the stages.
#[repr(C)]
pub struct Job {
    /// Number of jobs so far; the other threads wait for it to change.
    generation: AtomicU32,
    /// Number of other threads that have not left the job.
    running: AtomicU32,
    /// Number of threads that work on it, the caller among them; at most [`MAX_THREADS`].
    threads: u32,
    /// At most [`MAX_TOKENS`].
    tokens: u32,
    /// Number of stages, at most [`MAX_STAGES`].
    count: u32,
    /// Address of the floats.
    floats: u32,
    stages: [Stage; MAX_STAGES],
    progress: [[Progress; MAX_PHASES]; MAX_STAGES],
    /// Each thread's [`Share`] after the jobs so far.
    shares: [AtomicU32; MAX_THREADS],
}

/// The first word that a host writes.
pub const HOST_WORDS_AT: usize = 2;

/// Begins a job: from now on the other threads may work on it.
///
/// # Safety
/// `job` and every address and place in it must be valid as described for [`Job`] and its stages, nothing else may write there until
/// [`finish`] returns true, and it must have returned true for the job before.
pub unsafe fn begin(job: *const Job) {
    // SAFETY: guaranteed by the caller.
    let job = unsafe { &*job };
    for Progress { next, done } in job.progress.as_flattened() {
        next.store(0, Ordering::Relaxed);
        done.store(0, Ordering::Relaxed);
    }
    let others = job.threads.saturating_sub(1);
    job.running.store(others, Ordering::Relaxed);
    job.generation.fetch_add(1, Ordering::SeqCst);
}

/// Returns the number of the latest job, once it differs from `seen`, or after a while in any case.
///
/// # Safety
/// `job` must be valid.
pub unsafe fn await_next(job: *const Job, seen: u32) -> u32 {
    // SAFETY: the caller guarantees it.
    let job = unsafe { &*job };
    for _ in 0..SPINS {
        if job.generation.load(Ordering::SeqCst) != seen {
            break;
        }
        core::hint::spin_loop();
    }
    job.generation.load(Ordering::SeqCst)
}

/// Works on a job that has begun until there is nothing left to take; for all threads but the caller's, once each. `thread` is this
/// thread's number, from 1 on.
///
/// # Safety
/// Requires the same as [`begin`]; `memory` is where addresses count from.
pub unsafe fn work(job: *const Job, memory: usize, thread: usize) {
    // SAFETY: the caller guarantees it.
    unsafe {
        let _ = (*job).run(memory, thread);
        (*job).running.fetch_sub(1, Ordering::Release);
    }
}

/// Works on a job that has begun, for its caller. Returns whether it is done and no other thread is left in it; if not, other
/// threads take long, and the caller may call again.
///
/// # Safety
/// Requires the same as [`work`].
pub unsafe fn finish(job: *const Job, memory: usize) -> bool {
    // SAFETY: the caller guarantees it.
    unsafe { (*job).run(memory, 0) && comes(|| (*job).running.load(Ordering::Acquire) == 0) }
}

/// Returns whether something happens within a while.
fn comes(has_come: impl Fn() -> bool) -> bool {
    (0..PATIENCE).any(|_| {
        core::hint::spin_loop();
        has_come()
    })
}

/// Number of parts that a thread takes at once.
enum Taken {
    /// One.
    Each,
    /// Many at first, and fewer towards the end, see [`Share`] and [`take`].
    Fewer,
}

/// Parts of a job that a stage needs.
#[derive(Clone, Copy)]
struct Shared<'a> {
    /// Address that others count from.
    memory: usize,
    /// The job's first float.
    start: *mut f32,
    tokens: usize,
    threads: u32,
    progress: &'a [Progress; MAX_PHASES],
    share: &'a Share,
    /// Whether there is no stage behind this one.
    is_last: bool,
}

impl Shared<'_> {
    /// Returns the words at an address.
    unsafe fn words<'a>(self, address: u32, len: usize) -> &'a [u32] {
        // SAFETY: see `begin`.
        unsafe { core::slice::from_raw_parts((self.memory + address as usize) as *const u32, len) }
    }

    /// Returns the floats at an address.
    unsafe fn floats_at<'a>(self, address: u32, len: usize) -> &'a [f32] {
        // SAFETY: see `begin`.
        unsafe { core::slice::from_raw_parts((self.memory + address as usize) as *const f32, len) }
    }

    /// Returns the floats at an address that nobody else reads or writes now.
    unsafe fn floats_at_mut<'a>(self, address: u32, len: usize) -> &'a mut [f32] {
        // SAFETY: see `begin`.
        unsafe {
            core::slice::from_raw_parts_mut((self.memory + address as usize) as *mut f32, len)
        }
    }

    /// Returns the floats at a place.
    unsafe fn floats<'a>(self, place: usize, len: usize) -> &'a [f32] {
        // SAFETY: see `begin`.
        unsafe { core::slice::from_raw_parts(self.start.add(place), len) }
    }

    /// Returns floats that nobody else reads or writes now.
    unsafe fn floats_mut<'a>(self, place: usize, len: usize) -> &'a mut [f32] {
        // SAFETY: see `begin`.
        unsafe { core::slice::from_raw_parts_mut(self.start.add(place), len) }
    }

    /// Does some of the parts of a phase, and waits for the rest. Returns false if other threads took too long.
    fn phase(
        &self,
        phase: usize,
        parts: usize,
        taken: Taken,
        run: impl FnMut(Range<usize>),
    ) -> bool {
        self.take_part(phase, parts, taken, run);
        self.ends(phase, parts)
    }

    /// Does the same for a stage's last phase, after which nobody waits if nothing comes behind it.
    fn last_phase(
        &self,
        phase: usize,
        parts: usize,
        taken: Taken,
        run: impl FnMut(Range<usize>),
    ) -> bool {
        self.take_part(phase, parts, taken, run);
        self.is_last || self.ends(phase, parts)
    }

    /// Waits until all parts of a phase are done. Returns false if that takes too long.
    fn ends(&self, phase: usize, parts: usize) -> bool {
        let done = &self.progress[phase].done;
        comes(|| done.load(Ordering::Acquire) as usize >= parts)
    }

    /// Does some of the parts of a phase, until none are left to take.
    fn take_part(
        &self,
        phase: usize,
        parts: usize,
        taken: Taken,
        mut run: impl FnMut(Range<usize>),
    ) {
        let Progress { next, done } = &self.progress[phase];
        let (parts, mut own) = (parts as u32, 0);
        while let Some(range) = match taken {
            Taken::Each => take_one(next, parts),
            Taken::Fewer if own == 0 => self.share.take_first(next, parts, self.threads),
            Taken::Fewer => take(next, parts, self.threads),
        } {
            let n = range.len() as u32;
            run(range);
            done.fetch_add(n, Ordering::Release);
            own += n;
        }
        if matches!(taken, Taken::Fewer) {
            self.share.add(own, parts);
        }
    }
}

impl Job {
    /// Works on the stages in turn, as the thread of this number. Returns false if others took too long for one.
    unsafe fn run(&self, memory: usize, thread: usize) -> bool {
        let count = self.count as usize;
        let last_share = self.shares.get(thread);
        let share = Share::new(last_share.map_or(0, |share| share.load(Ordering::Relaxed)));
        let stages = self.stages.iter().zip(&self.progress).take(count);
        for (i, (stage, progress)) in stages.enumerate() {
            let shared = Shared {
                memory,
                start: (memory + self.floats as usize) as *mut f32,
                tokens: (self.tokens as usize).min(MAX_TOKENS),
                threads: self.threads,
                progress,
                share: &share,
                is_last: i + 1 == count,
            };
            // SAFETY: see `begin`; each part is written by the thread that took it.
            let is_done = unsafe {
                match stage.kind {
                    kind if kind == Kind::Product as u32 => {
                        bytemuck::cast_ref::<_, Product>(&stage.words).run(shared)
                    }
                    kind if kind == Kind::Attend as u32 => {
                        bytemuck::cast_ref::<_, Attend>(&stage.words).run(shared, thread)
                    }
                    _ => true,
                }
            };
            if !is_done {
                return false;
            }
        }
        if let Some(last) = last_share {
            last.store(share.next(), Ordering::Relaxed);
        }
        true
    }
}

#[cfg(test)]
mod tests;
