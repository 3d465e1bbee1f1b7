// Constants from the header:
//   WINDOW: u32, positions that a query sees up to and including its own; 0 for all
//   SPLITS: u32, maximum number of spans that a context is divided into
//   TILE: u32

// Returns the positions per span when `len` are divided: whole tiles, as few as SPLITS spans allow.
fn split_span(len: u32) -> u32 {
    return max((len + SPLITS * TILE - 1u) / (SPLITS * TILE), 1u) * TILE;
}

// Returns the first position that a query at `pos` sees.
fn first_seen(pos: u32) -> u32 {
    return select(0u, max(pos + 1u, WINDOW) - WINDOW, WINDOW > 0u);
}
