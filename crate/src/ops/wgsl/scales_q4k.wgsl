// Scales of Q4K: eight blocks share a vector: f16 d | f16 dmin, two words with six bits of scale and the lower two of the
// minimum for each block, a word of nibbles with the minima's upper four. A row is whole eights of blocks.
@group(0) @binding(1) var<storage, read_write> scales: array<vec4<u32>>; // [rows, cols / 256]

// Returns the place of block i, since rows are not padded.
fn padded(i: u32) -> u32 {
    return i;
}

// Returns d and m of the block at `at`.
fn scale_and_minimum(at: u32) -> vec2<f32> {
    let words = scales[at / 8u];
    let dm = unpack2x16float(words.x);
    let byte = at % 4u * 8u;
    let is_late = (at & 4u) != 0u;
    let low = select(words.y, words.z, is_late) >> byte;
    let high = select(words.w, words.w >> 4u, is_late) >> byte;
    return vec2<f32>(dm.x * f32(low & 63u), -dm.y * f32(((low >> 6u) & 3u) | ((high & 15u) << 2u)));
}
