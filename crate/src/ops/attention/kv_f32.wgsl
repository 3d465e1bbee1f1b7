// The KV cache in f32, as attention reads it and appends to it.
alias Kv4 = vec4<f32>; // four values of a row

// Returns four values as a row keeps them.
fn pack4(v: vec4<f32>) -> Kv4 {
    return v;
}

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
