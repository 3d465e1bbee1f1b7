// The positions that a token of a step sees, by its own.
//
// Modules: state, split_span.
// Constants from the header:
//   WINDOW: u32
//   CAUSAL: bool, a query sees no position after its own
//   BLOCK: bool, a query sees every later position of its step, whatever the window; not with CAUSAL

// Returns the first position that the step's token t sees.
fn first_of(t: u32) -> u32 {
    return first_seen(state[POS] + t);
}

// Returns the last position that the step's token t sees.
fn last_seen(t: u32) -> u32 {
    if (CAUSAL) {
        return state[POS] + t;
    }
    let end = max(state[N_TOKENS], 1u) - 1u;
    return state[POS] + select(end, min(end, t + WINDOW - 1u), WINDOW > 0u && !BLOCK);
}
