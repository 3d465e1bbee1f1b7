// IQ1_S, IQ1_M: a block = 1 word: the lower 8 bits of four indices.
const SCALE_WORDS: u32 = 7u; // f16 d; a byte for each block, a nibble for each half; a nibble for each index: its upper bits, 8 for down

struct Words { low: u32, nibbles: u32 }

fn load_words(i: u32) -> Words {
    return Words(quants[i], scales[i / 8u * SCALE_WORDS + 3u + i % 8u / 2u] >> (i % 2u * 16u));
}

// Returns entry and signs of eight weights. Moved down, they are those moved up with the opposite codes, 2 - c, and signs.
fn piece(w: Words, k: u32) -> vec2<u32> {
    let nibble = w.nibbles >> (4u * k);
    let codes = entry(((w.low >> (8u * k)) & 255u) | ((nibble & 7u) << 8u));
    return select(vec2<u32>(codes, 0u), vec2<u32>(0xaaaau - codes, 255u), (nibble & 8u) != 0u);
}

// Returns the scales of the halves of block i.
fn halves(w: Words, i: u32) -> vec2<f32> {
    let s = byte_of(i, 1u);
    return (vec2<f32>(f32(s & 15u), f32(s >> 4u)) + 0.5) * (0.25 * unit_scale(i));
}
