// out[t, h, :] = softmax_j(q[t, h, :] . K[g, j, :] * SCALE) V[g, j, :],  j = 0 ..= POS + t,  g = h / GROUP
//
// grid: (N_HEADS, T). A workgroup walks the context in tiles of WG positions: every thread scores one
// position, then every thread owns the output columns lid, lid + WG, ... Online softmax: the running maximum
// and sum are rescaled tile by tile, so no score is kept. Milakov & Gimelshein 2018, arXiv:1805.02867.
@group(0) @binding(0) var<storage, read_write> q: array<f32>; // [T, N_HEADS * HEAD_DIM]
@group(0) @binding(1) var<storage, read_write> k_cache: array<vec4<f32>>; // [N_KV, N_CTX, HEAD_DIM / 4]
@group(0) @binding(2) var<storage, read_write> v_cache: array<f32>; // [N_KV, N_CTX, HEAD_DIM]
@group(0) @binding(3) var<storage, read_write> state: array<u32>; // [STATE_WORDS]
@group(0) @binding(4) var<storage, read_write> out: array<f32>; // [T, N_HEADS * HEAD_DIM]

const N_HEADS: u32 = {{ N_HEADS }}u;
const GROUP: u32 = {{ GROUP }}u; // query heads of a key/value head
const HEAD_DIM: u32 = {{ HEAD_DIM }}u;
const HEAD_DIM4: u32 = HEAD_DIM / 4u;
const N_CTX: u32 = {{ N_CTX }}u;
const SCALE: f32 = {{ SCALE }};
const WG: u32 = {{ WG }}u;
const OWNED: u32 = (HEAD_DIM + WG - 1u) / WG; // output columns of a thread

var<workgroup> query: array<vec4<f32>, {{ HEAD_DIM4 }}>; // [HEAD_DIM / 4], scaled
var<workgroup> scores: array<f32, {{ WG }}>;
var<workgroup> shared_len: u32;

@compute @workgroup_size({{ WG }})
fn main(
    @builtin(workgroup_id) wg: vec3<u32>,
    @builtin(local_invocation_index) lid: u32,
) {
    let h = wg.x;
    let t = wg.y;
    let q_at = (t * N_HEADS + h) * HEAD_DIM;
    if (lid == 0u) {
        shared_len = select(0u, min(state[0] + t + 1u, N_CTX), t < state[1]);
    }
    for (var i = lid; i < HEAD_DIM4; i += WG) {
        let at = q_at + 4u * i;
        query[i] = vec4<f32>(q[at], q[at + 1u], q[at + 2u], q[at + 3u]) * SCALE;
    }
    let len = workgroupUniformLoad(&shared_len); // positions to attend to
    let cache_at = (h / GROUP) * N_CTX;

    var top = -3.0e38;
    var sum = 0.0;
    var acc: array<f32, OWNED>;
    for (var base = 0u; base < len; base += WG) {
        let tile = min(WG, len - base);
        var score = -3.0e38;
        if (lid < tile) {
            let at = (cache_at + base + lid) * HEAD_DIM4;
            score = 0.0;
            for (var i = 0u; i < HEAD_DIM4; i++) {
                score += dot(query[i], k_cache[at + i]);
            }
        }
        scores[lid] = score;
        workgroupBarrier();
        var new_top = top;
        for (var j = 0u; j < tile; j++) {
            new_top = max(new_top, scores[j]);
        }
        workgroupBarrier();
        scores[lid] = exp(score - new_top);
        workgroupBarrier();
        let rescale = exp(top - new_top);
        top = new_top;
        sum *= rescale;
        for (var j = 0u; j < tile; j++) {
            sum += scores[j];
        }
        for (var i = 0u; i < OWNED; i++) {
            let d = lid + i * WG;
            if (d < HEAD_DIM) {
                var value = acc[i] * rescale;
                for (var j = 0u; j < tile; j++) {
                    value += scores[j] * v_cache[(cache_at + base + j) * HEAD_DIM + d];
                }
                acc[i] = value;
            }
        }
        workgroupBarrier();
    }
    if (len > 0u) {
        for (var i = 0u; i < OWNED; i++) {
            let d = lid + i * WG;
            if (d < HEAD_DIM) {
                out[q_at + d] = acc[i] / sum;
            }
        }
    }
}
