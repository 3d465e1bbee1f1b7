//! Decoding with drafts: when it pays, and the steps that do it.
//!
//! A step that checks the seven tokens of a draft reads the weights once for all of them, so where memory is the
//! limit it costs little more than a plain one and may bring eight tokens. What comes is what plain decoding gives:
//! the sampler accepts a drafted token only if it is the one it would have drawn. While drafts are off, the host
//! makes them anyway and compares, which costs the device nothing and tells when to turn them on.
//! OpenAI's usage has a place for what came of them: accepted and rejected prediction tokens.

use serde::{Deserialize, Serialize};

use crate::device::Device;
use crate::engine::Engine;
use crate::engine::generation::{Batch, Run, batch_ms, smooth};
use crate::ops::sampling::draft::{ROWS, draft};
use crate::ops::state::{DRAFT, N_TOKENS, RING, RING_LEN};
use hearth_modelfile::error::Result;

/// Whether drafts are made and checked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Drafts {
    /// While they pay.
    #[default]
    Auto,
    /// Even where they do not, for tests and measurements.
    Always,
    Off,
}

impl Drafts {
    /// Reduces the request to what can pay on `device`. Where one thread a row is the fastest, a step of eight rows
    /// takes eight times as long (8.5 times, measured on lavapipe), and its kernels need not be compiled.
    pub(crate) fn worthwhile(self, device: &Device) -> Self {
        match self {
            Drafts::Auto if device.is_gpu() && device.measured().decode_lanes == 1 => Drafts::Off,
            drafts => drafts,
        }
    }

    /// Rows of logits that its steps need.
    pub(crate) fn rows(self) -> usize {
        match self {
            Drafts::Off => 1,
            Drafts::Auto | Drafts::Always => ROWS,
        }
    }
}

/// Drafts have to be this much faster than none to be turned on.
const MARGIN: f64 = 1.15;
/// Weight of the latest step in the smoothed gain.
const LATEST: f64 = 0.2;
/// Assumed cost of a step that checks drafts, in plain steps, before one has been timed. Low, so that one is.
const HOPED_COST: f64 = 2.0;
/// With every request the time that was measured counts for a little less, so that drafts get another chance.
const FADING: f64 = 0.95;

/// The state of drafting: the setting, whether drafts are on, and their gain.
pub(crate) struct Speculation {
    pub(crate) drafts: Drafts,
    /// Steps check drafts now.
    on: bool,
    /// Steps of the current stretch: the place of the next record in the ring.
    round: usize,
    /// Smoothed number of drafted tokens that a step brings, or would.
    gain: f64,
    /// Smoothed milliseconds of a step that checks drafts; 0 before the first.
    ms_per_step: f64,
    /// Prompt and answer so far.
    context: Vec<u32>,
    /// While drafts are off: what one would be, and how much of it has come.
    foreseen: Vec<u32>,
    hits: usize,
}

impl Speculation {
    pub(crate) fn new(drafts: Drafts) -> Self {
        Self {
            drafts,
            on: false,
            round: 0,
            gain: 0.0,
            ms_per_step: 0.0,
            context: Vec::new(),
            foreseen: Vec::new(),
            hits: 0,
        }
    }

    /// A new request with this prompt. What a step brings is remembered: the next answer is often of a kind.
    pub(crate) fn start(&mut self, prompt: &[u32]) {
        self.on = false;
        self.ms_per_step *= FADING;
        self.context.clear();
        self.context.extend_from_slice(prompt);
        self.foreseen.clear();
        self.hits = 0;
    }

    fn brought(&mut self, drafted: usize) {
        self.gain += LATEST * (drafted as f64 - self.gain);
    }

    /// Takes note of a token.
    pub(crate) fn saw(&mut self, id: u32) {
        self.context.push(id);
        if self.on || self.drafts != Drafts::Auto {
            return;
        }
        if self.foreseen.get(self.hits) == Some(&id) {
            self.hits += 1;
            return;
        }
        // The step that would have checked this draft ends with the token after the last hit.
        self.brought(self.hits);
        self.foreseen = draft(&self.context, ROWS - 1);
        self.hits = 0;
    }

    /// Milliseconds of a step that checks drafts, where a plain one takes `ms_per_token`.
    fn step_ms(&self, ms_per_token: f64) -> f64 {
        match self.ms_per_step {
            ms if ms > 0.0 => ms,
            _ => HOPED_COST * ms_per_token,
        }
    }

    /// Whether drafts should be on, where a plain token takes `ms_per_token`.
    fn pays(&self, ms_per_token: f64) -> bool {
        let margin = if self.on { 1.0 } else { MARGIN };
        match self.drafts {
            Drafts::Off => false,
            Drafts::Always => true,
            Drafts::Auto => (1.0 + self.gain) * ms_per_token > margin * self.step_ms(ms_per_token),
        }
    }
}

impl Engine {
    /// Changes whether drafts are made, from the next request on; the model may have to be read anew for it.
    pub fn set_drafts(&mut self, drafts: Drafts) {
        self.cancel();
        let drafts = drafts.worthwhile(&self.device);
        if drafts.rows() > self.draft_logits.dims()[0] {
            let vocab = self.decoder.config.vocab_size;
            self.draft_logits = self.decoder.ops.alloc_f32(drafts.rows(), vocab);
        }
        self.speculation.drafts = drafts;
    }

    /// Turns drafts on or off for the next steps; `None` while steps of the other kind have to come back first.
    pub(crate) fn drafts_on(&mut self, run: &mut Run) -> Option<bool> {
        let in_flight: usize = run.in_flight.iter().map(|batch| batch.steps).sum();
        let known = run.prompt.len() + run.generated.len();
        // The first token's time is not known before it came, and no step may write past the context.
        let fits = known + ROWS * (in_flight + 1) <= self.decoder.n_ctx;
        let wanted = fits && !run.generated.is_empty() && self.speculation.pays(self.ms_per_token);
        if wanted == self.speculation.on {
            return Some(wanted);
        }
        if in_flight > 0 {
            return None;
        }
        // No draft has been made yet; or the last one is not wanted any more. Rounds count from 0.
        self.write_state(N_TOKENS, vec![1]);
        let most = if wanted { ROWS as u32 - 1 } else { 0 };
        self.write_state(DRAFT, vec![most, 0]);
        self.speculation.on = wanted;
        self.speculation.round = 0;
        self.speculation.foreseen.clear();
        self.speculation.hits = 0;
        run.launched = run.generated.len();
        Some(wanted)
    }

    /// Launches steps that check drafts until enough are in flight.
    pub(crate) fn launch_drafts(&mut self, run: &mut Run) -> Result<()> {
        const SLOTS: usize = RING_LEN / ROWS;
        let ms = self.speculation.step_ms(self.ms_per_token);
        let batch_ms = batch_ms(self.device.info().readback_ms);
        let depth = if !self.device.is_gpu() || ms > batch_ms {
            1
        } else {
            2
        };
        let batch = match self.device.is_gpu() && ms > 0.0 {
            true => ((batch_ms / ms) as usize).clamp(1, SLOTS / 2),
            false => 1,
        };
        loop {
            let in_flight: usize = run.in_flight.iter().map(|batch| batch.steps).sum();
            let known = run.prompt.len() + run.generated.len();
            // Each step may bring ROWS tokens.
            let fit = (self.decoder.n_ctx - known) / ROWS - in_flight;
            let wanted = (run.max_tokens - run.generated.len()) as f64;
            let expected = (wanted / (1.0 + self.speculation.gain)).ceil() as usize;
            let needed = expected.saturating_sub(in_flight);
            let slot = self.speculation.round % SLOTS;
            let steps = batch.min(fit).min(needed).min(SLOTS - slot);
            if run.in_flight.len() >= depth || steps == 0 {
                return Ok(());
            }
            for _ in 0..steps {
                self.draft_step()?;
            }
            self.speculation.round += steps;
            self.stats.draft_steps += steps as u64;
            let words = self.read_back(RING + slot * ROWS, steps * ROWS)?;
            run.in_flight.push_back(Batch {
                steps,
                drafts: true,
                words,
                logits: None,
            });
        }
    }

    /// Runs a step that checks the drafts of the one before and makes new ones.
    pub(crate) fn draft_step(&mut self) -> Result<()> {
        if let Some(graph) = &self.draft_graph {
            graph.replay()?;
            self.stats.draft_replays += 1;
            return Ok(());
        }
        let state = self.state()?;
        let x = self.decoder.forward(&state, &mut self.cache, ROWS);
        let logits = (self.decoder).all_logits(&x, &state, self.draft_logits.clone());
        drop(state);
        self.sample_from(logits);
        Ok(())
    }

    /// The ids in the records of steps that checked drafts, `ms` after the last ones.
    pub(crate) fn drafted_ids(&mut self, run: &mut Run, records: &[u32], ms: f64) -> Vec<u32> {
        let steps = records.len() / ROWS;
        self.speculation.ms_per_step = smooth(self.speculation.ms_per_step, ms / steps as f64);
        let mut ids = Vec::new();
        for record in records.chunks_exact(ROWS) {
            let count = (record[0] >> 24 & 15).min(ROWS as u32) as usize;
            let (drafted, accepted) = ((record[0] >> 28) as usize, count.saturating_sub(1));
            self.stats.drafted += drafted as u64;
            self.stats.accepted += accepted as u64;
            run.predictions.accepted_prediction_tokens += accepted;
            run.predictions.rejected_prediction_tokens += drafted.saturating_sub(accepted);
            self.speculation.brought(accepted);
            let mut record = record.to_vec();
            record[0] &= 0xff_ffff;
            ids.extend_from_slice(&record[..count]);
        }
        ids
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(ids: &[u32]) -> Speculation {
        let mut speculation = Speculation::new(Drafts::Auto);
        speculation.start(&[1, 2, 3]);
        ids.iter().for_each(|id| speculation.saw(*id));
        speculation
    }

    #[test]
    fn a_repetition_turns_drafts_on_and_news_turn_them_off() {
        let repeated: Vec<u32> = (0..120).map(|i| 10 + i % 5).collect();
        let mut speculation = after(&repeated);
        assert!(speculation.gain > 6.0, "{}", speculation.gain);
        assert!(speculation.pays(1.0));
        (1000..1040).for_each(|id| speculation.saw(id));
        assert!(!speculation.pays(1.0), "{}", speculation.gain);
    }

    #[test]
    fn what_a_step_takes_decides() {
        let repeated: Vec<u32> = (0..120).map(|i| 10 + i % 5).collect();
        let mut speculation = after(&repeated);
        speculation.ms_per_step = 9.0;
        assert!(!speculation.pays(1.0));
        speculation.ms_per_step = 2.0;
        assert!(speculation.pays(1.0));
        speculation.drafts = Drafts::Off;
        assert!(!speculation.pays(1.0));
    }

    /// A step that would have been: the hits of its draft, and the token after them.
    #[test]
    fn what_drafts_would_bring_is_counted_in_steps() {
        // 5 6 7 8 9 again: the draft after "5 6" is 7 8 9 5 6 7 8.
        let speculation = after(&[5, 6, 7, 8, 9, 5, 6, 7, 8, 9, 0]);
        let expected = LATEST * 3.0;
        assert!(
            (speculation.gain - expected).abs() < 1e-9,
            "{}",
            speculation.gain
        );
    }
}
