// Like rope_append.wgsl, but K and V are stored as bytes: each row is HEAD_DIM / 4 words and the row's largest
// magnitude.
//
// grid: (OUT_HEADS, T); a workgroup handles one head of one token.
//
// Modules: state, rotate, appended, qkv_plain, qkv_params or qkv_centred.
alias Kv2 = u32; // a word of a row

const Q8_ROW: u32 = HEAD_DIM / 4u + 1u;

var<workgroup> values: array<f32, HEAD_DIM>;
var<workgroup> peaks: array<f32, WG>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let head = wg.x;
    let t = wg.y;
    let p = state[POS] + t;
    let row_at = t * ROW;
    let factor = factor_of(row_at, head);
    var peak = 0.0;
    for (var c = lid; c < HEAD_DIM; c += WG) {
        var v = 0.0;
        if (head < N_HEADS + N_KV) {
            v = rotated(row_at, head, c, min(p, N_CTX - 1u), factor);
        } else {
            v = value_of(row_at, head, c, factor);
        }
        values[c] = v;
        peak = max(peak, abs(v));
    }
    peaks[lid] = peak;
    for (var width = WG / 2u; width > 0u; width /= 2u) {
        workgroupBarrier();
        if (lid < width) {
            peaks[lid] = max(peaks[lid], peaks[lid + width]);
        }
    }
    workgroupBarrier();
    if (t >= state[N_TOKENS] || p >= N_CTX) {
        return;
    }
    if (head < N_HEADS) {
        for (var i = lid; i < HALF; i += WG) {
            q[(t * N_HEADS + head) * HALF + i] = vec2<f32>(values[2u * i], values[2u * i + 1u]) * tempered(p);
        }
        return;
    }
    let inverse = select(0.0, 1.0 / peaks[0], peaks[0] > 0.0);
    let row = ((head - N_HEADS) % N_KV * N_CTX + p) * Q8_ROW;
    for (var i = lid; i < Q8_ROW; i += WG) {
        var word = bitcast<u32>(peaks[0]);
        if (i + 1u < Q8_ROW) {
            let at = 4u * i;
            word = pack4x8snorm(inverse * vec4<f32>(values[at], values[at + 1u], values[at + 2u], values[at + 3u]));
        }
        if (head < N_HEADS + N_KV) {
            k_cache[row + i] = word;
        } else {
            v_cache[row + i] = word;
        }
    }
}
