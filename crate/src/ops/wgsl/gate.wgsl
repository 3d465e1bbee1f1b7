// Constants from the header:
//   ACTIVATION: u32, ops/activation.rs

// 1 / (1 + e^-v)
fn sigmoid(v: vec4<f32>) -> vec4<f32> {
    return 1.0 / (1.0 + exp(-v));
}

// erf(v) within 1.5e-7: Abramowitz & Stegun 1964, 7.1.26
fn erf(v: vec4<f32>) -> vec4<f32> {
    let x = abs(v);
    let t = 1.0 / (1.0 + 0.3275911 * x);
    let p = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
    return sign(v) * (1.0 - p * exp(-x * x));
}

// Returns the activation of a value.
fn activation(v: vec4<f32>) -> vec4<f32> {
    switch ACTIVATION {
        case 1u: { // GELU via tanh: v / (1 + e^-2u) with u = sqrt(2 / pi) (v + 0.044715 v^3)
            return v / (1.0 + exp(-1.5957691216057308 * (v + 0.044715 * v * v * v)));
        }
        case 2u: {
            return 0.5 * v * (1.0 + erf(v * 0.7071067811865476));
        }
        case 4u: {
            let positive = max(v, vec4<f32>(0.0));
            return positive * positive;
        }
        case 6u: {
            return v * sigmoid(1.702 * v);
        }
        default: {
            return v / (1.0 + exp(-v));
        }
    }
}

// Returns the gated value: activation(gate) * up.
fn gated(gate: vec4<f32>, up: vec4<f32>) -> vec4<f32> {
    if (ACTIVATION == 3u) { // gpt-oss
        let g = min(gate, vec4<f32>(7.0));
        return (clamp(up, vec4<f32>(-7.0), vec4<f32>(7.0)) + 1.0) * g * sigmoid(1.702 * g);
    }
    return activation(gate) * up;
}
