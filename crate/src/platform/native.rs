//! Outside of browsers.

pub use super::timestamps::{record_times, recorded_times, timed};

use super::AdapterNames;
use hearth_modelfile::text::template::Clock;

pub const BACKENDS: wgpu::Backends = wgpu::Backends::PRIMARY;

/// naga has the functions, but not yet the directive that WGSL demands for them.
pub const SUBGROUP_DIRECTIVE: &str = "";

/// Milliseconds of a monotonic clock.
pub fn now_ms() -> f64 {
    use std::sync::OnceLock;
    use std::time::Instant;
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_secs_f64() * 1e3
}

/// The time of day in UTC.
pub fn wall_clock() -> Clock {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Clock {
        unix_seconds: since.map_or(0, |d| d.as_secs() as i64),
        utc_offset_seconds: 0,
    }
}

pub fn adapter_names(_device: &wgpu::Device, info: &wgpu::AdapterInfo) -> AdapterNames {
    AdapterNames {
        name: info.name.clone(),
        vendor: info.driver.clone(),
        architecture: info.driver_info.clone(),
    }
}

pub fn has_subgroups(device: &wgpu::Device) -> bool {
    device.features().contains(wgpu::Features::SUBGROUP)
}

/// Natively a read-back resolves by itself.
pub async fn with_pump<F: Future>(read: F, _feed: impl Fn()) -> F::Output {
    read.await
}
