// q, k and v with their bias, and the norm of queries and keys.
//
// Modules: attn_params: bias [ROW], then weights of the norms.
// Constants from the header:
//   BIAS: bool
//   NORM: u32, 0 none, 1 per head, 2 over all queries and over all keys, 3 per head with its weights after the rotation,
//     which keeps lengths
//   V_NORM: bool, values are normalised per head, without weights
//   EPS: f32

const WEIGHTS: u32 = select(0u, ROW, BIAS);
const SUMS: u32 = 16u; // partial sums of a norm: every kernel has as many, so that all round alike

fn biased(row_at: u32, col: u32) -> f32 {
    var v = qkv[row_at + col];
    if (BIAS) {
        v += attn_params[col];
    }
    return v;
}

// Returns the first column that a head's norm is over and the number of them; none without a norm.
fn normed(head: u32) -> vec2<u32> {
    let is_value = head >= N_HEADS + N_KV;
    if (select(NORM == 0u, !V_NORM, is_value)) {
        return vec2<u32>(0u);
    }
    if (NORM == 2u && !is_value) {
        let is_query = head < N_HEADS;
        return vec2<u32>(first_column(select(N_HEADS, 0u, is_query)), select(N_KV, N_HEADS, is_query) * HEAD_DIM);
    }
    return vec2<u32>(first_column(source(head)), HEAD_DIM);
}

// Returns partial sum i of the squares of these columns.
fn squares(row_at: u32, columns: vec2<u32>, i: u32) -> f32 {
    var sum = 0.0;
    for (var c = i; c < columns.y; c += SUMS) {
        let v = biased(row_at, columns.x + c);
        sum += v * v;
    }
    return sum;
}

// Returns the factor by which the norm over these columns, with this sum of squares, multiplies them, apart from its weights.
fn norm_factor(columns: vec2<u32>, sum: f32) -> f32 {
    if (columns.y == 0u) {
        return 1.0;
    }
    return inverseSqrt(sum / f32(columns.y) + EPS);
}

// Returns that factor for a head.
fn factor_of(row_at: u32, head: u32) -> f32 {
    let columns = normed(head);
    var sum = 0.0;
    if (columns.y > 0u) {
        for (var i = 0u; i < SUMS; i++) {
            sum += squares(row_at, columns, i);
        }
    }
    return norm_factor(columns, sum);
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
