// IQ3_S: a block = 3 words: the lower 8 bits of eight indices; signs.
const SCALE_WORDS: u32 = 4u; // f16 d; a nibble for each block; the upper bits of the indices, a byte for each block
const GRID_WORDS: u32 = 256u;
// 1, 3, 5, .. 15
const LOW: vec2<f32> = vec2<f32>(2.0, 1.0);
const HIGH: vec2<f32> = vec2<f32>(2.0, 1.0);

struct Words { q: vec2<u32>, signs: u32, high: u32 }

fn load_words(i: u32) -> Words {
    return Words(vec2<u32>(quants[3u * i], quants[3u * i + 1u]), quants[3u * i + 2u], byte_of(i, 2u));
}

// Returns two entries and the signs of eight weights.
fn piece(w: Words, k: u32) -> vec2<u32> {
    let pair = select(w.q.x, w.q.y, k > 1u) >> (k % 2u * 16u);
    let high = w.high >> (2u * k);
    let codes = entry((pair & 255u) | ((high & 1u) << 8u)) |
        (entry(((pair >> 8u) & 255u) | ((high & 2u) << 7u)) << 16u);
    return vec2<u32>(codes, w.signs >> (8u * k));
}

// Returns the scales of the halves of block i.
fn halves(w: Words, i: u32) -> vec2<f32> {
    let s = (scales[i / 8u * SCALE_WORDS + 1u] >> (i % 8u * 4u)) & 15u;
    return vec2<f32>((f32(s) + 0.5) * (2.0 * unit_scale(i)));
}
