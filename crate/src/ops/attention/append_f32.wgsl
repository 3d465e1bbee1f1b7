// Writes the KV cache in f32.
alias Kv2 = vec2<f32>; // two values of a row

fn pack2(v: vec2<f32>) -> Kv2 {
    return v;
}
