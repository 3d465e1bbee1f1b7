//! xIELU, an activation with parameters, which follow the bias that is added before it ([`super::bias`]).
//!
//! - v > 0: alpha_p v^2 + beta v; v <= 0: alpha_n (e^min(v, eps) - 1 - v) + beta v.
//! - Source: Huang and Schlag 2024, arXiv:2411.13010; transformers `activations.py` `XIELUActivation`.

use hearth_cpu::math::exp;

/// Number of parameters: alpha_p, alpha_n, beta, eps.
pub const PARAMETERS: usize = 4;

/// Computes xIELU of one value, the CPU twin of `xielu.wgsl`.
pub(super) fn xielu_cpu(v: f32, parameters: [f32; PARAMETERS]) -> f32 {
    let [alpha_p, alpha_n, beta, eps] = parameters;
    let curve = match v > 0.0 {
        true => alpha_p * v * v,
        false => alpha_n * (exp(v.min(eps)) - 1.0 - v),
    };
    curve + beta * v
}
