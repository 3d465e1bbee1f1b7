// Reads the KV cache in f32.
alias Kv4 = vec4<f32>; // four values of a row

// Returns values 4 i to 4 i + 3 of a row.
fn load_k(row: u32, i: u32) -> vec4<f32> {
    return k_cache[row * HEAD_DIM4 + i];
}

fn load_v(row: u32, i: u32) -> vec4<f32> {
    if (VALUES_ARE_KEYS) {
        return load_k(row, i);
    }
    return v_cache[row * HEAD_DIM4 + i];
}
