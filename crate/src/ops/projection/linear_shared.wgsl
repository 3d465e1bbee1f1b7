// y[t, OFFSET + r] = sum_c W[r, c] * x[t, c] for many tokens   (added to y if ADD)
//
// grid: (ceil(ROWS / TILE_ROWS) split over x and z, tiles of TOKENS tokens: shared_in_order.wgsl, or shared_by_expert.wgsl
// for a weight of experts and the slots routed to them). A workgroup computes a tile of TILE_ROWS rows and TOKENS
// tokens, 32 columns at a time: weights are unpacked once into workgroup memory, next to the tokens' columns, and each
// thread multiplies eight rows by four tokens from there. A thread's rows are TILE_ROWS / 8 apart and its tokens
// TOKENS / 4, and rows in workgroup memory are padded to 36 numbers instead of 32, so that threads that run together
// read from different banks.
//
// Modules: state, linear_floats, linear_output, shared_rows, scaling, a packing (unpack_*) and its store_block*, shared_in_order or
// shared_by_expert.
const DEPTH: u32 = 8u; // vec4s of columns in workgroup memory
const PITCH: u32 = 9u; // vec4s from one row to the next there
const ROW_STEP: u32 = TILE_ROWS / 8u; // from one row of a thread to the next

var<workgroup> weights: array<vec4<f32>, TILE_ROWS * PITCH>; // [TILE_ROWS, PITCH]
var<workgroup> inputs: array<vec4<f32>, TOKENS * PITCH>; // [TOKENS, PITCH]

// Stores a vec4 of an unpacked block.
fn put(at: u32, v: vec4<f32>) {
    weights[at] = v;
}

// Loads the tile's weights from column `4 * start` on into workgroup memory; zeros past the last column. Past the
// last row, the last row is used.
fn load_weights(lid: u32, weight_row: u32, first_row: u32, start: u32) {
    let per_row = DEPTH / BLOCK_VECS;
    for (var i = lid; i < TILE_ROWS * per_row; i += WG) {
        let row = i / per_row;
        let block = start / BLOCK_VECS + i % per_row;
        let at = row * PITCH + i % per_row * BLOCK_VECS;
        if (block < BLOCKS) {
            let w = weight_row + min(first_row + row, ROWS - 1u);
            store_block(unpack_block(w * BLOCKS + block), at);
        } else {
            for (var v = 0u; v < BLOCK_VECS; v++) {
                put(at + v, vec4<f32>(0.0));
            }
        }
    }
}

// Loads the columns of the tile's tokens in the same way; zeros for missing tokens.
fn load_inputs(lid: u32, first_token: u32, end: u32, start: u32) {
    for (var i = lid; i < TOKENS * DEPTH; i += WG) {
        let token = first_token + i / DEPTH;
        let column = start + i % DEPTH;
        var v = vec4<f32>(0.0);
        if (token < end && column < COLS4) {
            v = x[x_row(token) * COLS4 + column];
        }
        inputs[i / DEPTH * PITCH + i % DEPTH] = v;
    }
}

// Adds w . a, w . b, w . c, w . d to a row's sums for four tokens, one multiply-add after another.
fn add_row(sums: vec4<f32>, w: vec4<f32>, a: vec4<f32>, b: vec4<f32>, c: vec4<f32>, d: vec4<f32>) -> vec4<f32> {
    let first = fma(vec4<f32>(w.x), vec4<f32>(a.x, b.x, c.x, d.x), sums);
    let second = fma(vec4<f32>(w.y), vec4<f32>(a.y, b.y, c.y, d.y), first);
    let third = fma(vec4<f32>(w.z), vec4<f32>(a.z, b.z, c.z, d.z), second);
    return fma(vec4<f32>(w.w), vec4<f32>(a.w, b.w, c.w, d.w), third);
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
    let row = lid / APART; // the first of eight
    // One per row; separate variables, because an array may end up in memory.
    var s0 = vec4<f32>(0.0);
    var s1 = vec4<f32>(0.0);
    var s2 = vec4<f32>(0.0);
    var s3 = vec4<f32>(0.0);
    var s4 = vec4<f32>(0.0);
    var s5 = vec4<f32>(0.0);
    var s6 = vec4<f32>(0.0);
    var s7 = vec4<f32>(0.0);
    for (var start = 0u; start < COLS4; start += DEPTH) {
        workgroupBarrier();
        load_weights(lid, tile.row, first_row, start);
        load_inputs(lid, tile.first, tile.end, start);
        workgroupBarrier();
        for (var k = 0u; k < DEPTH; k++) {
            let a = inputs[token * PITCH + k];
            let b = inputs[(token + APART) * PITCH + k];
            let c = inputs[(token + 2u * APART) * PITCH + k];
            let d = inputs[(token + 3u * APART) * PITCH + k];
            let w = row * PITCH + k;
            s0 = add_row(s0, weights[w], a, b, c, d);
            s1 = add_row(s1, weights[w + ROW_STEP * PITCH], a, b, c, d);
            s2 = add_row(s2, weights[w + 2u * ROW_STEP * PITCH], a, b, c, d);
            s3 = add_row(s3, weights[w + 3u * ROW_STEP * PITCH], a, b, c, d);
            s4 = add_row(s4, weights[w + 4u * ROW_STEP * PITCH], a, b, c, d);
            s5 = add_row(s5, weights[w + 5u * ROW_STEP * PITCH], a, b, c, d);
            s6 = add_row(s6, weights[w + 6u * ROW_STEP * PITCH], a, b, c, d);
            s7 = add_row(s7, weights[w + 7u * ROW_STEP * PITCH], a, b, c, d);
        }
    }
    let t = tile.first + token;
    let r = first_row + row;
    write_row(t, tile.end, r, s0);
    write_row(t, tile.end, r + ROW_STEP, s1);
    write_row(t, tile.end, r + 2u * ROW_STEP, s2);
    write_row(t, tile.end, r + 3u * ROW_STEP, s3);
    write_row(t, tile.end, r + 4u * ROW_STEP, s4);
    write_row(t, tile.end, r + 5u * ROW_STEP, s5);
    write_row(t, tile.end, r + 6u * ROW_STEP, s6);
    write_row(t, tile.end, r + 7u * ROW_STEP, s7);
}
