//! Logits for tests and scoring.

use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::ops::words::read_f32;

impl Engine {
    /// The logits after `ids`: [vocab]. For tests and scoring; reuses the cached prefix like a request.
    ///
    /// # Errors
    /// As [`Engine::start_ids`] and [`Engine::next`].
    pub async fn logits(&mut self, ids: &[u32]) -> Result<Vec<f32>> {
        self.cancel();
        self.settle().await;
        self.check_generates()?;
        self.check_ids("prompt", ids)?;
        if ids.len() > self.decoder.n_ctx {
            return Err(Error::ContextOverflow {
                needed: ids.len(),
                n_ctx: self.decoder.n_ctx,
            });
        }
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
}
