// q[t, h, :] = tempered(POS + t) rotate(qkv[t, h, :], POS + t);  K[h, POS + t, :] = rotate(...);  V[h, POS + t, :] = qkv[...]
//
// `value_of` returns qkv, with bias and norm if the model has them (qkv_*.wgsl).
// grid: (ceil(OUT_HEADS * HEAD_DIM / 2 / WG), T); a thread handles two neighbouring columns of one head.
//
// Modules: state, rotate, appended, qkv_plain, qkv_params or qkv_centred, append_f32 or append_f16.
@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let head = id.x / HALF;
    let i = id.x % HALF;
    let t = id.y;
    let p = state[POS] + t;
    if (head >= OUT_HEADS || t >= state[N_TOKENS] || p >= N_CTX) {
        return;
    }
    let row_at = t * ROW;
    let factor = factor_of(row_at, head);
    if (head < N_HEADS + N_KV) {
        let v = vec2<f32>(
            rotated(row_at, head, 2u * i, p, factor),
            rotated(row_at, head, 2u * i + 1u, p, factor),
        );
        if (head < N_HEADS) {
            q[(t * N_HEADS + head) * HALF + i] = v * tempered(p);
        } else {
            k_cache[((head - N_HEADS) * N_CTX + p) * HALF + i] = pack2(v);
        }
    } else {
        let v = vec2<f32>(
            value_of(row_at, head, 2u * i, factor),
            value_of(row_at, head, 2u * i + 1u, factor),
        );
        v_cache[((head - N_HEADS - N_KV) * N_CTX + p) * HALF + i] = pack2(v);
    }
}
