//! When decoding with drafts pays.
//!
//! A step that checks the seven tokens of a draft reads the weights once for all of them, so where memory is the
//! limit it costs little more than a plain one and may bring eight tokens. What comes is what plain decoding gives:
//! the sampler accepts a drafted token only if it is the one it would have drawn. While drafts are off, the host
//! makes them anyway and compares, which costs the device nothing and tells when to turn them on.
//! OpenAI's usage has a place for what came of them: accepted and rejected prediction tokens.

use serde::{Deserialize, Serialize};

use crate::device::Device;
use crate::engine::stepper::smooth;
use crate::ops::sampling::draft::{ROWS, draft};

/// Whether drafts are made and checked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
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
    /// takes eight times as long (8.5 times, measured on lavapipe), and its kernels need not be compiled. Drafts are off
    /// for a model whose layers cannot take back a token that was wrong.
    pub(crate) fn worthwhile(self, device: &Device, takes_drafts: bool) -> Self {
        match self {
            _ if !takes_drafts => Drafts::Off,
            Drafts::Auto if device.is_gpu() && device.measured().decode_threads_per_tile == 1 => {
                Drafts::Off
            }
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

/// Decides whether steps check drafts: keeps the setting and measures the gain.
pub(crate) struct DraftPolicy {
    pub(crate) drafts: Drafts,
    /// Steps check drafts now.
    on: bool,
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

impl DraftPolicy {
    pub(crate) fn new(drafts: Drafts) -> Self {
        Self {
            drafts,
            on: false,
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

    /// Turns drafts on or off.
    pub(crate) fn turn(&mut self, on: bool) {
        self.on = on;
        self.foreseen.clear();
        self.hits = 0;
    }

    /// Notes that a step that checked drafts took `ms`.
    pub(crate) fn took(&mut self, ms: f64) {
        self.ms_per_step = smooth(self.ms_per_step, ms);
    }

    /// Notes that a step brought this many tokens that had been drafted.
    pub(crate) fn brought(&mut self, drafted: usize) {
        self.gain += LATEST * (drafted as f64 - self.gain);
    }

    /// Notes a token of the answer.
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
    pub(crate) fn step_ms(&self, ms_per_token: f64) -> f64 {
        match self.ms_per_step {
            ms if ms > 0.0 => ms,
            _ => HOPED_COST * ms_per_token,
        }
    }

    /// Returns the number of steps expected to bring `tokens`.
    pub(crate) fn steps_for(&self, tokens: usize) -> usize {
        (tokens as f64 / (1.0 + self.gain)).ceil() as usize
    }

    /// Whether drafts should be on, where a plain token takes `ms_per_token`.
    pub(crate) fn pays(&self, ms_per_token: f64) -> bool {
        let margin = if self.on { 1.0 } else { MARGIN };
        match self.drafts {
            Drafts::Off => false,
            Drafts::Always => true,
            Drafts::Auto => (1.0 + self.gain) * ms_per_token > margin * self.step_ms(ms_per_token),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(ids: &[u32]) -> DraftPolicy {
        let mut policy = DraftPolicy::new(Drafts::Auto);
        policy.start(&[1, 2, 3]);
        ids.iter().for_each(|id| policy.saw(*id));
        policy
    }

    #[test]
    fn a_repetition_turns_drafts_on_and_news_turn_them_off() {
        let repeated: Vec<u32> = (0..120).map(|i| 10 + i % 5).collect();
        let mut policy = after(&repeated);
        assert!(policy.gain > 6.0, "{}", policy.gain);
        assert!(policy.pays(1.0));
        (1000..1040).for_each(|id| policy.saw(id));
        assert!(!policy.pays(1.0), "{}", policy.gain);
    }

    #[test]
    fn what_a_step_takes_decides() {
        let repeated: Vec<u32> = (0..120).map(|i| 10 + i % 5).collect();
        let mut policy = after(&repeated);
        policy.ms_per_step = 9.0;
        assert!(!policy.pays(1.0));
        policy.ms_per_step = 2.0;
        assert!(policy.pays(1.0));
        policy.drafts = Drafts::Off;
        assert!(!policy.pays(1.0));
    }

    /// A step that would have been: the hits of its draft, and the token after them.
    #[test]
    fn what_drafts_would_bring_is_counted_in_steps() {
        // 5 6 7 8 9 again: the draft after "5 6" is 7 8 9 5 6 7 8.
        let policy = after(&[5, 6, 7, 8, 9, 5, 6, 7, 8, 9, 0]);
        let expected = LATEST * 3.0;
        assert!((policy.gain - expected).abs() < 1e-9, "{}", policy.gain);
    }
}
