// q, k and v with their bias, and a LayerNorm of each head of the queries and keys, whose weights are its own.
//
// Modules: attn_params: bias [ROW], then weights [N_HEADS + N_KV, HEAD_DIM].
// Constants from the header:
//   BIAS: bool
//   EPS: f32

const WEIGHTS: u32 = select(0u, ROW, BIAS);

// The mean of the head that `factor_of` was last asked about.
var<private> mean: f32;

fn biased(row_at: u32, col: u32) -> f32 {
    var v = qkv[row_at + col];
    if (BIAS) {
        v += attn_params[col];
    }
    return v;
}

// Returns the factor by which the norm multiplies a head's columns, less their mean, apart from its weights.
fn factor_of(row_at: u32, head: u32) -> f32 {
    if (head >= N_HEADS + N_KV) {
        mean = 0.0;
        return 1.0;
    }
    let at = first_column(source(head));
    var sum = 0.0;
    for (var c = 0u; c < HEAD_DIM; c++) {
        sum += biased(row_at, at + c);
    }
    mean = sum / f32(HEAD_DIM);
    var squares = 0.0;
    for (var c = 0u; c < HEAD_DIM; c++) {
        let v = biased(row_at, at + c) - mean;
        squares += v * v;
    }
    return inverseSqrt(squares / f32(HEAD_DIM) + EPS);
}

fn value_of(row_at: u32, head: u32, c: u32, factor: f32) -> f32 {
    let v = biased(row_at, first_column(source(head)) + c);
    if (head >= N_HEADS + N_KV) {
        return v;
    }
    return (v - mean) * factor * attn_params[WEIGHTS + head * HEAD_DIM + c];
}

// Returns the factor of column c of a head after its rotation: none.
fn rotated_weight(head: u32, c: u32) -> f32 {
    return 1.0;
}
