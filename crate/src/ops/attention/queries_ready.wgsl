// Queries that rope_append.wgsl has prepared, which also wrote the step's keys and values.
@group(0) @binding(0) var<storage, read_write> q: array<vec4<f32>>; // [T, N_HEADS, HEAD_DIM4]
@group(0) @binding(1) var<storage, read_write> k_cache: array<Kv4>; // [N_KV, N_CTX, HEAD_DIM4 or Q8_ROW], see kv_*.wgsl
@group(0) @binding(2) var<storage, read_write> v_cache: array<Kv4>; // [N_KV, N_CTX, HEAD_DIM4]
@group(0) @binding(3) var<storage, read_write> state: array<u32>; // [STATE_WORDS]
// [T, N_HEADS, HEAD_DIM4], or for SPLITS > 1 [N_HEADS, SPLITS, HEAD_DIM4 + 1] with (peak, sum, 0, 0) as the last vec4
@group(0) @binding(4) var<storage, read_write> out: array<vec4<f32>>;

// Brings the workgroup's queries, scaled, to its memory; `live` of its tokens are tokens of the step.
fn stage_queries(lid: u32, h0: u32, t0: u32, live: u32, end: u32) {
    for (var i = lid; i < ROWS * HEAD_DIM4; i += WG) {
        let row = i / HEAD_DIM4;
        let t = t0 + min(row / HEADS, max(live, 1u) - 1u);
        query[i] = SCALE * q[(t * N_HEADS + h0 + row % HEADS) * HEAD_DIM4 + i % HEAD_DIM4];
    }
}
