// y[t, OFFSET + r] = sum_c W[r, c] * x[t, c] for many tokens, in integers   (added to y if ADD)
//
// grid and tile as in linear_shared.wgsl, 32 columns at a time: TILE_ROWS rows of weights as bytes, and the tokens' blocks as
// quantise.wgsl made them, in workgroup memory, from where a thread multiplies four rows by four tokens. Sums of a
// block, or of its halves if their scales differ, are integers, and thus exact. A token's block there is five vec4s, so
// that threads that run together read from different banks.
//
// Modules: state, linear_blocks, linear_output, shared_rows, scaling, a packing (unpack_*) and its integers_*,
// shared_in_order or shared_by_expert.
const INPUT: u32 = 5u; // vec4s of a token's block
const PIECES: u32 = 4u / PARTS; // of 16 bytes that a part has of each token
const WEIGHT: u32 = 3u; // vec4s of a row's block: bytes, bytes, (scale of the first half, of the second, minimum)

var<workgroup> weights: array<vec4<u32>, TILE_ROWS * WEIGHT>;
var<workgroup> inputs: array<vec4<u32>, TOKENS * INPUT>;

// Loads a block of the tile's rows into workgroup memory. Past the last row, the last row is used.
fn load_weights(lid: u32, weight_row: u32, first_row: u32, block: u32) {
    for (var row = lid; row < TILE_ROWS; row += WG) {
        let w = weight_row + min(first_row + row, ROWS - 1u);
        let q = load_integers(w * BLOCKS + block);
        weights[row * WEIGHT] = q.first;
        weights[row * WEIGHT + 1u] = q.second;
        weights[row * WEIGHT + 2u] = bitcast<vec4<u32>>(vec4<f32>(q.scales, q.minimum, 0.0));
    }
}

// Loads a block of the tile's tokens in the same way; zeros for missing tokens.
fn load_inputs(lid: u32, first_token: u32, end: u32, block: u32) {
    for (var i = lid; i < TOKENS * INPUT; i += WG) {
        let token = first_token + i / INPUT;
        var v = vec4<u32>(0u);
        if (token < end) {
            v = x[(x_row(token) * BLOCKS + block) * INPUT + i % INPUT];
        }
        inputs[i] = v;
    }
}

// Adds 16 products to an integer.
fn dot16(sum: i32, w: vec4<u32>, x: vec4<u32>) -> i32 {
    let first = dot4I8Packed(w.y, x.y) + (dot4I8Packed(w.x, x.x) + sum);
    return dot4I8Packed(w.w, x.w) + (dot4I8Packed(w.z, x.z) + first);
}

// Integers of four rows for four tokens.
struct Integers {
    r0: vec4<i32>, r1: vec4<i32>, r2: vec4<i32>, r3: vec4<i32>,
}

struct Sums {
    r0: vec4<f32>, r1: vec4<f32>, r2: vec4<f32>, r3: vec4<f32>,
}

fn add_row(sums: vec4<i32>, w: vec4<u32>, a: vec4<u32>, b: vec4<u32>, c: vec4<u32>, d: vec4<u32>) -> vec4<i32> {
    return vec4<i32>(dot16(sums.x, w, a), dot16(sums.y, w, b), dot16(sums.z, w, c), dot16(sums.w, w, d));
}

// Adds the products of 16 columns: weights from `w` on, in each row, and tokens' bytes from `at` on.
fn add_piece(sums: ptr<function, Integers>, w: u32, at: u32) {
    let a = inputs[at];
    let b = inputs[at + APART * INPUT];
    let c = inputs[at + 2u * APART * INPUT];
    let d = inputs[at + 3u * APART * INPUT];
    (*sums).r0 = add_row((*sums).r0, weights[w], a, b, c, d);
    (*sums).r1 = add_row((*sums).r1, weights[w + TILE_ROWS / 4u * WEIGHT], a, b, c, d);
    (*sums).r2 = add_row((*sums).r2, weights[w + TILE_ROWS / 2u * WEIGHT], a, b, c, d);
    (*sums).r3 = add_row((*sums).r3, weights[w + TILE_ROWS / 4u * 3u * WEIGHT], a, b, c, d);
}

// Turns sums of high bytes into parts of sums of whole numbers.
fn raise(sums: ptr<function, Integers>) {
    let seven = vec4<u32>(7u);
    (*sums).r0 <<= seven;
    (*sums).r1 <<= seven;
    (*sums).r2 <<= seven;
    (*sums).r3 <<= seven;
}

// Adds a row's integers times the scales of the row and the tokens.
fn add_scaled(sums: vec4<f32>, integers: vec4<i32>, w: u32, half: u32, scales: vec4<f32>) -> vec4<f32> {
    let scale = bitcast<f32>(weights[w][half]);
    return fma(vec4<f32>(scale), scales * vec4<f32>(integers), sums);
}

fn add_integers(sums: ptr<function, Sums>, integers: Integers, w: u32, half: u32, scales: vec4<f32>) {
    (*sums).r0 = add_scaled((*sums).r0, integers.r0, w, half, scales);
    (*sums).r1 = add_scaled((*sums).r1, integers.r1, w + TILE_ROWS / 4u * WEIGHT, half, scales);
    (*sums).r2 = add_scaled((*sums).r2, integers.r2, w + TILE_ROWS / 2u * WEIGHT, half, scales);
    (*sums).r3 = add_scaled((*sums).r3, integers.r3, w + TILE_ROWS / 4u * 3u * WEIGHT, half, scales);
}

fn add_minimum(sums: vec4<f32>, w: u32, x: vec4<f32>) -> vec4<f32> {
    return fma(vec4<f32>(bitcast<f32>(weights[w].z)), x, sums);
}

// Adds the rows' minima times the sums of the tokens' columns.
fn add_minima(sums: ptr<function, Sums>, w: u32, x: vec4<f32>) {
    (*sums).r0 = add_minimum((*sums).r0, w, x);
    (*sums).r1 = add_minimum((*sums).r1, w + TILE_ROWS / 4u * WEIGHT, x);
    (*sums).r2 = add_minimum((*sums).r2, w + TILE_ROWS / 2u * WEIGHT, x);
    (*sums).r3 = add_minimum((*sums).r3, w + TILE_ROWS / 4u * 3u * WEIGHT, x);
}

@compute @workgroup_size(WG)
fn main(
    @builtin(workgroup_id) wg: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lid: u32,
) {
    prepare_weights(lid);
    let tile = tile_at(wg.y);
    if (lid == 0u) {
        tokens_there = tile.end - min(tile.first, tile.end);
    }
    if (workgroupUniformLoad(&tokens_there) == 0u) {
        return;
    }
    let first_row = (wg.z * grid.x + wg.x) * TILE_ROWS;
    let token = lid % APART; // within the tile, the first of four
    let row = lid / APART; // the first of four
    let w = row * WEIGHT;
    let at = token * INPUT;
    var sums = Sums();
    for (var block = 0u; block < BLOCKS; block++) {
        workgroupBarrier();
        load_weights(lid, tile.row, first_row, block);
        load_inputs(lid, tile.first, tile.end, block);
        workgroupBarrier();
        let factors = array<vec2<u32>, 4>(
            inputs[at + 4u].xy,
            inputs[at + APART * INPUT + 4u].xy,
            inputs[at + 2u * APART * INPUT + 4u].xy,
            inputs[at + 3u * APART * INPUT + 4u].xy,
        );
        let scales = bitcast<vec4<f32>>(vec4<u32>(factors[0].x, factors[1].x, factors[2].x, factors[3].x));
        for (var part = 0u; part < PARTS; part++) {
            // The high bytes of the part's columns, then the low ones. A loop, because a compiler that sees all pieces at
            // once reads ahead until it spills registers.
            var integers = Integers();
            for (var piece = 0u; piece < PIECES; piece++) {
                if (piece == PIECES / 2u) {
                    raise(&integers);
                }
                let column = piece % (PIECES / 2u) + part;
                add_piece(&integers, w + column, at + column + 2u * (piece / (PIECES / 2u)));
            }
            add_integers(&sums, integers, w + 2u, part, scales);
        }
        if (HAS_MINIMUM) {
            let x = bitcast<vec4<f32>>(vec4<u32>(factors[0].y, factors[1].y, factors[2].y, factors[3].y));
            add_minima(&sums, w + 2u, x);
        }
    }
    let t = tile.first + token;
    let r = first_row + row;
    write_row(t, tile.end, r, sums.r0);
    write_row(t, tile.end, r + TILE_ROWS / 4u, sums.r1);
    write_row(t, tile.end, r + TILE_ROWS / 2u, sums.r2);
    write_row(t, tile.end, r + TILE_ROWS / 4u * 3u, sums.r3);
}
