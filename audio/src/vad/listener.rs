//! Voice activity in sound that comes in blocks, at a device's own rate.

use hearth_modelfile::Result;

use super::{FRAME, Vad, Voice};
use crate::{SAMPLE_RATE, resample};

/// Parts of a second that are resampled at once: 80 ms, in which all usual rates have whole samples. What lies before and behind is
/// heard by the filter.
const UNITS: (u32, u32) = (2, 25);

/// A detector for one stream.
pub struct Listener {
    vad: Vad,
    voice: Voice,
    rate: u32,
    /// Samples of a unit, in the stream.
    unit: usize,
    /// The last unit that was resampled, and what came after it.
    raw: Vec<f32>,
    /// Samples at 16 kHz that fill no frame yet.
    left: Vec<f32>,
}

impl Listener {
    /// Begins a stream of `rate` samples a second.
    ///
    /// # Errors
    /// [`hearth_modelfile::Error::BadAudio`] for a rate that does not fit, see [`resample::to_16k`], or that has no whole samples in
    /// 80 ms.
    pub fn new(rate: u32) -> Result<Self> {
        crate::wav::check_rate(rate)?;
        let parts = rate * UNITS.0;
        if !parts.is_multiple_of(UNITS.1) {
            return Err(crate::wav::bad_rate(rate));
        }
        let unit = (parts / UNITS.1) as usize;
        Ok(Self {
            vad: Vad::new()?,
            voice: Voice::default(),
            rate,
            unit,
            raw: vec![0.0; unit],
            left: Vec::new(),
        })
    }

    /// Takes the next samples; returns the probabilities of the frames of 32 ms that have become whole, in order.
    ///
    /// # Errors
    /// [`hearth_modelfile::Error::BadAudio`] for samples that are no numbers.
    pub fn hear(&mut self, samples: &[f32]) -> Result<Vec<f32>> {
        self.raw.extend_from_slice(samples);
        // One unit before those that are new, and one behind them.
        let units = (self.raw.len() / self.unit).saturating_sub(2);
        if units == 0 {
            return Ok(Vec::new());
        }
        let all = resample::to_16k(&self.raw[..(units + 2) * self.unit], self.rate)?;
        let unit = (SAMPLE_RATE * UNITS.0 / UNITS.1) as usize;
        self.left.extend_from_slice(&all[unit..(units + 1) * unit]);
        self.raw.drain(..units * self.unit);
        let whole = self.left.len() / FRAME * FRAME;
        let frames: Vec<f32> = self.left.drain(..whole).collect();
        Ok(self.vad.hear(&mut self.voice, &frames))
    }
}
