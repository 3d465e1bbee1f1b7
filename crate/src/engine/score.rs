//! Logits for tests and scoring.

use crate::engine::Engine;
use crate::ops::projection::tile::TILE_TOKENS;
use hearth_modelfile::error::Result;

/// Limit of the bytes that the logits of one chunk take.
const ROWS_BYTES: usize = 64 << 20;

impl Engine {
    /// The logits after `ids`: [vocab]. For tests and scoring; reuses the cached prefix like a request.
    ///
    /// # Errors
    /// As [`Engine::start_ids`] and [`Engine::next`].
    pub async fn logits(&mut self, ids: &[u32]) -> Result<Vec<f32>> {
        self.prepare_scoring(ids).await?;
        let (stepper, sequence) = (&mut self.stepper, &mut self.sequence);
        let mut at = sequence.keep_prefix(&stepper.model.ops, ids).kept;
        loop {
            let n = (ids.len() - at).min(stepper.model.ops.tuning().chunk);
            let chunk = &ids[at..at + n];
            let x = stepper.run_chunk(sequence, at, chunk);
            at += n;
            sequence.extend(chunk);
            if at == ids.len() {
                let logits = stepper.logits(sequence, &x);
                return stepper.values(&logits).await;
            }
        }
    }

    /// The logits after each of `ids`, computed as a prompt is, in chunks as long as the device's where their logits fit into
    /// [`ROWS_BYTES`]: `take(i, logits)` with [vocab] after `ids[..=i]`.
    ///
    /// # Errors
    /// As [`Engine::logits`].
    pub async fn each_logits(
        &mut self,
        ids: &[u32],
        mut take: impl FnMut(usize, &[f32]),
    ) -> Result<()> {
        self.prepare_scoring(ids).await?;
        self.clear();
        let (stepper, sequence) = (&mut self.stepper, &mut self.sequence);
        let vocab = stepper.model.config.vocab_size;
        let rows = (ROWS_BYTES / (4 * vocab.max(1))).max(TILE_TOKENS as usize);
        for chunk in ids.chunks(rows.min(stepper.model.ops.tuning().chunk)) {
            let at = sequence.len();
            let x = stepper.run_chunk(sequence, at, chunk);
            sequence.extend(chunk);
            let y = stepper.model.ops.alloc_f32(x.dims()[0], vocab);
            let logits = stepper.model.all_logits(&x, &sequence.step, y);
            let values = stepper.values(&logits).await?;
            let rows = values.chunks_exact(vocab).take(chunk.len());
            rows.enumerate().for_each(|(i, row)| take(at + i, row));
        }
        Ok(())
    }

    /// Makes sure that nothing else runs and that `ids` can be computed.
    async fn prepare_scoring(&mut self, ids: &[u32]) -> Result<()> {
        self.idle().await;
        self.check_generates()?;
        self.check_ids("prompt", ids)?;
        self.check_fits(ids.len())
    }
}
