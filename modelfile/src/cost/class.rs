//! Constants of some classes of devices.

use serde::Serialize;

/// Constants of a class of devices. Bandwidths are bytes a second, times microseconds.
///
/// Bandwidth, cores and clock are of data sheets. Gaps are published measurements of dispatches that wait for one
/// another (docs/benchmarks/cost.md has the sources). The rest is inferred and has never been measured with these
/// kernels: latencies, the bandwidth of the L2 cache, resident workgroups.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct DeviceClass {
    pub name: &'static str,
    pub bandwidth: f64,
    /// Share of the bandwidth that a kernel can reach.
    pub reach: f64,
    pub cores: u32,
    /// Clocks a second.
    pub clock: f64,
    /// Instructions of single threads a second, over all cores.
    pub instructions: f64,
    pub l2_bandwidth: f64,
    /// Time between two launches of which one waits for the other.
    pub gap: f64,
    /// Time of a load that the core's own cache, the L2 cache, the memory serves.
    pub near: f64,
    pub l2: f64,
    pub memory: f64,
    /// Bytes of workgroup memory of a core, and workgroups of 64 threads for which it has registers.
    pub workgroup_memory: u32,
    pub resident: u32,
}

const GB: f64 = 1e9;
const TB: f64 = 1e12;
const TERA: f64 = 1e12;
const KIB: u32 = 1024;

/// Laptops, desktops, a server and a phone.
pub const CLASSES: [DeviceClass; 7] = [
    APPLE,
    DeviceClass {
        name: "Apple M4 Max",
        bandwidth: 546.0 * GB,
        reach: 0.88,
        cores: 40,
        clock: 1.58e9,
        instructions: 8.1 * TERA,
        l2_bandwidth: 1.8 * TB,
        ..APPLE
    },
    DeviceClass {
        name: "RTX 4090",
        bandwidth: 1008.0 * GB,
        reach: 0.92,
        cores: 128,
        clock: 2.52e9,
        instructions: 41.0 * TERA,
        l2_bandwidth: 5.0 * TB,
        gap: 1.8,
        near: 0.02,
        l2: 0.12,
        memory: 0.40,
        workgroup_memory: 100 * KIB,
        resident: 12,
    },
    DeviceClass {
        name: "H100 SXM",
        bandwidth: 3350.0 * GB,
        reach: 0.90,
        cores: 132,
        clock: 1.70e9,
        instructions: 28.7 * TERA,
        l2_bandwidth: 5.5 * TB,
        gap: 1.8,
        near: 0.03,
        l2: 0.16,
        memory: 0.50,
        workgroup_memory: 228 * KIB,
        resident: 12,
    },
    DeviceClass {
        name: "RX 7900 XTX",
        bandwidth: 960.0 * GB,
        reach: 0.88,
        cores: 96,
        clock: 2.4e9,
        instructions: 29.0 * TERA,
        l2_bandwidth: 3.5 * TB,
        gap: 2.5,
        near: 0.03,
        l2: 0.10,
        memory: 0.35,
        workgroup_memory: 64 * KIB,
        resident: 16,
    },
    DeviceClass {
        name: "Intel Xe-LPG",
        bandwidth: 100.0 * GB,
        reach: 0.85,
        cores: 8,
        clock: 2.25e9,
        instructions: 2.3 * TERA,
        l2_bandwidth: 0.5 * TB,
        gap: 5.0,
        near: 0.05,
        l2: 0.20,
        memory: 0.50,
        workgroup_memory: 64 * KIB,
        resident: 16,
    },
    DeviceClass {
        name: "Adreno 750",
        bandwidth: 70.0 * GB,
        reach: 0.80,
        cores: 6,
        clock: 0.9e9,
        instructions: 1.5 * TERA,
        l2_bandwidth: 0.3 * TB,
        gap: 12.0,
        near: 0.06,
        l2: 0.25,
        memory: 0.50,
        workgroup_memory: 32 * KIB,
        resident: 6,
    },
];

const APPLE: DeviceClass = DeviceClass {
    name: "Apple M3",
    bandwidth: 100.0 * GB,
    reach: 0.90,
    cores: 10,
    clock: 1.38e9,
    instructions: 1.77 * TERA,
    l2_bandwidth: 0.4 * TB,
    gap: 2.5,
    near: 0.05,
    l2: 0.15,
    memory: 0.40,
    workgroup_memory: 60 * KIB,
    resident: 12,
};

impl DeviceClass {
    /// Returns the class whose bandwidth is nearest, by its ratio, with what was measured of the device instead: bytes
    /// that it reads a second, which it reaches, and if known the microseconds between two launches.
    pub fn nearest(bandwidth: f64, gap: Option<f64>) -> Self {
        let distance = |class: &Self| (class.bandwidth * class.reach / bandwidth).ln().abs();
        let first = CLASSES[0];
        let nearest = (CLASSES.into_iter()).fold(first, |best, class| {
            match distance(&class) < distance(&best) {
                true => class,
                false => best,
            }
        });
        Self {
            bandwidth,
            reach: 1.0,
            gap: gap.unwrap_or(nearest.gap),
            ..nearest
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measured_device_is_like_the_class_of_its_bandwidth() {
        for class in CLASSES {
            if ["Apple M3", "Intel Xe-LPG"].contains(&class.name) {
                continue; // of one bandwidth, which tells them no further apart
            }
            let found = DeviceClass::nearest(class.bandwidth * class.reach, Some(7.0));
            assert_eq!((found.name, found.gap), (class.name, 7.0));
            assert_eq!(found.reach, 1.0);
        }
        assert_eq!(DeviceClass::nearest(1e15, None).name, "H100 SXM");
        assert_eq!(DeviceClass::nearest(1.0, None).name, "Adreno 750");
    }
}
