//! Limits of a device, and the time to a first token, as the benchmarks measure them.

use std::time::Instant;

use burn::tensor::Tensor;
use hearth::ops::buffer::{gpu_tensor, read_words};
use hearth::ops::kernel::{Kernel, Module, launch};
use hearth::ops::{Ops, Tuning};
use hearth::{Device, Engine, Result};
use hearth_modelfile::container::GgmlType;
use pollster::block_on;

use crate::GREEDY;
use crate::kernels::{Packed, live, rms};

/// Measures milliseconds from the start to the first token of a prompt.
///
/// # Errors
/// The engine's errors.
pub fn first_token_ms(engine: &mut Engine, prompt: &[u32]) -> Result<f64> {
    let start = Instant::now();
    engine.start_ids(prompt.to_vec(), GREEDY, Some(1), &[])?;
    while block_on(engine.next())?.finish_reason.is_none() {}
    Ok(start.elapsed().as_secs_f64() * 1e3)
}

/// Measures multiplications and additions that a GPU does per second, in registers alone; 0 for the CPU.
///
/// # Errors
/// The device's errors.
pub fn flops(device: &Device) -> Result<f64> {
    static FLOPS: Module = Module::new("flops", include_str!("flops.wgsl"));
    const GROUPS: u32 = 1024;
    const ROUNDS: u32 = 256;
    let ops = Ops::new(&device.handle, device.tuning(1 << 30));
    let y = ops.alloc_words((GROUPS * 64) as usize);
    let Some(tensor) = gpu_tensor(&y) else {
        return Ok(0.0);
    };
    let call = || {
        let kernel = Kernel::new(&FLOPS, 64).u32s([("ROUNDS", ROUNDS)]);
        launch(kernel, (GROUPS, 1, 1), &[&tensor]);
    };
    let wait = || block_on(read_words(&y, 0, 4)).map(drop);
    call();
    wait()?;
    let start = Instant::now();
    (0..4).for_each(|_| call());
    wait()?;
    let done = 4.0 * f64::from(GROUPS * 64) * f64::from(ROUNDS) * 64.0;
    Ok(done / start.elapsed().as_secs_f64())
}

/// Measures this device's limits with our own kernels: bytes read per second, and the seconds of a launch.
///
/// # Errors
/// The device's errors.
pub fn calibrate(device: &Device) -> Result<(f64, f64)> {
    const ROWS: usize = 8192;
    const COLS: usize = 2048;
    const CALLS: usize = 8;
    let tuning = Tuning {
        workgroup_bytes: device.info().limits.max_compute_workgroup_storage_size as usize,
        ..device.tuning(1 << 30)
    };
    let ops = Ops::new(&device.handle, tuning);
    let zeros = Packed {
        quants: vec![0; ROWS * COLS],
        ..Packed::new(GgmlType::F32, 1, 1, 4)
    };
    let weight = Packed {
        rows: ROWS,
        cols: COLS,
        ..zeros
    }
    .upload(&ops, ROWS);
    let state = live(&ops, 0, 1);
    let x: Tensor<2> = ops.upload_row(&vec![0.0; COLS]);
    let small: Tensor<2> = ops.upload_row(&[0.0; 64]);
    let wait = || block_on(state.read(0, 4)).map(drop);
    let time = |n: usize, call: &dyn Fn()| -> Result<f64> {
        call();
        wait()?;
        let start = Instant::now();
        (0..n).for_each(|_| call());
        wait()?;
        Ok(start.elapsed().as_secs_f64() / n as f64)
    };
    let read = time(CALLS, &|| drop(ops.linear(&x, &weight, &state)))?;
    let norm = rms(small.clone());
    let launch = time(200, &|| drop(ops.norm(&small, &norm, &state, false)))?;
    Ok(((ROWS * COLS * 4) as f64 / read, launch))
}
