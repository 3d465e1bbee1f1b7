//! A projection's rows shared among the instances of this module, one per thread, all on one memory.
//!
//! The host (`pkg/src/worker/cpu-pool.ts`) allocates; every address here is one of its allocations. The main thread
//! fills in the [`Job`], calls [`hearth_begin`], wakes the others and calls [`hearth_work`] as they do; they poll for jobs in
//! [`hearth_await`] and sleep in JavaScript if there is none (the instruction for it is not stable in Rust).

use core::slice;
use core::sync::atomic::{AtomicU32, Ordering};

use crate::dot::{BLOCK, Row, padded, quantise};
use crate::gate::Gate;
use crate::rows::{Format, MAX_TOKENS, gates, groups, product_of};
use crate::share::take;

/// Checks of the generation before sleeping: about 200 us, longer than the time between two projections, since waking
/// a thread costs the caller 11 us each time.
const SPINS: u32 = 200_000;

/// The projection to compute: y[t, r] = W[r] . x[t], to which a gate may be applied. Sixteen words; the host writes
/// those from `threads` on.
#[repr(C)]
pub struct Job {
    /// Number of jobs so far; the other threads wait for it to change.
    generation: AtomicU32,
    /// The first group of rows that no thread has taken.
    next: AtomicU32,
    /// Number of threads that have not finished.
    running: AtomicU32,
    /// Number of threads that work on it, the caller among them.
    threads: u32,
    /// The number of the [`Format`].
    format: u32,
    rows: u32,
    cols: u32,
    /// At most [`MAX_TOKENS`].
    tokens: u32,
    /// Addresses: the words of [rows, cols / 32] blocks, and of their scales, [tokens, cols] f32, [tokens, rows] f32.
    quants: u32,
    scales: u32,
    x: u32,
    y: u32,
    /// Address of [`hearth_scratch_bytes`] bytes.
    scratch: u32,
    /// The number of a [`Gate`], or 0. With a gate there is one token; the first half of its results gate the second half,
    /// and are replaced by the products.
    gate: u32,
    _unused: [u32; 2],
}

/// Returns the bytes of scratch for `tokens` rows of `cols` activations: integers, scales, sums, first halves' sums.
#[unsafe(no_mangle)]
pub extern "C" fn hearth_scratch_bytes(tokens: u32, cols: u32) -> u32 {
    tokens * (2 * cols + 12 * padded(cols as usize / BLOCK) as u32)
}

/// Begins a job: from now on the other threads may take rows.
///
/// # Safety
/// `job` and every address in it must be valid as described for [`Job`], and nothing else may write there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hearth_begin(job: *const Job) {
    // SAFETY: guaranteed by the caller. The other threads only read until the generation changes.
    unsafe {
        let job = &*job;
        let (cols, blocks) = (job.cols as usize, padded(job.cols as usize / BLOCK));
        for t in 0..job.tokens as usize {
            let x = slice::from_raw_parts((job.x as *const f32).add(t * cols), cols);
            let (q, [scale, sum, first]) = scratch(job, t);
            quantise(
                x,
                slice::from_raw_parts_mut(q, cols),
                slice::from_raw_parts_mut(scale, blocks),
                slice::from_raw_parts_mut(sum, blocks),
                slice::from_raw_parts_mut(first, blocks),
            );
        }
        job.next.store(0, Ordering::Relaxed);
        job.running.store(job.threads, Ordering::Relaxed);
        job.generation.fetch_add(1, Ordering::SeqCst);
    }
}

/// Returns the number of the latest job, once it differs from `seen`, or after a while in any case.
///
/// # Safety
/// Requires the same as [`hearth_begin`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hearth_await(job: *const Job, seen: u32) -> u32 {
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

/// Works on a job that has begun until no rows are left.
///
/// # Safety
/// Requires the same as [`hearth_begin`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hearth_work(job: *const Job) {
    // SAFETY: the caller guarantees it.
    unsafe {
        work(&*job);
        (*job).running.fetch_sub(1, Ordering::Release);
    }
}

/// Takes and computes rows until none are left.
unsafe fn work(job: &Job) {
    let Some(format) = Format::from_number(job.format) else {
        return;
    };
    let (rows, cols) = (job.rows as usize, job.cols as usize);
    let blocks = cols / BLOCK;
    let (words, scale_words) = format.row_words(blocks);
    let tokens = (job.tokens as usize).min(MAX_TOKENS);
    // SAFETY: see `hearth_begin`; each row of y is written by the thread that took it.
    unsafe {
        let quants = slice::from_raw_parts(job.quants as *const u32, rows * words);
        let scales = slice::from_raw_parts(job.scales as *const u32, rows * scale_words);
        let floats = padded(blocks);
        let mut x = [Row::EMPTY; MAX_TOKENS];
        for (t, x) in x.iter_mut().enumerate().take(tokens) {
            let (q, [scale, sum, first]) = scratch(job, t);
            *x = Row {
                q: slice::from_raw_parts(q, cols),
                scale: slice::from_raw_parts(scale, floats),
                sum: slice::from_raw_parts(sum, floats),
                first: slice::from_raw_parts(first, floats),
            };
        }
        while let Some(range) = take(&job.next, groups(rows) as u32, job.threads) {
            let y = job.y as *mut f32;
            let put = |t, r, value| y.add(t * rows + r).write(value);
            let (pairs, n) = (gates(rows, &range), range.len());
            product_of(format, &x[..tokens], quants, scales, rows, range, put);
            let Some(gate) = Gate::from_number(job.gate) else {
                continue;
            };
            for (of_gate, of_up) in pairs {
                let values = slice::from_raw_parts_mut(y.add(of_gate), n);
                gate.apply(values, slice::from_raw_parts(y.add(of_up), n));
            }
        }
    }
}

/// Returns the addresses of the integers, scales, sums and first halves' sums of token `t`.
unsafe fn scratch(job: &Job, t: usize) -> (*mut i16, [*mut f32; 3]) {
    let (cols, tokens) = (job.cols as usize, job.tokens as usize);
    let blocks = padded(cols / BLOCK);
    // SAFETY: within `hearth_scratch_bytes`.
    unsafe {
        let q = job.scratch as *mut i16;
        let floats = q.add(tokens * cols).cast::<f32>();
        let of_token = [0, 1, 2].map(|i| floats.add((i * tokens + t) * blocks));
        (q.add(t * cols), of_token)
    }
}

/// Traps the thread: nothing here panics unless the host violates its contract.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
