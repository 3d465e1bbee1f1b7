// Tiles of slots routed to the same expert, multiplied by its weight rows.
@group(0) @binding({{ B2 }}) var<storage, read_write> groups: array<u32>; // [3 * TILES + slots], ops/experts/group.rs

const TOKENS: u32 = {{ TOKENS }}u; // per tile; a workgroup has twice as many threads
const TILES: u32 = {{ TILES }}u;
const SHARE: u32 = {{ SHARE }}u; // slots that read the same row of x
const FIRST_EXPERT: u32 = {{ FIRST_EXPERT }}u; // in this part of the weight
const N_EXPERTS: u32 = {{ N_EXPERTS }}u;

fn tile_at(i: u32) -> Tile {
    let expert = groups[3u * i] - FIRST_EXPERT; // wraps below the first
    if (expert >= N_EXPERTS) {
        return Tile(0u, 0u, 0u);
    }
    return Tile(groups[3u * i + 1u], groups[3u * i + 2u], expert * ROWS);
}

fn y_row(place: u32) -> u32 {
    return groups[3u * TILES + place];
}

fn x_row(place: u32) -> u32 {
    return y_row(place) / SHARE;
}
