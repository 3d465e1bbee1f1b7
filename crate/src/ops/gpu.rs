//! Launches of hand-written WGSL kernels: one source, a list of constants, a grid, buffers.
//!
//! Shapes are baked into the source as constants, so the shader compiler sees every loop bound and a launch writes no
//! uniform. Whatever changes between launches (position, token, sampling) lives in the state buffer
//! ([`super::state`]), which is what lets a captured decode graph be replayed without a single write.
//!
//! All bindings are `read_write`: the runtime may place two tensors on one `GPUBuffer`, and WebGPU forbids binding a
//! buffer both read-only and writable in one dispatch. For the same reason no tensor is bound twice.

use burn_cubecl::template::{KernelSource, SourceKernel, SourceTemplate};
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::{CubeCount, CubeDim, KernelId};
use cubecl::server::KernelArguments;

/// The text of a shader in `wgsl/`, without comments (see build.rs). Several arguments are concatenated into one
/// name.
macro_rules! wgsl {
    ($($name:expr),+) => {
        include_str!(concat!(env!("OUT_DIR"), "/", $($name),+, ".wgsl"))
    };
}
pub(super) use wgsl;

/// A WGSL source with the values of its `{{ NAME }}` placeholders.
#[derive(Clone)]
pub struct Kernel {
    /// Name of the op, for errors and caching.
    pub name: &'static str,
    /// WGSL text with `{{ NAME }}` placeholders.
    pub source: &'static str,
    /// Distinguishes kernels of one name with different preludes.
    pub variant: &'static str,
    /// Texts put before `source`: directives, the unpacking functions of a weight format.
    pub prelude: Vec<&'static str>,
    /// Placeholder name and value.
    pub consts: Vec<(&'static str, u32)>,
    /// Placeholder name and text.
    pub texts: Vec<(&'static str, &'static str)>,
    /// Float constants: placeholder name and value.
    pub floats: Vec<(&'static str, f32)>,
    /// Threads per workgroup (x); the source's `@workgroup_size` must agree.
    pub workgroup: u32,
}

impl KernelSource for Kernel {
    fn source(&self) -> SourceTemplate {
        let mut template = SourceTemplate::new("");
        for text in &self.prelude {
            template = template.add_template(*text);
        }
        template = template.add_template(self.source);
        for (name, value) in &self.consts {
            template = template.register(*name, value.to_string());
        }
        for (name, text) in &self.texts {
            template = template.register(*name, *text);
        }
        for (name, value) in &self.floats {
            // Rust prints the shortest form that parses back to the same float, and WGSL parses it the same way.
            template = template.register(*name, format!("{value:?}f"));
        }
        template.register("WG", self.workgroup.to_string())
    }

    fn id(&self) -> KernelId {
        KernelId::new::<Self>().info((
            self.name,
            self.variant,
            self.consts.clone(),
            self.texts.clone(),
            (self.floats.iter())
                .map(|(_, value)| value.to_bits())
                .collect::<Vec<_>>(),
            self.workgroup,
        ))
    }

    fn lang(&self) -> &'static str {
        "wgsl"
    }
}

/// Launches `kernel` on a grid of `count` workgroups with `tensors` as bindings 0, 1, 2, ...
pub fn launch(kernel: Kernel, count: (u32, u32, u32), tensors: &[&CubeTensor]) {
    let client = tensors[0].client.clone();
    let dim = CubeDim::new_1d(kernel.workgroup);
    let args = KernelArguments::new().with_buffers(
        tensors
            .iter()
            .map(|tensor| tensor.handle.clone().binding())
            .collect(),
    );
    client.launch(
        Box::new(SourceKernel::new(kernel, dim)),
        CubeCount::Static(count.0, count.1, count.2),
        args,
    );
}

/// Creates an uninitialised f32 tensor on the device of `like`.
pub fn empty_f32(like: &CubeTensor, shape: [usize; 2]) -> CubeTensor {
    CubeTensor::new_contiguous(
        like.client.clone(),
        like.device.clone(),
        shape.into(),
        like.client.empty(shape[0] * shape[1] * 4),
        burn::tensor::DType::F32,
    )
}

/// Returns workgroup counts along x and z for `n` workgroups: WebGPU allows 65,535 in one dimension.
pub fn grid_xz(n: u32) -> (u32, u32) {
    const MAX: u32 = 65_535;
    if n <= MAX {
        (n.max(1), 1)
    } else {
        (MAX, n.div_ceil(MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_has_room_for_every_workgroup_and_no_more_rows_than_that() {
        for n in [0, 1, 65_535, 65_536, 131_070, 131_071, u32::MAX] {
            let (x, z) = grid_xz(n);
            let [n, x, z] = [n, x, z].map(u64::from);
            assert!((1..=65_535).contains(&x) && z >= 1, "{n}");
            assert!(x * z >= n && x * (z - 1) < n.max(1), "{n}: {x} x {z}");
        }
    }
}
