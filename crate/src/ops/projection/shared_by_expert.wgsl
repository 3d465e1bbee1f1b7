// Tiles of slots routed to the same expert, multiplied by its weight rows.
//
// Constants from the header:
//   TOKENS: u32, per tile
//   TILES: u32
//   SHARE: u32, slots that read the same row of x
//   FIRST_EXPERT: u32, in this part of the weight
//   N_EXPERTS: u32

// [3 * TILES + slots], ops/experts/group.rs
@group(0) @binding(WEIGHT_BUFFERS + 2u) var<storage, read_write> groups: array<u32>;

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
