//! Frames of pictures on their way through the tower, in pieces short enough to stop between.

use crate::device::tune::CHUNK_MS;
use crate::engine::sequence::Sequence;
use crate::engine::stepper::{Stepper, smooth};
use crate::model::tower::{FrameRows, Look, Tower};
use crate::ops::StepState;
use crate::ops::inject::Place;
use crate::platform::now_ms;
use hearth_modelfile::error::Result;

use super::chunk::{Added, Chunk};

/// Milliseconds that a piece of a frame may take on the CPU.
const CPU_PIECE_MS: f64 = 40.0;

impl Stepper {
    /// Begins to look at a frame; see [`Tower::begin`].
    pub(crate) fn begin_look(&mut self, tower: &Tower, pixels: &[u8], grid: [usize; 2]) -> Look {
        self.stats.frames += 1;
        tower.begin(&self.model.ops, pixels, grid)
    }

    /// Takes a frame through as many layers as may run without a chance to stop, and waits for them.
    pub(crate) async fn run_look(
        &mut self,
        sequence: &Sequence,
        tower: &Tower,
        look: &mut Look,
    ) -> Result<()> {
        let most = match self.device.is_gpu() {
            true => CHUNK_MS,
            false => CPU_PIECE_MS,
        };
        let layers = match self.timing.tower_layer_ms {
            ms if ms > 0.0 => (most / ms) as usize,
            _ => 1,
        };
        let layers = layers.clamp(1, tower.left(look).max(1));
        let begin = now_ms();
        tower.run(&self.model.ops, look, layers);
        let fence = self.fence(sequence);
        self.wait(fence).await?;
        self.device.check()?;
        let ms = (now_ms() - begin) / layers as f64;
        self.timing.tower_layer_ms = smooth(self.timing.tower_layer_ms, ms);
        Ok(())
    }

    /// Writes rows of a frame in the place of a chunk's embeddings, and notes those that are added behind layers.
    pub(crate) fn inject(
        &self,
        step: &StepState,
        chunk: &mut Chunk,
        frame: &FrameRows,
        place: Place,
    ) {
        (chunk.x).update(|x| self.model.ops.inject(x, &frame.rows, place, false));
        // (embeddings by layer are made of the rows too)
        chunk.per_layer = self.model.embed_per_layer(chunk.x.get(), step);
        let added = frame.added.iter().enumerate();
        chunk.added.extend(added.map(|(layer, rows)| Added {
            layer,
            rows: rows.clone(),
            place,
        }));
    }
}
