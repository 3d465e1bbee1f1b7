// IQ2_XXS: a block = 2 words: four indices; four times seven signs, and the block's scale above them.
const SCALE_WORDS: u32 = 1u; // f16 d
const GRID_WORDS: u32 = 128u;

struct Words { q: vec2<u32> }

fn load_words(i: u32) -> Words {
    return Words(vec2<u32>(quants[2u * i], quants[2u * i + 1u]));
}

// Returns entry and signs of eight weights.
fn piece(w: Words, k: u32) -> vec2<u32> {
    return vec2<u32>(entry((w.q.x >> (8u * k)) & 255u), with_eighth((w.q.y >> (7u * k)) & 127u));
}

// Returns the scales of the halves of block i.
fn halves(w: Words, i: u32) -> vec2<f32> {
    return vec2<f32>((f32(w.q.y >> 28u) + 0.5) * (0.25 * unit_scale(i)));
}
