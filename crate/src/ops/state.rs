//! The state buffer: everything that changes between two launches of the same kernels.
//!
//! One small u32 tensor that lives as long as a session. Kernels read the position, the number of tokens and
//! the ids from it; the sampler writes the next id and moves the position on. So a decode step needs nothing
//! from the host, and a captured graph of it can be replayed token after token.
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
//!       12  ADJUST       bits: 1 if a penalty or a bias changes the logits, 2 if only allowed tokens may come
//!       13  DRAFT        most tokens to draft for a step that checks drafts
//!       14  ROUND        steps of that kind so far
//!  16..80  RING         the sampled ids, read back by the host; with BROKEN where the logits were not numbers
//!  80..    IDS          the ids of this step
//! ```

/// In a sampled id, or in the first of a record of several: the logits were not numbers. Above any id, below what a record
/// says of itself.
pub const BROKEN: u32 = 1 << 23;

/// Position of the step's first token in the context.
pub const POS: usize = 0;
/// Number of tokens in the step.
pub const N_TOKENS: usize = 1;
/// Number of tokens sampled in this request.
pub const STEP: usize = 2;
/// First of the sampling parameters.
pub const TEMPERATURE: usize = 3;
/// Keep the k most likely tokens; 0 is off.
pub const TOP_K: usize = 4;
/// Keep the most likely tokens whose probabilities reach p; 1 is off.
pub const TOP_P: usize = 5;
/// Keep tokens at least min_p times as likely as the most likely one; 0 is off.
pub const MIN_P: usize = 6;
/// Seed of the random numbers.
pub const SEED: usize = 7;
/// Keep the tokens whose surprise is nearest to the expected one and whose probabilities reach p; 1 is off.
pub const TYPICAL_P: usize = 8;
/// Divides the logits of what has been read or written; 1 is off.
pub const REPETITION: usize = 9;
/// Taken off a logit for each time the token was written.
pub const FREQUENCY: usize = 10;
/// Taken off a logit if the token was written.
pub const PRESENCE: usize = 11;
/// How the logits are adjusted by what is in the sampler's memory: [`PENALISED`], [`MASKED`] or both.
pub const ADJUST: usize = 12;
/// By penalties and biases.
pub const PENALISED: u32 = 1;
/// Only tokens whose bit is set may come.
pub const MASKED: u32 = 2;
/// Most tokens to draft for a step that checks drafts.
pub const DRAFT: usize = 13;
/// Steps that checked drafts; their records in the ring are numbered by it.
pub const ROUND: usize = 14;
/// First word of the ring of sampled ids.
pub const RING: usize = 16;
/// Length of the ring: the most tokens that may be in flight between GPU and host.
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
