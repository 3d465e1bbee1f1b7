// Returns xIELU of a value that a bias was added to, with the parameters behind the bias: alpha_p, alpha_n, beta, eps.
//
// Constants from the header:
//   COLS4: u32
fn activation(v: vec4<f32>) -> vec4<f32> {
    let p = bias[COLS4];
    let below = p.y * (exp(min(v, vec4<f32>(p.w))) - 1.0 - v);
    return select(below, p.x * v * v, v > vec4<f32>(0.0)) + p.z * v;
}
