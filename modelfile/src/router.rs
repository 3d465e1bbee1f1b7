//! Choice and weights of a token's experts in a mixture, and the expert that every token uses.

/// Functions that turn the router's logits into scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Gating {
    /// e^l / sum of e^l over all experts
    Softmax,
    /// 1 / (1 + e^-l)
    Sigmoid,
}

/// A router: the experts with the best scores are chosen, and weighted by their scores.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Router {
    pub gating: Gating,
    /// The weights of a token's experts are divided by their sum.
    pub normalised: bool,
    /// A bias is added to the scores for the choice alone.
    pub biased: bool,
    /// Factor of the weights.
    pub factor: f32,
    /// Each expert's weight is multiplied by a factor of its own, after they were normalised. Only without a bias.
    pub scaled: bool,
}

impl Router {
    /// The router of most models: a softmax over the chosen experts.
    pub const PLAIN: Self = Self {
        gating: Gating::Softmax,
        normalised: true,
        biased: false,
        factor: 1.0,
        scaled: false,
    };
}

/// An expert that every token uses beside those that are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SharedExpert {
    None,
    /// Its output is added as it is.
    Plain,
    /// Its output is multiplied by the sigmoid of a projection of the token to one number.
    Gated,
    /// A dense block beside the experts, called as in layers without them. Its output and that of the experts are normalised before
    /// they are added, and the router and the experts have norms of their own before them.
    Beside,
}
