// The queries of one token as they were projected, with its key and its value: rope_append.wgsl within attention. Each workgroup
// prepares its own queries; the one whose span ends with the new position also appends, before it reads that row.
//
// Modules: rotate, qkv_plain or qkv_params, shared_norms or shared_norms_none, append_row or append_row_none.
// Constants from the header:
//   EXTRA_BUFFERS: u32, buffers before the caches: 1 with attn_params
// [N_HEADS, HEAD_DIM4], or for SPLITS > 1 [N_HEADS, SPLITS, HEAD_DIM4 + 1] with (peak, sum, 0, 0) as the last vec4
@group(0) @binding(3) var<storage, read_write> out: array<vec4<f32>>;
@group(0) @binding(4u + EXTRA_BUFFERS) var<storage, read_write> k_cache: array<Kv4>; // [N_KV, N_CTX, HEAD_DIM4 or Q8_ROW], see kv_*.wgsl
@group(0) @binding(5u + EXTRA_BUFFERS) var<storage, read_write> v_cache: array<Kv4>; // [N_KV, N_CTX, HEAD_DIM4]

// (loops over a number of rounds, since compilers unroll those)
const QUERY_ROUNDS: u32 = (ROWS * HEAD_DIM4 + WG - 1u) / WG;

// Returns the head of what was projected behind number n of those that a workgroup may prepare: its queries, the new key and the
// new value.
fn projected_head(h0: u32, n: u32) -> u32 {
    return select(h0 + n, N_HEADS + (n - ROWS) * N_KV + h0 / GROUP, n >= ROWS);
}

// Returns columns 4 i to 4 i + 3 of a head, rotated for position p.
fn four_rotated(head: u32, i: u32, p: u32, factor: f32) -> vec4<f32> {
    let c = 4u * i;
    return vec4<f32>(
        rotated(0u, head, c, p, factor),
        rotated(0u, head, c + 1u, p, factor),
        rotated(0u, head, c + 2u, p, factor),
        rotated(0u, head, c + 3u, p, factor),
    );
}

// Brings the workgroup's queries, scaled, to its memory, and appends if its span, before position `end`, has the new one: a span
// that ends there does, unless the context is full.
fn stage_queries(lid: u32, h0: u32, t0: u32, live: u32, end: u32) {
    let p = min(state[POS], N_CTX - 1u);
    let appends = KEPT_PARTS > 0u && end == state[POS] + 1u;
    share_squares(lid, h0, select(ROWS, ROWS + 2u, appends));
    if (appends) {
        append_row(lid, h0, p);
    }
    for (var n = 0u; n < QUERY_ROUNDS; n++) {
        let i = n * WG + lid;
        if (i < ROWS * HEAD_DIM4) {
            let row = i / HEAD_DIM4;
            let factor = shared_factor(h0, row);
            query[i] = SCALE * (four_rotated(h0 + row, i % HEAD_DIM4, p, factor) * tempered(p));
        }
    }
    if (KEPT_PARTS > 0u) {
        storageBarrier();
    }
}
