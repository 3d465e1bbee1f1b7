// Writes the KV cache in f16, two values per word.
alias Kv2 = u32; // two values of a row

fn pack2(v: vec2<f32>) -> Kv2 {
    return pack2x16float(v);
}
