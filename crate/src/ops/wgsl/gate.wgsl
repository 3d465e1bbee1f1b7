const GELU: bool = {{ GELU }} == 1; // instead of SiLU

// The gate's activation: v / (1 + e^-v), or v / (1 + e^-2u) with u = sqrt(2 / pi) (v + 0.044715 v^3), which is GELU by
// way of tanh.
fn activation(v: vec4<f32>) -> vec4<f32> {
    let u = select(v, 1.5957691216057308 * (v + 0.044715 * v * v * v), GELU);
    return v / (1.0 + exp(-u));
}
