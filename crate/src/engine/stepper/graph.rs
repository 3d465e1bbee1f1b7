//! A decode step captured once and replayed.
//!
//! A launch costs the host about four times what a replayed dispatch does, and a step is hundreds of them.
//! Capture works because nothing a step reads from the host changes: position, token and sampling parameters
//! are in the state buffer, which the step itself moves on.

use cubecl::client::Graph;

use burn::tensor::Tensor;

use crate::ops::Ops;
use crate::ops::buffer::{gpu_error, gpu_tensor};
use hearth_modelfile::error::{Error, Result};

/// The recorded steps of a sequence.
#[derive(Default)]
pub(crate) struct Recordings {
    /// A step of one token.
    pub(crate) decode: Option<StepGraph>,
    /// A step that checks drafts.
    pub(crate) drafts: Option<StepGraph>,
}

/// A captured decode step.
pub(crate) struct StepGraph {
    graph: Graph,
    /// Memory that the replay writes to; it must not be given to anybody else while the graph lives.
    _kept: Vec<Tensor<2>>,
    dispatches: u64,
}

impl StepGraph {
    /// Captures what `step` launches. `step` is called twice: the first call runs, the second is recorded.
    ///
    /// # Errors
    /// [`Error::Gpu`] if the runtime refuses the capture.
    pub(crate) fn capture(ops: &Ops, mut step: impl FnMut()) -> Result<Self> {
        let client = gpu_tensor(ops.device_handle())
            .ok_or_else(|| Error::Internal {
                what: "StepGraph".into(),
                message: "there is nothing to capture on the CPU".into(),
            })?
            .client;
        let failed = |e: cubecl::server::ServerError| gpu_error("graph capture", &e);
        client.graph_prepare().map_err(failed)?;
        // The warm-up keeps its intermediates too, so that the pools hold enough for the recording to keep
        // all of its own: a recording must not allocate.
        ops.keep_intermediates();
        step();
        drop(ops.take_kept());
        client.start_capture().map_err(failed)?;
        ops.keep_intermediates();
        let before = ops.dispatches();
        step();
        let dispatches = ops.dispatches() - before;
        // Recorded, not run.
        ops.uncount(dispatches);
        let kept = ops.take_kept();
        let graph = client.stop_capture().map_err(failed)?;
        Ok(Self {
            graph,
            _kept: kept,
            dispatches,
        })
    }

    /// Enqueues the step once more.
    ///
    /// # Errors
    /// [`Error::Gpu`] or [`Error::DeviceLost`].
    pub(crate) fn replay(&self) -> Result<()> {
        // SAFETY: weights live in the stepper, whose adapters change only after this graph is gone, layer states and step state in the sequence that owns this graph, every
        // intermediate in `_kept`, and the stepper issues all of its work from one thread on one stream.
        unsafe { self.graph.replay() }.map_err(|e| gpu_error("replay", &e))
    }

    /// Kernel launches of one replay.
    pub(crate) fn dispatches(&self) -> u64 {
        self.dispatches
    }
}
