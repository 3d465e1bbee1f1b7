// Attention of many tokens: attention.wgsl with up to 32 queries a workgroup, so that K and V are loaded a quarter as often.
//
// grid: (N_HEADS / HEADS, ceil(T / TOKENS)). The span is walked in tiles of TILE positions. Threads divide a tile in three
// ways: each scores one position for half of the queries; four share the softmax of a query; and each sums a column of
// the output for some of the queries.
//
// Modules: state, split_span, seen or seen_ranges, sinks or sinks_none, alibi or alibi_none, and the cache as kv_f32, kv_f16 or kv_q8.
// Constants from the header: as for attention.wgsl; HEAD_DIM4 is at most 32, SPLITS 1
@group(0) @binding(0) var<storage, read_write> q: array<vec4<f32>>; // [T, N_HEADS, HEAD_DIM4]
@group(0) @binding(1) var<storage, read_write> k_cache: array<Kv4>; // [N_KV, N_CTX, HEAD_DIM4 or Q8_ROW], see kv_*.wgsl
@group(0) @binding(2) var<storage, read_write> v_cache: array<Kv4>; // [N_KV, N_CTX, HEAD_DIM4]
@group(0) @binding(3) var<storage, read_write> state: array<u32>; // [STATE_WORDS]
@group(0) @binding(4) var<storage, read_write> out: array<vec4<f32>>; // [T, N_HEADS, HEAD_DIM4]

const ROWS: u32 = HEADS * TOKENS; // at most 32
const HALF: u32 = (ROWS + 1u) / 2u; // queries that a thread scores
const SHARERS: u32 = 4u; // threads that share a query's softmax
const SLICE: u32 = TILE / SHARERS; // positions that one of them takes
const GROUPS: u32 = WG / HEAD_DIM4; // groups of threads that divide the queries of a column
const MINE: u32 = (ROWS + GROUPS - 1u) / GROUPS; // queries of a group
const PITCH: u32 = TILE + 4u; // from one query's scores to the next, so that they are in different banks
const ALL_ROWS: u32 = max(2u * HALF, GROUPS * MINE); // with those that only fill up
const LOWEST: f32 = -3.0e38;

var<workgroup> query: array<vec4<f32>, 2u * HALF * HEAD_DIM4>; // [2 * HALF, HEAD_DIM4], scaled
var<workgroup> scores: array<f32, ALL_ROWS * PITCH>; // [ALL_ROWS, PITCH]
var<workgroup> slices: array<f32, WG>; // [32, SHARERS]
var<workgroup> rescales: array<f32, ALL_ROWS>;
var<workgroup> shared_span: vec2<u32>;

fn capped(score: f32) -> f32 {
    if (SOFTCAP == 0.0) {
        return score;
    }
    // (beyond 15 some devices' tanh returns NaN)
    return SOFTCAP * tanh(clamp(score / select(SOFTCAP, 1.0, SOFTCAP == 0.0), -15.0, 15.0));
}

@compute @workgroup_size(WG)
fn main(
    @builtin(workgroup_id) wg: vec3<u32>,
    @builtin(local_invocation_index) lid: u32,
) {
    let h0 = wg.x * HEADS;
    let t0 = wg.y * TOKENS;
    let live = min(TOKENS, max(state[N_TOKENS], t0) - t0); // live tokens of this workgroup
    if (lid == 0u) {
        let end = select(0u, min(last_seen(t0 + max(live, 1u) - 1u) + 1u, N_CTX), live > 0u);
        shared_span = vec2<u32>(min(first_of(t0), end), end);
    }
    let span = workgroupUniformLoad(&shared_span);
    for (var i = lid; i < 2u * HALF * HEAD_DIM4; i += WG) {
        let row = min(i / HEAD_DIM4, ROWS - 1u);
        let t = t0 + min(row / HEADS, max(live, 1u) - 1u);
        query[i] = SCALE * q[(t * N_HEADS + h0 + row % HEADS) * HEAD_DIM4 + i % HEAD_DIM4];
    }
    workgroupBarrier();
    let first_row = h0 / GROUP * N_CTX;

    // This thread's place in each of the ways to divide the work.
    let position = lid % TILE;
    let first_scored = lid / TILE * HALF;
    let my_row = lid / SHARERS;
    let my_slice = lid % SHARERS;
    let column = lid % HEAD_DIM4;
    let group = lid / HEAD_DIM4;
    let first_mine = group * MINE;
    var top = LOWEST;
    var my_sum = 0.0;
    if (my_row < ROWS) {
        top = sink(h0 + my_row % HEADS);
        my_sum = select(0.0, 1.0, SINKS && my_slice == 0u);
    }
    var acc: array<vec4<f32>, MINE>;
    for (var base = span.x; base < span.y; base += TILE) {
        let j = base + position;
        // Without an initialiser, Chromium's compiler keeps the values of the previous iteration.
        var score = array<f32, HALF>();
        if (j < span.y) {
            for (var i = 0u; i < HEAD_DIM4; i++) {
                let k = load_k(first_row + j, i);
                for (var r = 0u; r < HALF; r++) {
                    score[r] += dot(query[(first_scored + r) * HEAD_DIM4 + i], k);
                }
            }
        }
        for (var r = 0u; r < HALF; r++) {
            let scored = min(first_scored + r, ROWS - 1u);
            let t = t0 + scored / HEADS;
            let seen = j < span.y && j <= last_seen(t) && j >= first_of(t);
            let v = distanced(capped(score[r]), h0 + scored % HEADS, t, j);
            scores[(first_scored + r) * PITCH + position] = select(LOWEST, v, seen);
        }
        workgroupBarrier();
        var peak = LOWEST;
        if (my_row < ROWS) {
            for (var i = 0u; i < SLICE; i++) {
                peak = max(peak, scores[my_row * PITCH + i * SHARERS + my_slice]);
            }
        }
        slices[lid] = peak;
        workgroupBarrier();
        if (my_row < ROWS) {
            var new_top = top;
            for (var i = 0u; i < SHARERS; i++) {
                new_top = max(new_top, slices[my_row * SHARERS + i]);
            }
            let rescale = exp(top - new_top);
            top = new_top;
            my_sum *= rescale;
            for (var i = 0u; i < SLICE; i++) {
                let at = my_row * PITCH + i * SHARERS + my_slice;
                let weight = exp(scores[at] - new_top);
                my_sum += weight;
                scores[at] = weight;
            }
            if (my_slice == 0u) {
                rescales[my_row] = rescale;
            }
        }
        workgroupBarrier();
        if (group < GROUPS) {
            for (var r = 0u; r < MINE; r++) {
                acc[r] *= rescales[first_mine + r];
            }
            let tile = min(TILE, span.y - base);
            for (var i = 0u; i < tile; i++) {
                let v = load_v(first_row + base + i, column);
                for (var r = 0u; r < MINE; r++) {
                    acc[r] += scores[(first_mine + r) * PITCH + i] * v;
                }
            }
        }
        workgroupBarrier();
    }

    slices[lid] = my_sum;
    workgroupBarrier();
    if (group < GROUPS && span.x < span.y) {
        for (var r = 0u; r < MINE; r++) {
            let row = first_mine + r;
            let t = row / HEADS;
            if (row < ROWS && t < live) {
                let at = row * SHARERS;
                let sum = slices[at] + slices[at + 1u] + slices[at + 2u] + slices[at + 3u];
                out[((t0 + t) * N_HEADS + h0 + row % HEADS) * HEAD_DIM4 + column] = acc[r] / sum;
            }
        }
    }
}
