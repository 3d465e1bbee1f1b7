//! The exports of the threads' module: instances of it, one per thread, have one memory, see [`crate::job`].
//!
//! The host (`pkg/src/worker/cpu-pool.ts`) allocates; every address here is one of its allocations. The main thread writes a
//! [`Job`], calls [`hearth_begin`], wakes the others, and calls [`hearth_finish`]; the others look for jobs in [`hearth_await`],
//! call [`hearth_work`], and sleep in JavaScript if there is none (the instruction for it is not stable in Rust).

use crate::job::{self, Job};

/// Address that others count from.
const MEMORY: usize = 0;

/// Returns the bytes of a [`Job`].
#[unsafe(no_mangle)]
pub extern "C" fn hearth_job_bytes() -> u32 {
    size_of::<Job>() as u32
}

/// Begins a job, see [`job::begin`].
///
/// # Safety
/// Requires the same.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hearth_begin(job: *const Job) {
    // SAFETY: the caller guarantees it.
    unsafe { job::begin(job) }
}

/// Waits for a job, see [`job::await_next`].
///
/// # Safety
/// Requires the same.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hearth_await(job: *const Job, seen: u32) -> u32 {
    // SAFETY: the caller guarantees it.
    unsafe { job::await_next(job, seen) }
}

/// Works on a job, see [`job::work`].
///
/// # Safety
/// Requires the same.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hearth_work(job: *const Job, thread: u32) {
    // SAFETY: the caller guarantees it.
    unsafe { job::work(job, MEMORY, thread as usize) }
}

/// Works on a job for its caller, see [`job::finish`]. Returns 1 if it is done, 0 if not.
///
/// # Safety
/// Requires the same.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hearth_finish(job: *const Job) -> u32 {
    // SAFETY: the caller guarantees it.
    unsafe { job::finish(job, MEMORY).into() }
}

/// Traps the thread: nothing here panics unless the host violates its contract.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
