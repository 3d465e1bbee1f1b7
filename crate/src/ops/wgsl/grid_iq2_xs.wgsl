// IQ2_XS: a block = 2 words: four pairs of an index of 9 bits and seven signs.
const SCALE_WORDS: u32 = 3u; // f16 d; a byte for each block, a nibble for each half
const GRID_WORDS: u32 = 256u;

struct Words { q: vec2<u32> }

fn load_words(i: u32) -> Words {
    return Words(vec2<u32>(quants[2u * i], quants[2u * i + 1u]));
}

// Returns entry and signs of eight weights.
fn piece(w: Words, k: u32) -> vec2<u32> {
    let pair = select(w.q.x, w.q.y, k > 1u) >> (k % 2u * 16u);
    return vec2<u32>(entry(pair & 511u), with_eighth((pair >> 9u) & 127u));
}

// Returns the scales of the halves of block i.
fn halves(w: Words, i: u32) -> vec2<f32> {
    let s = byte_of(i, 1u);
    return (vec2<f32>(f32(s & 15u), f32(s >> 4u)) + 0.5) * (0.25 * unit_scale(i));
}
