// IQ2_S: a block = 2 words: the lower 8 bits of four indices; signs.
const SCALE_WORDS: u32 = 5u; // f16 d; a byte for each block, a nibble for each half; the upper two bits of the indices, a byte for each block
const GRID_WORDS: u32 = 512u;

struct Words { low: u32, signs: u32, high: u32 }

fn load_words(i: u32) -> Words {
    return Words(quants[2u * i], quants[2u * i + 1u], byte_of(i, 3u));
}

// Returns entry and signs of eight weights.
fn piece(w: Words, k: u32) -> vec2<u32> {
    let index = ((w.low >> (8u * k)) & 255u) | (((w.high >> (2u * k)) & 3u) << 8u);
    return vec2<u32>(entry(index), w.signs >> (8u * k));
}

// Returns the scales of the halves of block i.
fn halves(w: Words, i: u32) -> vec2<f32> {
    let s = byte_of(i, 1u);
    return (vec2<f32>(f32(s & 15u), f32(s >> 4u)) + 0.5) * (0.25 * unit_scale(i));
}
