// Formats with a grid: magnitudes of 32 weights are entries of a grid, four or eight weights each; the halves of a block
// have a scale each, or the same one.
//
// Modules: grid_iq*, the format; grid_of_four, grid_of_eight or grid_of_three, its entries; grid_copied or grid_in_place, where
// they are.
const BLOCK_VECS: u32 = 8u; // vec4s of weights in a block
const WEIGHT_BUFFERS: u32 = 2u;
@group(0) @binding(0) var<storage, read_write> quants: array<u32>; // [rows, cols / 32, words of a block]
@group(0) @binding(1) var<storage, read_write> scales: array<u32>; // [rows, cols / 256, SCALE_WORDS], then [GRID_WORDS]

// Returns d of the unit that holds block i.
fn unit_scale(i: u32) -> f32 {
    return unpack2x16float(scales[i / 8u * SCALE_WORDS]).x;
}

// Returns the word of block i in a list of one byte for each, which begins at word `first` of the unit's scales.
fn byte_of(i: u32, first: u32) -> u32 {
    return (scales[i / 8u * SCALE_WORDS + first + i / 4u % 2u] >> (i % 4u * 8u)) & 255u;
}

// Completes seven signs: the number of negative weights is even.
fn with_eighth(signs: u32) -> u32 {
    return signs | ((countOneBits(signs) & 1u) << 7u);
}

// Negates the numbers whose bit is set.
fn signed(v: vec4<f32>, signs: u32) -> vec4<f32> {
    return select(v, -v, (vec4<u32>(signs) & vec4<u32>(1u, 2u, 4u, 8u)) != vec4<u32>(0u));
}

// Eight weights without their scale.
struct Eight { a: vec4<f32>, b: vec4<f32> }

fn eight(w: Words, k: u32) -> Eight {
    let piece = piece(w, k);
    return Eight(
        signed(magnitudes(piece.x), piece.y),
        signed(magnitudes(piece.x >> NEXT_FOUR), piece.y >> 4u),
    );
}

// 32 weights in column order.
struct Block {
    a: vec4<f32>, b: vec4<f32>, c: vec4<f32>, d: vec4<f32>,
    e: vec4<f32>, f: vec4<f32>, g: vec4<f32>, h: vec4<f32>,
}

fn unpack_block(i: u32) -> Block {
    let w = load_words(i);
    let d = halves(w, i);
    let p = eight(w, 0u);
    let q = eight(w, 1u);
    let r = eight(w, 2u);
    let s = eight(w, 3u);
    return Block(p.a * d.x, p.b * d.x, q.a * d.x, q.b * d.x, r.a * d.y, r.b * d.y, s.a * d.y, s.b * d.y);
}
