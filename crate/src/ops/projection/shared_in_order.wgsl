// Tiles of consecutive tokens, all multiplied by the same weight rows.
//
// Constants from the header:
//   TOKENS: u32, per tile
@group(0) @binding(WEIGHT_BUFFERS + 2u) var<storage, read_write> state: array<u32>; // [STATE_WORDS], ops/state.rs

fn tile_at(i: u32) -> Tile {
    return Tile(i * TOKENS, min((i + 1u) * TOKENS, state[N_TOKENS]), 0u);
}

fn x_row(token: u32) -> u32 {
    return token;
}

fn y_row(token: u32) -> u32 {
    return token;
}
