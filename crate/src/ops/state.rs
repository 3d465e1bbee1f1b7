//! The layout of the state buffer (`StepState` holds it): everything that changes between two launches of the same kernels.
//!
//! It is one small u32 tensor that lives as long as a session. Kernels read the position, the number of tokens and
//! the ids from it; the sampler writes the next id and advances the position. A decode step therefore needs nothing
//! from the host, and its captured graph can be replayed token after token. Rust and WGSL name its words by one list.
//!
//! ```text
//! word   0  POS          position of ids[0] in the context
//!        1  N_TOKENS     tokens in this step: a prefill chunk's length, or 1, or 1 and the drafts after it
//!        2  STEP         tokens sampled so far in this request; output ring index = STEP % RING
//!        3  TEMPERATURE  f32 bits; 0 means greedy
//!        4  TOP_K        0 means off
//!        5  TOP_P        f32 bits; 1 means off
//!        6  MIN_P        f32 bits; 0 means off
//!        7  SEED
//!        8  TYPICAL_P    f32 bits; 1 means off
//!        9  REPETITION   f32 bits; 1 means off
//!       10  FREQUENCY    f32 bits; 0 means off
//!       11  PRESENCE     f32 bits; 0 means off
//!       12  ADJUST       bits: 1 if a penalty or a bias changes the logits, 2 if tokens are restricted to allowed ones
//!       13  DRAFT        maximum number of tokens to draft for a step that checks drafts
//!       14  ROUND        number of draft-checking steps so far
//!  16..80  RING         the sampled ids, read back by the host; with BROKEN set if the logits were not finite
//!  80..    IDS          the ids of this step
//! ```

use super::kernel::Module;
use hearth_modelfile::sampling::SAMPLING_WORDS;

/// Defines constants for Rust, and the same ones for WGSL.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident: $type:ident = $value:expr;)+) => {
        $($(#[$doc])* pub const $name: $type = $value;)+

        /// The module with these constants.
        pub(super) static WGSL: Module = Module::new(
            "state",
            concat!($("const ", stringify!($name), ": u32 = ", stringify!($value), ";\n"),+),
        );
    };
}

words! {
    /// Position of the step's first token in the context.
    POS: usize = 0;
    /// Number of tokens in the step.
    N_TOKENS: usize = 1;
    /// Number of tokens sampled in this request.
    STEP: usize = 2;
    /// First of the sampling parameters.
    TEMPERATURE: usize = 3;
    /// Number of most likely tokens to keep; 0 is off.
    TOP_K: usize = 4;
    /// Probability mass of the most likely tokens to keep; 1 is off.
    TOP_P: usize = 5;
    /// Minimum probability of tokens to keep, relative to the most likely one; 0 is off.
    MIN_P: usize = 6;
    /// Seed of the random numbers.
    SEED: usize = 7;
    /// Probability mass of the tokens to keep whose surprise is nearest to the expected one; 1 is off.
    TYPICAL_P: usize = 8;
    /// Divisor of the logits of tokens in the prompt or the answer; 1 is off.
    REPETITION: usize = 9;
    /// Amount subtracted from a logit for each time the token was generated.
    FREQUENCY: usize = 10;
    /// Amount subtracted from a logit if the token was generated.
    PRESENCE: usize = 11;
    /// Flags for how the sampler's memory adjusts the logits: [`PENALISED`], [`MASKED`] or both.
    ADJUST: usize = 12;
    /// Maximum number of tokens to draft for a step that checks drafts.
    DRAFT: usize = 13;
    /// Number of steps that checked drafts; it also numbers their records in the ring.
    ROUND: usize = 14;
    /// First word of the ring of sampled ids.
    RING: usize = 16;
    /// Length of the ring: the maximum number of tokens in flight between GPU and host.
    RING_LEN: usize = 64;
    /// First word of the step's token ids.
    IDS: usize = RING + RING_LEN;
    /// Penalties and biases apply.
    PENALISED: u32 = 1;
    /// Only tokens whose bit is set are allowed.
    MASKED: u32 = 2;
    /// Flag in a sampled id, or in the first id of a record of several: the logits were not finite. It lies above
    /// any id and below a record's count fields.
    BROKEN: u32 = 1 << 23;
}

pub use hearth_modelfile::config::MAX_CHUNK;
/// Words in the state buffer of a decoder.
pub const STATE_WORDS: usize = IDS + MAX_CHUNK;

// The host writes STEP and the sampling parameters, whose declarations have their words, as one run of words.
const _: () = {
    assert!(TEMPERATURE == SAMPLING_WORDS.temperature && TOP_K == SAMPLING_WORDS.top_k);
    assert!(TOP_P == SAMPLING_WORDS.top_p && MIN_P == SAMPLING_WORDS.min_p);
    assert!(SEED == SAMPLING_WORDS.seed && TYPICAL_P == SAMPLING_WORDS.typical_p);
    assert!(REPETITION == SAMPLING_WORDS.repetition_penalty);
    assert!(FREQUENCY == SAMPLING_WORDS.frequency_penalty);
    assert!(PRESENCE == SAMPLING_WORDS.presence_penalty);
    assert!(TEMPERATURE == STEP + 1 && ADJUST == PRESENCE + 1);
    assert!(DRAFT == ADJUST + 1 && ROUND == DRAFT + 1);
    assert!(N_TOKENS == POS + 1);
};
