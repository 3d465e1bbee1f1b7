// Tiles of consecutive tokens, all multiplied by the same weight rows.
@group(0) @binding({{ B2 }}) var<storage, read_write> state: array<u32>; // [STATE_WORDS], ops/state.rs

const TOKENS: u32 = {{ TOKENS }}u; // per tile; a workgroup has twice as many threads

fn tile_at(i: u32) -> Tile {
    return Tile(i * TOKENS, min((i + 1u) * TOKENS, state[1]), 0u);
}

fn x_row(token: u32) -> u32 {
    return token;
}

fn y_row(token: u32) -> u32 {
    return token;
}
