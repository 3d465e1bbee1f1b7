// Scales of Q4S: one for each block, two of which are in a word; the minimum is -8 d. A row is padded to two blocks.
@group(0) @binding(1) var<storage, read_write> scales: array<u32>; // [rows, ROW_BLOCKS / 2], f16 d | f16 d

const ROW_BLOCKS: u32 = (BLOCKS + 1u) / 2u * 2u;

// Returns the place of block i among the padded rows'.
fn padded(i: u32) -> u32 {
    if (ROW_BLOCKS == BLOCKS) {
        return i;
    }
    return i / BLOCKS * ROW_BLOCKS + i % BLOCKS;
}

// Returns d and m of the block at `at`.
fn scale_and_minimum(at: u32) -> vec2<f32> {
    let d = unpack2x16float(scales[at / 2u] >> (at % 2u * 16u)).x;
    return vec2<f32>(d, -8.0 * d);
}
