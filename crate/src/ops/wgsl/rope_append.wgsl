// q[t, h, :] = rotate(qkv[t, h, :], POS + t);  K[h, POS + t, :] = rotate(...);  V[h, POS + t, :] = qkv[...]
//
// grid: (ceil(PAIRS / WG), T); a thread handles one pair of one head.
@group(0) @binding(0) var<storage, read_write> qkv: array<f32>; // [T, (N_HEADS + 2 * N_KV) * HEAD_DIM]
@group(0) @binding(1) var<storage, read_write> rope: array<vec2<f32>>; // [N_CTX, ROPE_PAIRS], (cos, sin)
@group(0) @binding(2) var<storage, read_write> state: array<u32>; // [STATE_WORDS]
@group(0) @binding(3) var<storage, read_write> q: array<f32>; // [T, N_HEADS * HEAD_DIM]
@group(0) @binding(4) var<storage, read_write> k_cache: array<f32>; // [N_KV, N_CTX, HEAD_DIM]
@group(0) @binding(5) var<storage, read_write> v_cache: array<f32>; // [N_KV, N_CTX, HEAD_DIM]

const N_HEADS: u32 = {{ N_HEADS }}u;
const N_KV: u32 = {{ N_KV }}u;
const HEAD_DIM: u32 = {{ HEAD_DIM }}u;
const ROPE_PAIRS: u32 = {{ ROPE_PAIRS }}u; // rotated pairs of a head; the rest passes through
const N_CTX: u32 = {{ N_CTX }}u;
const NEOX: bool = {{ NEOX }} == 1; // pairs (i, i + ROPE_PAIRS) instead of (2i, 2i + 1)
const HALF: u32 = HEAD_DIM / 2u;

@compute @workgroup_size({{ WG }})
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let head = id.x / HALF;
    let i = id.x % HALF;
    let t = id.y;
    let p = state[0] + t;
    if (head >= N_HEADS + 2u * N_KV || t >= state[1] || p >= N_CTX) {
        return;
    }
    var a = 2u * i;
    var b = 2u * i + 1u;
    if (NEOX && i < ROPE_PAIRS) {
        a = i;
        b = i + ROPE_PAIRS;
    }
    let from_at = (t * (N_HEADS + 2u * N_KV) + head) * HEAD_DIM;
    var v = vec2<f32>(qkv[from_at + a], qkv[from_at + b]);
    if (head < N_HEADS + N_KV && i < ROPE_PAIRS) {
        let r = rope[p * ROPE_PAIRS + i];
        v = vec2<f32>(v.x * r.x - v.y * r.y, v.x * r.y + v.y * r.x);
    }
    if (head < N_HEADS) {
        let at = (t * N_HEADS + head) * HEAD_DIM;
        q[at + a] = v.x;
        q[at + b] = v.y;
    } else if (head < N_HEADS + N_KV) {
        let at = ((head - N_HEADS) * N_CTX + p) * HEAD_DIM;
        k_cache[at + a] = v.x;
        k_cache[at + b] = v.y;
    } else {
        let at = ((head - N_HEADS - N_KV) * N_CTX + p) * HEAD_DIM;
        v_cache[at + a] = v.x;
        v_cache[at + b] = v.y;
    }
}
