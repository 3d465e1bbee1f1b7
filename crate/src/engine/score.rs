//! Logits for tests and scoring.

use crate::engine::Engine;
use crate::ops::projection::tile::TILE_TOKENS;
use crate::ops::words::read_f32;
use hearth_modelfile::error::{Error, Result};

/// Limit of the bytes that the logits of one chunk take.
const ROWS_BYTES: usize = 64 << 20;

impl Engine {
    /// The logits after `ids`: [vocab]. For tests and scoring; reuses the cached prefix like a request.
    ///
    /// # Errors
    /// As [`Engine::start_ids`] and [`Engine::next`].
    pub async fn logits(&mut self, ids: &[u32]) -> Result<Vec<f32>> {
        self.prepare_scoring(ids).await?;
        let mut at = self.reuse_prefix(ids);
        loop {
            let n = (ids.len() - at).min(self.decoder.ops.tuning().chunk);
            let chunk = &ids[at..at + n];
            let x = self.run_chunk(at, chunk);
            at += n;
            self.context.extend_from_slice(chunk);
            if at == ids.len() {
                let state = self.state()?;
                let logits = self.decoder.logits(&x, &state);
                let values = self.device.wait(read_f32(&logits)).await?;
                self.device.check()?;
                return Ok(values);
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
        self.context.clear();
        let vocab = self.decoder.config.vocab_size;
        let rows = (ROWS_BYTES / (4 * vocab.max(1))).max(TILE_TOKENS as usize);
        for chunk in ids.chunks(rows.min(self.decoder.ops.tuning().chunk)) {
            let at = self.context.len();
            let x = self.run_chunk(at, chunk);
            self.context.extend_from_slice(chunk);
            let state = self.state()?;
            let y = self.decoder.ops.alloc_f32(x.dims()[0], vocab);
            let logits = self.decoder.all_logits(&x, &state, y);
            let values = self.device.wait(read_f32(&logits)).await?;
            self.device.check()?;
            let rows = values.chunks_exact(vocab).take(chunk.len());
            rows.enumerate().for_each(|(i, row)| take(at + i, row));
        }
        Ok(())
    }

    /// Nothing else runs, and `ids` can be computed.
    async fn prepare_scoring(&mut self, ids: &[u32]) -> Result<()> {
        self.cancel();
        self.settle().await;
        self.check_generates()?;
        self.check_ids("prompt", ids)?;
        match ids.len() > self.decoder.n_ctx {
            false => Ok(()),
            true => Err(Error::ContextOverflow {
                needed: ids.len(),
                n_ctx: self.decoder.n_ctx,
            }),
        }
    }
}
