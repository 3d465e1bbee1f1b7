// Reads the KV cache in bytes, each row with its largest magnitude as the last word.
alias Kv4 = u32; // four values of a row

const Q8_ROW: u32 = HEAD_DIM4 + 1u; // words per row

// Returns values 4 i to 4 i + 3 of a row.
fn load_k(row: u32, i: u32) -> vec4<f32> {
    return unpack4x8snorm(k_cache[row * Q8_ROW + i]) * bitcast<f32>(k_cache[row * Q8_ROW + HEAD_DIM4]);
}

fn load_v(row: u32, i: u32) -> vec4<f32> {
    if (VALUES_ARE_KEYS) {
        return load_k(row, i);
    }
    return unpack4x8snorm(v_cache[row * Q8_ROW + i]) * bitcast<f32>(v_cache[row * Q8_ROW + HEAD_DIM4]);
}
