//! Voice activity: where somebody speaks, in noise too (Silero VAD 6.2.3, MIT, <https://github.com/snakers4/silero-vad>).
//!
//! ```text
//! 512 samples, and 64 before them -> spectrogram of 4 frames -> 4 convolutions -> LSTM -> probability
//! ```

mod cut;
mod listener;
mod network;
mod spans;

pub use cut::Cut;
pub use listener::Listener;
pub use network::{FRAME, Vad, Voice};
pub use spans::{Span, Spans};
