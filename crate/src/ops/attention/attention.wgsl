// out[t, h, :] = softmax_j(q[t, h, :] . K[g, j, :] * SCALE) V[g, j, :],  j = first_seen ..= last_seen,  g = h / GROUP
//
// grid: (N_HEADS / HEADS, ceil(T / TOKENS), SPLITS). A workgroup takes ROWS queries, HEADS heads of one key/value
// head times TOKENS tokens, over one span of the context, so that K and V are loaded once for all of them. It walks
// the span in tiles of WG positions: every thread scores one position, then the threads share the output columns and
// the positions of the tile. Online softmax: earlier sums are rescaled when a larger score is found.
// With SPLITS > 1, for one token, spans are left unmerged: merge.wgsl merges them.
// Milakov & Gimelshein 2018, arXiv:1805.02867; Dao et al. 2023, "Flash-Decoding".
//
// Modules: state, split_span, queries_ready or queries_projected, which have the tensors, seen or seen_ranges, sinks or
// sinks_none, alibi or alibi_none, the cache as kv_f32, kv_f16 or kv_q8, and scores_by_position or scores_by_column.
// Constants from the header:
//   N_HEADS: u32
//   GROUP: u32, query heads per key/value head
//   HEADS: u32, of these, per workgroup
//   TOKENS: u32
//   HEAD_DIM4: u32, at most WG
//   N_CTX: u32
//   SCALE: f32
//   SOFTCAP: f32, 0 for none
//   VALUES_ARE_KEYS: bool, the cache of keys is that of values, and the other one is not read

const ROWS: u32 = HEADS * TOKENS; // at most 8
const SLICE: u32 = 8u; // positions of a tile that one thread sums for one row
const SLICES: u32 = WG / SLICE;
const PARTS: u32 = WG / HEAD_DIM4; // threads that share an output column
const LOWEST: f32 = -3.0e38;

var<workgroup> query: array<vec4<f32>, ROWS * HEAD_DIM4>; // [ROWS, HEAD_DIM4], scaled
var<workgroup> scores: array<f32, ROWS * WG>; // [ROWS, WG]
var<workgroup> slices: array<f32, WG>; // [8, SLICES]
var<workgroup> parts: array<vec4<f32>, WG>; // [PARTS, HEAD_DIM4]
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
    launch: Launch,
    @builtin(local_invocation_index) lid: u32,
) {
    let wg = launch.wg;
    let h0 = wg.x * HEADS;
    let t0 = wg.y * TOKENS;
    let live = min(TOKENS, max(state[N_TOKENS], t0) - t0); // live tokens of this workgroup
    if (lid == 0u) {
        let end = select(0u, min(last_seen(t0 + max(live, 1u) - 1u) + 1u, N_CTX), live > 0u);
        let first = min(first_of(t0), end);
        let span = split_span(end - first);
        let begin = min(first + wg.z * span, end);
        shared_span = vec2<u32>(begin, min(begin + span, end));
    }
    let span = workgroupUniformLoad(&shared_span);
    if (SPLITS > 1u && span.x >= span.y) {
        return;
    }
    stage_queries(lid, h0, t0, live, span.y);
    workgroupBarrier();
    let first_row = h0 / GROUP * N_CTX;

    // This thread's place in each of the two ways to divide the work.
    let my_row = lid / SLICES;
    let my_slice = lid % SLICES;
    let part = lid / HEAD_DIM4;
    let column = lid % HEAD_DIM4;
    var my_sum = 0.0;
    var top: array<f32, ROWS>;
    var acc: array<vec4<f32>, ROWS>;
    for (var r = 0u; r < ROWS; r++) {
        top[r] = select(LOWEST, sink(h0 + r % HEADS), wg.z == 0u);
    }
    if (SINKS && wg.z == 0u && my_slice == 0u) {
        my_sum = 1.0;
    }
    for (var base = span.x; base < span.y; base += WG) {
        let j = base + lid;
        var score = tile_scores(lid, base, span.y, first_row, launch);
        for (var r = 0u; r < ROWS; r++) {
            let t = t0 + r / HEADS;
            let seen = j < span.y && j <= last_seen(t) && j >= first_of(t);
            score[r] = select(LOWEST, distanced(capped(score[r]), h0 + r % HEADS, t, j), seen);
            scores[r * WG + lid] = score[r];
        }
        workgroupBarrier();
        if (my_row < ROWS) {
            var peak = LOWEST;
            for (var i = 0u; i < SLICE; i++) {
                peak = max(peak, scores[my_row * WG + my_slice * SLICE + i]);
            }
            slices[lid] = peak;
        }
        workgroupBarrier();
        for (var r = 0u; r < ROWS; r++) {
            var new_top = top[r];
            for (var i = 0u; i < SLICES; i++) {
                new_top = max(new_top, slices[r * SLICES + i]);
            }
            let rescale = exp(top[r] - new_top);
            top[r] = new_top;
            acc[r] *= rescale;
            my_sum *= select(1.0, rescale, r == my_row);
            scores[r * WG + lid] = exp(score[r] - new_top);
        }
        workgroupBarrier();
        if (my_row < ROWS) {
            for (var i = 0u; i < SLICE; i++) {
                my_sum += scores[my_row * WG + my_slice * SLICE + i];
            }
        }
        if (part < PARTS) {
            let tile = min(WG, span.y - base);
            for (var i = part; i < tile; i += PARTS) {
                let v = load_v(first_row + base + i, column);
                for (var r = 0u; r < ROWS; r++) {
                    acc[r] += scores[r * WG + i] * v;
                }
            }
        }
        workgroupBarrier();
    }

    slices[lid] = my_sum;
    for (var r = 0u; r < ROWS; r++) {
        parts[lid] = acc[r];
        workgroupBarrier();
        let t = r / HEADS;
        let h = h0 + r % HEADS;
        if (part == 0u && t < live && span.x < span.y) {
            var sum = 0.0;
            for (var i = 0u; i < SLICES; i++) {
                sum += slices[r * SLICES + i];
            }
            var total = parts[column];
            for (var i = 1u; i < PARTS; i++) {
                total += parts[i * HEAD_DIM4 + column];
            }
            if (SPLITS == 1u) {
                out[((t0 + t) * N_HEADS + h) * HEAD_DIM4 + column] = total / sum;
            } else {
                let at = (h * SPLITS + wg.z) * (HEAD_DIM4 + 1u);
                out[at + column] = total;
                if (column == 0u) {
                    out[at + HEAD_DIM4] = vec4<f32>(top[r], sum, 0.0, 0.0);
                }
            }
        }
        workgroupBarrier();
    }
}
