//! The state buffer: everything that changes between two launches of the same kernels.
//!
//! It is one small u32 tensor that lives as long as a session. Kernels read the position, the number of tokens and
//! the ids from it; the sampler writes the next id and advances the position. A decode step therefore needs nothing
//! from the host, and its captured graph can be replayed token after token.
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

/// Flag in a sampled id, or in the first id of a record of several: the logits were not finite. It lies above any id
/// and below a record's count fields.
pub const BROKEN: u32 = 1 << 23;

/// Position of the step's first token in the context.
pub const POS: usize = 0;
/// Number of tokens in the step.
pub const N_TOKENS: usize = 1;
/// Number of tokens sampled in this request.
pub const STEP: usize = 2;
/// First of the sampling parameters.
pub const TEMPERATURE: usize = 3;
/// Number of most likely tokens to keep; 0 is off.
pub const TOP_K: usize = 4;
/// Probability mass of the most likely tokens to keep; 1 is off.
pub const TOP_P: usize = 5;
/// Minimum probability of tokens to keep, relative to the most likely one; 0 is off.
pub const MIN_P: usize = 6;
/// Seed of the random numbers.
pub const SEED: usize = 7;
/// Probability mass of the tokens to keep whose surprise is nearest to the expected one; 1 is off.
pub const TYPICAL_P: usize = 8;
/// Divisor of the logits of tokens in the prompt or the answer; 1 is off.
pub const REPETITION: usize = 9;
/// Amount subtracted from a logit for each time the token was generated.
pub const FREQUENCY: usize = 10;
/// Amount subtracted from a logit if the token was generated.
pub const PRESENCE: usize = 11;
/// Flags for how the sampler's memory adjusts the logits: [`PENALISED`], [`MASKED`] or both.
pub const ADJUST: usize = 12;
/// Penalties and biases apply.
pub const PENALISED: u32 = 1;
/// Only tokens whose bit is set are allowed.
pub const MASKED: u32 = 2;
/// Maximum number of tokens to draft for a step that checks drafts.
pub const DRAFT: usize = 13;
/// Number of steps that checked drafts; it also numbers their records in the ring.
pub const ROUND: usize = 14;
/// First word of the ring of sampled ids.
pub const RING: usize = 16;
/// Length of the ring: the maximum number of tokens in flight between GPU and host.
pub const RING_LEN: usize = 64;
/// First word of the step's token ids.
pub const IDS: usize = RING + RING_LEN;
pub use hearth_modelfile::config::MAX_CHUNK;
/// Words in the state buffer of a decoder.
pub const STATE_WORDS: usize = IDS + MAX_CHUNK;

// The state's layout is the contract with the kernels: STEP is followed by the sampling parameters.
const _: () = {
    assert!(TEMPERATURE == STEP + 1 && TOP_K == STEP + 2);
    assert!(TOP_P == STEP + 3 && MIN_P == STEP + 4 && SEED == STEP + 5);
    assert!(TYPICAL_P == STEP + 6 && REPETITION == STEP + 7);
    assert!(FREQUENCY == STEP + 8 && PRESENCE == STEP + 9);
    assert!(ADJUST == STEP + 10 && DRAFT == STEP + 11 && ROUND == STEP + 12);
    assert!(N_TOKENS == POS + 1);
};
