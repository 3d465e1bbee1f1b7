// The KV cache in f16, two values per word, as attention reads it and appends to it.
alias Kv4 = vec2<u32>; // four values of a row

fn halves(v: vec2<u32>) -> vec4<f32> {
    return vec4<f32>(unpack2x16float(v.x), unpack2x16float(v.y));
}

// Returns four values as a row keeps them.
fn pack4(v: vec4<f32>) -> Kv4 {
    return vec2<u32>(pack2x16float(v.xy), pack2x16float(v.zw));
}

// Returns values 4 i to 4 i + 3 of a row.
fn load_k(row: u32, i: u32) -> vec4<f32> {
    return halves(k_cache[row * HEAD_DIM4 + i]);
}

fn load_v(row: u32, i: u32) -> vec4<f32> {
    if (VALUES_ARE_KEYS) {
        return load_k(row, i);
    }
    return halves(v_cache[row * HEAD_DIM4 + i]);
}
