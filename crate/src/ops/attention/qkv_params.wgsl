// q, k and v with their bias, and the norm of queries and keys.
//
// Constants from the header:
//   BIAS: bool
//   NORM: u32, 0 none, 1 per head, 2 over all queries and over all keys, 3 per head with its weights after the rotation,
//     which keeps lengths
//   V_NORM: bool, values are normalised per head, without weights
//   EPS: f32
@group(0) @binding(4) var<storage, read_write> attn_params: array<f32>; // bias [ROW], then weights of the norms

const EXTRA_BUFFERS: u32 = 1u;
const WEIGHTS: u32 = select(0u, ROW, BIAS);

fn biased(row_at: u32, col: u32) -> f32 {
    var v = qkv[row_at + col];
    if (BIAS) {
        v += attn_params[col];
    }
    return v;
}

// Returns the factor by which the norm multiplies a head's columns, apart from its weights.
fn factor_of(row_at: u32, head: u32) -> f32 {
    let is_value = head >= N_HEADS + N_KV;
    if (select(NORM == 0u, !V_NORM, is_value)) {
        return 1.0;
    }
    var first = source(head);
    var heads = 1u;
    if (NORM == 2u && !is_value) {
        first = select(N_HEADS, 0u, head < N_HEADS);
        heads = select(N_KV, N_HEADS, head < N_HEADS);
    }
    var sum = 0.0;
    let at = first_column(first);
    for (var c = 0u; c < heads * HEAD_DIM; c++) {
        let v = biased(row_at, at + c);
        sum += v * v;
    }
    return inverseSqrt(sum / f32(heads * HEAD_DIM) + EPS);
}

fn value_of(row_at: u32, head: u32, c: u32, factor: f32) -> f32 {
    let v = biased(row_at, first_column(source(head)) + c);
    if (NORM == 0u || head >= N_HEADS + N_KV) {
        return v * factor;
    }
    if (NORM == 3u) {
        return v * factor;
    }
    let of_heads = select(0u, HEAD_DIM, head >= N_HEADS) + c;
    return v * factor * attn_params[WEIGHTS + select(of_heads, head * HEAD_DIM + c, NORM == 2u)];
}

// Returns the factor of column c of a head after its rotation.
fn rotated_weight(head: u32, c: u32) -> f32 {
    if (NORM != 3u) {
        return 1.0;
    }
    return attn_params[WEIGHTS + select(0u, HEAD_DIM, head >= N_HEADS) + c];
}
