//! Steps that check drafts: several tokens for one reading of the weights.

use super::pipelined::batch_ms;
use super::{Batch, Generation, Mode, Resources, Unconfirmed};
use crate::ops::sampling::draft::ROWS;
use crate::ops::state::RING_LEN;
use hearth_modelfile::error::Result;

/// Records of such steps that fit the ring.
const SLOTS: usize = RING_LEN / ROWS;

impl Generation {
    /// Turns drafts on or off for the next steps; false while steps of the other mode have to come back first.
    pub(super) fn choose_mode(&mut self, with: &mut Resources<'_>) -> bool {
        let in_flight = self.steps_in_flight();
        // No step may write past the context, and the time of a token is unknown before the first one came.
        let fits = self.known() + ROWS * (in_flight + 1) <= with.stepper.model.n_ctx;
        let ms_per_token = with.stepper.timing.ms_per_token;
        let wanted = fits && !self.generated.is_empty() && with.policy.pays(ms_per_token);
        if wanted == matches!(self.mode, Mode::Drafting { .. }) {
            return true;
        }
        if in_flight > 0 {
            return false;
        }
        if matches!(self.mode, Mode::Drafting { .. }) {
            self.unconfirmed = None;
            with.sequence.settle(self.known() - 1);
        }
        // The state may hold a draft that was made and not checked.
        let most = if wanted { ROWS - 1 } else { 0 };
        (with.sequence.step).set_drafts(&with.stepper.model.ops, most);
        with.policy.turn(wanted);
        self.mode = match wanted {
            true => Mode::Drafting { round: 0 },
            false => Mode::Pipelined,
        };
        self.launched = self.generated.len();
        true
    }

    /// Launches steps that check drafts until enough are in flight.
    pub(super) fn launch_drafts(&mut self, with: &mut Resources<'_>) -> Result<()> {
        let is_gpu = with.stepper.device.is_gpu();
        let ms = with.policy.step_ms(with.stepper.timing.ms_per_token);
        let batch_ms = batch_ms(with.stepper.device.info().readback_ms);
        let depth = if !is_gpu || ms > batch_ms { 1 } else { 2 };
        let batch = match is_gpu && ms > 0.0 {
            true => ((batch_ms / ms) as usize).clamp(1, SLOTS / 2),
            false => 1,
        };
        loop {
            let in_flight = self.steps_in_flight();
            // Each step may bring ROWS tokens.
            let fit = (with.stepper.model.n_ctx - self.known()) / ROWS - in_flight;
            let expected = with
                .policy
                .steps_for(self.max_tokens - self.generated.len());
            let needed = expected.saturating_sub(in_flight);
            let Mode::Drafting { round } = &mut self.mode else {
                return Ok(());
            };
            let slot = *round % SLOTS;
            let steps = batch.min(fit).min(needed).min(SLOTS - slot);
            if self.in_flight.len() >= depth || steps == 0 {
                return Ok(());
            }
            *round += steps;
            for _ in 0..steps {
                with.stepper.check_drafts(with.sequence)?;
            }
            with.stepper.stats.draft_steps += steps as u64;
            let words = (with.stepper).read_ring(with.sequence, slot * ROWS, steps * ROWS);
            if self.unconfirmed.is_none() {
                let known = self.known();
                let ops = &with.stepper.model.ops;
                let snapshot = with.sequence.take_unconfirmed_snapshot(ops, known);
                self.unconfirmed = snapshot.map(|snapshot| Unconfirmed {
                    snapshot,
                    steps: in_flight + steps,
                });
            }
            self.in_flight.push_back(Batch {
                steps,
                drafts: true,
                words,
                logits: None,
            });
        }
    }

    /// Returns the ids in the records of steps that checked drafts, which came `ms` after the last ones.
    pub(super) fn drafted_ids(
        &mut self,
        with: &mut Resources<'_>,
        records: &[u32],
        ms: f64,
    ) -> Vec<u32> {
        with.policy.took(ms / (records.len() / ROWS) as f64);
        let mut ids = Vec::new();
        let known = self.known();
        for record in records.chunks_exact(ROWS) {
            let count = (record[0] >> 24 & 15).min(ROWS as u32) as usize;
            let (drafted, accepted) = ((record[0] >> 28) as usize, count.saturating_sub(1));
            with.stepper.stats.drafted += drafted as u64;
            with.stepper.stats.accepted += accepted as u64;
            self.predictions.accepted_prediction_tokens += accepted;
            self.predictions.rejected_prediction_tokens += drafted.saturating_sub(accepted);
            with.policy.brought(accepted);
            let mut record = record.to_vec();
            record[0] &= 0xff_ffff;
            ids.extend_from_slice(&record[..count]);
            if let Some(unconfirmed) = &mut self.unconfirmed {
                unconfirmed.steps -= 1;
                if unconfirmed.steps == 0 {
                    // The last of the tokens has not been computed.
                    let n = known + ids.len() - 1;
                    (with.sequence).confirm_snapshot(unconfirmed.snapshot, n);
                    self.unconfirmed = None;
                }
            }
        }
        ids
    }
}
