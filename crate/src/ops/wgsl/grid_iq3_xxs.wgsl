// IQ3_XXS: a block = 3 words: eight indices; four times seven signs, and the block's scale above them.
const SCALE_WORDS: u32 = 1u; // f16 d
const GRID_WORDS: u32 = 128u;
// 4, 12, 20, 28, 36, 44, 52, 62
const LOW: vec2<f32> = vec2<f32>(8.0, 4.0);
const HIGH: vec2<f32> = vec2<f32>(10.0, -8.0);

struct Words { q: vec2<u32>, signs: u32 }

fn load_words(i: u32) -> Words {
    return Words(vec2<u32>(quants[3u * i], quants[3u * i + 1u]), quants[3u * i + 2u]);
}

// Returns two entries and the signs of eight weights.
fn piece(w: Words, k: u32) -> vec2<u32> {
    let pair = select(w.q.x, w.q.y, k > 1u) >> (k % 2u * 16u);
    let codes = entry(pair & 255u) | (entry((pair >> 8u) & 255u) << 16u);
    return vec2<u32>(codes, with_eighth((w.signs >> (7u * k)) & 127u));
}

// Returns the scales of the halves of block i.
fn halves(w: Words, i: u32) -> vec2<f32> {
    return vec2<f32>((f32(w.signs >> 28u) + 0.5) * (0.5 * unit_scale(i)));
}
