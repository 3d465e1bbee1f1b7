// Queries, keys and values after rotation and append.
//
// Modules: rotate, append_f32 or append_f16, unless Kv2 is declared otherwise.
// Constants from the header:
//   EXTRA_BUFFERS: u32, buffers before the caches: 1 with attn_params
@group(0) @binding(3) var<storage, read_write> q: array<vec2<f32>>; // [T, N_HEADS, HEAD_DIM / 2]
@group(0) @binding(4u + EXTRA_BUFFERS) var<storage, read_write> k_cache: array<Kv2>; // [N_KV, N_CTX, HEAD_DIM / 2]
@group(0) @binding(5u + EXTRA_BUFFERS) var<storage, read_write> v_cache: array<Kv2>; // [N_KV, N_CTX, HEAD_DIM / 2]

const HALF: u32 = HEAD_DIM / 2u;
const OUT_HEADS: u32 = N_HEADS + KEPT_PARTS * N_KV;
