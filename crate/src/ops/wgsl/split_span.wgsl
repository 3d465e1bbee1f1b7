const SPLITS: u32 = {{ SPLITS }}u; // most spans that a context is divided into
const TILE: u32 = {{ TILE }}u;

// Positions of a span when `len` are divided: whole tiles, as few as SPLITS spans allow.
fn split_span(len: u32) -> u32 {
    return max((len + SPLITS * TILE - 1u) / (SPLITS * TILE), 1u) * TILE;
}
