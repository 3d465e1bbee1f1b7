// Scales of Q4: a scale and a minimum for each block.
@group(0) @binding(1) var<storage, read_write> scales: array<u32>; // [rows, cols / 32], f16 d | f16 m

// Returns the place of block i, since rows are not padded.
fn padded(i: u32) -> u32 {
    return i;
}

// Returns d and m of the block at `at`.
fn scale_and_minimum(at: u32) -> vec2<f32> {
    return unpack2x16float(scales[at]);
}
