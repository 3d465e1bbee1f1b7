//! Devices for tests. The properties assumed of a GPU are fixed here, not measured: which kernels run must not depend
//! on how busy a machine is.

use std::cell::RefCell;
use std::ops::Deref;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hearth::device::tune::DeviceProfile;
use hearth::ops::{Arithmetic, Shapes, TileShape};
use hearth::{Device, DeviceOptions};

use crate::skip::missing;

/// A device for tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    Cpu,
    /// One thread per row and no subgroups: the fastest configuration on software rasterisers.
    Gpu,
    /// Like `Gpu`, with WebGPU's default limits and no optional features.
    PlainGpu,
    /// A GPU that multiplies integers in decode.
    GpuIntegers,
    /// The measurements of a real GPU: 16 threads per row, subgroups where the driver has them, attention in spans,
    /// tiles in workgroup memory, the longest chunks; with products of floats, which are exact.
    LargeGpu,
    /// Like `LargeGpu`, with products of integers.
    LargeGpuIntegers,
}

impl On {
    /// The measurements that this device is assumed to have.
    fn measured(self, has_subgroups: bool) -> DeviceProfile {
        let lanes = match self {
            On::LargeGpu | On::LargeGpuIntegers => 16,
            _ => 1,
        };
        DeviceProfile {
            decode_threads_per_tile: lanes,
            prefill_threads_per_tile: lanes,
            subgroups: lanes > 1 && has_subgroups,
            // Integers round, so they must be requested by name.
            arithmetic: match self {
                On::GpuIntegers | On::LargeGpuIntegers => Arithmetic::I15,
                _ => Arithmetic::F32,
            },
            shared_tile: lanes > 1,
            // Measured with lavapipe on two cores: a real model's chunks are short, a tiny model's are the longest.
            macs_per_ms: if lanes > 1 { 1e9 } else { 2e6 },
            // A choice of its own for each class, none of which the other devices here have.
            shapes: (self == On::LargeGpuIntegers).then_some(Shapes {
                few_rows: 32,
                normed: 64,
                few_rows_normed: 32,
                tile: TileShape::Tall,
                few_rows_tile: TileShape::Low,
                many_queries: true,
                shared_keys: true,
            }),
        }
    }
}

/// Returns a device for the rest of the test, which an earlier test of the process may have used; `None`, with a loud
/// skip, if there is no GPU. No other test uses it meanwhile: two threads on one device interfere in the runtime when a
/// read-back is abandoned ("buffer is still mapped"). When the test ends, the next one takes it over.
pub fn open(on: On) -> Option<Device> {
    keep(borrow(on, |_| ())?)
}

/// Like `open`, for a GPU with changed measurements.
pub fn open_measured(change: impl Fn(&mut DeviceProfile)) -> Option<Device> {
    keep(borrow(On::Gpu, change)?)
}

/// Opens a device that no test has used, for tests that count what a device creates, or that break it. (The runtime
/// keeps a thread per device, which polls for work until the process ends, so `cargo xtask test` runs each module in a
/// separate process.)
pub fn open_new(on: On) -> Option<Device> {
    open_as(on, |_| ())
}

thread_local! {
    /// Devices of the test that runs in this thread: the next test takes them over when the thread ends.
    static KEPT: RefCell<Vec<Borrowed>> = const { RefCell::new(Vec::new()) };
}

fn keep(borrowed: Borrowed) -> Option<Device> {
    let device = borrowed.device.clone();
    KEPT.with_borrow_mut(|kept| kept.push(borrowed));
    Some(device)
}

/// Devices that tests have finished with.
static IDLE: Mutex<Vec<(On, Device)>> = Mutex::new(Vec::new());

fn idle() -> MutexGuard<'static, Vec<(On, Device)>> {
    IDLE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A device that one test has to itself until this is dropped, and the next test of the process takes over with all
/// its pipelines. Nobody takes over one that is dropped by a panic.
pub struct Borrowed {
    on: On,
    device: Device,
}

impl Deref for Borrowed {
    type Target = Device;

    fn deref(&self) -> &Device {
        &self.device
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            idle().push((self.on, self.device.clone()));
        }
    }
}

/// Returns a device with the measurements of `on`, as `change` leaves them, that an earlier test may have used.
/// Engines on it must be closed before it is dropped.
pub fn borrow(on: On, change: impl Fn(&mut DeviceProfile)) -> Option<Borrowed> {
    let mut idle = idle();
    let fits = |(of, device): &(On, Device)| {
        let mut wanted = match on {
            On::Cpu => DeviceProfile::CPU,
            _ => on.measured(device.info().features.contains(&"subgroups")),
        };
        change(&mut wanted);
        *of == on && device.measured() == wanted
    };
    let found = idle.iter().position(fits).map(|at| idle.swap_remove(at).1);
    drop(idle);
    let device = match found {
        Some(device) => device,
        None => open_as(on, change)?,
    };
    Some(Borrowed { on, device })
}

fn open_as(on: On, change: impl FnOnce(&mut DeviceProfile)) -> Option<Device> {
    let mut measured = on.measured(false);
    change(&mut measured);
    let options = |measured: DeviceProfile| DeviceOptions {
        cpu: on == On::Cpu,
        default_limits: on == On::PlainGpu,
        no_features: on == On::PlainGpu,
        arithmetic: Some(measured.arithmetic),
        measured: Some(measured),
        timestamps: false,
    };
    let open = |measured| match pollster::block_on(Device::open(options(measured))) {
        Ok(device) => Some(device),
        Err(e) => {
            missing("HEARTH_REQUIRE_GPU", "GPU", &e.to_string());
            None
        }
    };
    let device = open(measured)?;
    // (a driver's features are known only once it is open)
    let has_subgroups = device.info().features.contains(&"subgroups");
    let wanted = on.measured(has_subgroups);
    if wanted.subgroups && !measured.subgroups {
        return open(DeviceProfile {
            subgroups: true,
            ..measured
        });
    }
    assert_eq!(
        device.measured(),
        if on == On::Cpu {
            DeviceProfile::CPU
        } else {
            measured
        },
        "another profile than the test asked for"
    );
    Some(device)
}
