//! Launches of hand-written WGSL kernels: modules, constants, a grid, buffers.
//!
//! The text of a kernel is a generated header with its constants, followed by the text of its [`modules`], which are
//! the files `ops/**/*.wgsl` as they are. Shapes are such constants, so the shader compiler sees every loop bound and
//! a launch writes no uniform. Whatever changes between launches (position, token, sampling) lives in the state
//! buffer ([`super::state`]), which is what lets a captured decode graph be replayed without a single write.
//!
//! A pipeline is cached by the [`Kernel`] itself: two kernels share one exactly if they consist of the same modules
//! and constants. The text is only built for a pipeline that is not cached.
//!
//! All bindings are `read_write`: the runtime may place two tensors on one `GPUBuffer`, and WebGPU forbids binding a
//! buffer both read-only and writable in one dispatch. For the same reason no tensor is bound twice.

use std::fmt::{Debug, Display, Formatter, Result};
use std::hash::{Hash, Hasher};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use burn_cubecl::tensor::CubeTensor;
use cubecl::dry_run::{DryRun, RealRun};
use cubecl::ir::metadata::Info;
use cubecl::ir::{ElemType, UIntKind};
use cubecl::prelude::{
    AddressType, CubeCount, CubeDim, ExecutionMode, KernelDefinition, KernelId, KernelMetadata,
    KernelSettings, Scope,
};
use cubecl::server::KernelArguments;
use cubecl::{CubeKernel, PrecompiledSource};

use crate::platform::timed;

/// The files `ops/**/*.wgsl` without comments and indentation, each as a static in capitals, and a list of all of
/// them; see build.rs.
pub mod modules {
    use super::Module;
    include!(concat!(env!("OUT_DIR"), "/modules.rs"));
}

/// A part of a kernel's text that declares functions, types, constants and bindings. Modules are statics, and are
/// told apart by their addresses.
pub struct Module {
    pub name: &'static str,
    text: &'static str,
}

impl Module {
    /// Creates a module; `name` is for messages.
    pub const fn new(name: &'static str, text: &'static str) -> Self {
        Self { name, text }
    }
}

impl PartialEq for Module {
    fn eq(&self, other: &Self) -> bool {
        ptr::eq(self, other)
    }
}

impl Eq for Module {}

impl Hash for Module {
    fn hash<H: Hasher>(&self, state: &mut H) {
        ptr::hash(self, state);
    }
}

impl Debug for Module {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(self.name)
    }
}

/// The value of a constant in the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Value {
    U32(u32),
    /// The bits of an f32.
    F32(u32),
    Bool(bool),
    /// Sixteen f32.
    Table(&'static [i8; 16]),
}

/// Formats a WGSL type, `=` and the value.
impl Display for Value {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Value::U32(v) => write!(f, "u32 = {v}u"),
            // Rust prints the shortest form that parses back to the same float, and WGSL parses it the same way.
            Value::F32(bits) => write!(f, "f32 = {:?}f", f32::from_bits(*bits)),
            Value::Bool(v) => write!(f, "bool = {v}"),
            Value::Table(values) => {
                f.write_str("array<f32, 16> = array<f32, 16>(")?;
                for v in *values {
                    write!(f, "{v}.0f, ")?;
                }
                f.write_str(")")
            }
        }
    }
}

/// A WGSL kernel: its modules and the constants of its header.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Kernel {
    modules: Vec<&'static Module>,
    consts: Vec<(&'static str, Value)>,
    /// First line of the text; empty if there is none.
    directive: &'static str,
    /// Threads per workgroup (x), the constant `WG`.
    workgroup: u32,
}

impl Kernel {
    /// Creates a kernel from the module with its entry point, `main`.
    pub fn new(main: &'static Module, workgroup: u32) -> Self {
        // Room for the largest kernels: a kernel is built for every launch.
        let mut modules = Vec::with_capacity(16);
        modules.push(main);
        Self {
            modules,
            consts: Vec::with_capacity(36),
            directive: "",
            workgroup,
        }
    }

    /// Adds a module.
    pub fn module(mut self, module: &'static Module) -> Self {
        self.modules.push(module);
        self
    }

    /// Adds constants of type u32.
    pub fn u32s<const N: usize>(mut self, consts: [(&'static str, u32); N]) -> Self {
        let consts = consts.map(|(name, value)| (name, Value::U32(value)));
        self.consts.extend(consts);
        self
    }

    /// Adds constants of type f32.
    pub fn f32s<const N: usize>(mut self, consts: [(&'static str, f32); N]) -> Self {
        let consts = consts.map(|(name, value)| (name, Value::F32(value.to_bits())));
        self.consts.extend(consts);
        self
    }

    /// Adds constants of type bool.
    pub fn bools<const N: usize>(mut self, consts: [(&'static str, bool); N]) -> Self {
        let consts = consts.map(|(name, value)| (name, Value::Bool(value)));
        self.consts.extend(consts);
        self
    }

    /// Adds the constant `TABLE`, an array of f32.
    pub fn table(mut self, values: &'static [i8; 16]) -> Self {
        self.consts.push(("TABLE", Value::Table(values)));
        self
    }

    /// Sets the directive that the text begins with.
    pub fn directive(mut self, directive: &'static str) -> Self {
        self.directive = directive;
        self
    }

    /// Returns the threads of a workgroup.
    pub(in crate::ops) fn workgroup(&self) -> u32 {
        self.workgroup
    }

    /// Returns the modules, the one with the entry point first.
    pub fn modules(&self) -> &[&'static Module] {
        &self.modules
    }

    /// Builds the text.
    pub fn text(&self) -> String {
        let mut text = format!("{}const WG: u32 = {}u;\n", self.directive, self.workgroup);
        for (name, value) in &self.consts {
            text += &format!("const {name}: {value};\n");
        }
        for module in &self.modules {
            text += module.text;
        }
        text
    }
}

/// A kernel on its way to the runtime, which takes its id twice.
struct Launch(Arc<Kernel>);

impl KernelMetadata for Launch {
    fn id(&self) -> KernelId {
        KernelId::new::<Self>().info(self.0.clone())
    }

    fn address_type(&self) -> ElemType {
        UIntKind::U32.into()
    }
}

impl CubeKernel for Launch {
    /// Describes a kernel without code, because [`CubeKernel::source`] has it.
    fn define(&self) -> KernelDefinition {
        let dim = CubeDim::new_1d(self.0.workgroup);
        let settings = KernelSettings::new(dim.0, ExecutionMode::Checked, AddressType::U32);
        KernelDefinition {
            body: Scope::root(settings.clone()),
            settings,
            info: Info::default(),
        }
    }

    fn source(&self) -> Option<PrecompiledSource> {
        PIPELINES.fetch_add(1, Ordering::Relaxed);
        Some(PrecompiledSource {
            source: self.0.text(),
            entrypoint_name: "main".to_owned(),
            lang: "wgsl",
        })
    }
}

/// Number of pipelines that the runtime has asked for the text of.
static PIPELINES: AtomicU64 = AtomicU64::new(0);

/// Returns the number of pipelines that this process has created, on all its devices.
pub fn pipelines() -> u64 {
    PIPELINES.load(Ordering::Relaxed)
}

/// Creates the pipeline of `kernel` on the device of `like`, unless it is there, and runs nothing.
pub(in crate::ops) fn prepare(kernel: Kernel, like: &CubeTensor) {
    // A kernel that the runtime refuses spoils its bindings, so they are nobody's.
    let nobodys = empty_f32(like, [1, 4]);
    let _dry = DryRun::new();
    enqueue(kernel, (1, 1, 1), &[&nobodys]);
}

/// Launches `kernel` on a grid of `count` workgroups with `tensors` as bindings 0, 1, 2, ...
pub fn launch(kernel: Kernel, count: (u32, u32, u32), tensors: &[&CubeTensor]) {
    // A dry run is the whole process's, and another thread may be in one.
    let _real = RealRun::new();
    enqueue(kernel, count, tensors);
}

fn enqueue(kernel: Kernel, count: (u32, u32, u32), tensors: &[&CubeTensor]) {
    let client = tensors[0].client.clone();
    let name = kernel.modules[0].name;
    let args = KernelArguments::new().with_buffers(
        tensors
            .iter()
            .map(|tensor| tensor.handle.clone().binding())
            .collect(),
    );
    timed(&client, name, || {
        client.launch(
            Box::new(Launch(Arc::new(kernel))),
            CubeCount::Static(count.0, count.1, count.2),
            args,
        );
    });
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
