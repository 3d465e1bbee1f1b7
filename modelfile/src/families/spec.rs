//! Properties that distinguish families of models.

use super::{Checkpoint, TensorNames};
use crate::container::ModelHeader;
use crate::router::{Router, SharedExpert};

/// Properties that distinguish a family of decoders. Those that the metadata gives (scales, soft caps, windows) are
/// in [`ModelConfig`].
#[derive(Debug)]
pub struct ModelSpec {
    /// `general.architecture` in GGUF.
    pub name: &'static str,
    /// The common name of the models in this family.
    pub models: &'static str,
    /// Rotary pairs are (i, i + d/2) instead of (2i, 2i + 1).
    pub rope_neox: bool,
    /// One in this many layers has no rotary positions; 0 for none.
    pub nope_period: usize,
    /// A token attends only to itself and earlier ones; if not, the model makes embeddings only.
    pub causal: bool,
    /// The layers see the patches of a picture instead of tokens: see [`crate::vision`].
    pub sees: bool,
    /// Positions are learned and added to the embedding; nothing is rotated.
    pub learned_positions: bool,
    /// Scores fall with the distance of two tokens, by a slope of each head.
    pub alibi: bool,
    /// Norm of queries and keys.
    pub qk_norm: QkNorm,
    /// Each head of the values is normalised, without weights.
    pub v_norm: bool,
    /// Layers that do not slide may lack a projection of values, which are then that of the keys.
    pub values_may_be_keys: bool,
    /// Keys and values are made of one vector of a token, which is all that is kept of it.
    pub latent: bool,
    /// Softmaxes have a sink.
    pub sinks: bool,
    /// The feed-forward block has a gate.
    pub gated: bool,
    /// Function applied to the gate, or to the hidden values if there is no gate.
    pub activation: Activation,
    /// Choice of a token's experts, in models that have some. What the metadata says is in [`ModelConfig::router`].
    ///
    /// [`ModelConfig::router`]: crate::config::ModelConfig::router
    pub router: Router,
    /// The expert that every token uses, in models that have experts.
    pub shared_expert: SharedExpert,
    /// Norms are LayerNorm.
    pub layer_norm: bool,
    /// Norms before attention and feed-forward.
    pub pre_norm: bool,
    /// The first layer has a norm before attention, as the others have.
    pub first_norm: bool,
    /// Norms after attention and feed-forward.
    pub post_norm: PostNorm,
    /// Attention and feed-forward both take the layer's input, through one norm.
    pub parallel: bool,
    /// A layer is a mixer or a feed-forward block behind one norm, not both: the latter where the file gives a width for it.
    pub single_blocks: bool,
    /// Logits are multiplied by `logit_scale` instead of divided by it.
    pub multiplies_logits: bool,
    /// The embedding is multiplied by the square root of d_model.
    pub scales_embedding: bool,
    /// YaRN's bounds are rounded to whole dimensions.
    pub yarn_rounds: bool,
    /// The layers that use the sliding window given in the metadata.
    pub sliding: Sliding,
    /// Rotation in models of which some layers slide.
    pub sliding_rope: SlidingRope,
    /// Dimensions of positions.
    pub turns: Turns,
    /// Keys of the metadata, without the architecture, that change what a model computes and that are honoured here, of those that
    /// are refused otherwise.
    pub honours: &'static [&'static str],
    /// In models with this many layers, scores are divided by the square root of d_model / n_heads instead of
    /// head_dim.
    pub wide_scale_layers: usize,
    /// Layers that keep a state instead of a KV cache.
    pub recurrent: Recurrent,
    /// Gate of attention's output.
    pub attention_gate: AttentionGate,
    /// Scores are not scaled.
    pub unscaled_scores: bool,
    /// Head of models that rank documents.
    pub ranking: Ranking,
    /// Texts that are compared with pictures.
    pub captions: Captions,
    /// Tensor names in GGUF.
    pub names: &'static TensorNames,
    /// Checkpoints of transformers, by `model_type`; empty where only GGUF is read.
    pub checkpoints: &'static [Checkpoint],
    /// Returns another spec for files whose tensors show that the model is computed otherwise.
    pub(crate) variant: fn(&ModelHeader) -> Option<&'static ModelSpec>,
}

/// Methods that turn a text's hidden states into one embedding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum Pooling {
    /// The mean of all tokens.
    Mean,
    /// The first token.
    Cls,
    /// The last token.
    Last,
    /// None: the model scores how well a document answers a query, see [`Ranking`].
    Rank,
}

/// Heads by which a family's models score how well a document answers a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ranking {
    None,
    /// The sigmoid of output(tanh(dense x)), x being the first token's hidden state.
    Cls,
    /// The sigmoid of output(norm(gelu(dense x))), x being the mean of all hidden states, or the first token's.
    PredictionHead,
    /// The probability of the first of two answers after the last token, "yes" and "no"; or the sigmoid of one output, the
    /// difference of both.
    YesOrNo,
}

/// Texts that are compared with pictures, in models that make embeddings of both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Captions {
    /// The model compares none.
    None,
    /// They end with the first token that ends a text.
    UpToEnd,
    /// They are filled with padding, which the other tokens see, up to the context that the model was trained for.
    Padded,
}

/// Key of the pooling before a head, `mean` or `cls`, where the family leaves a choice.
pub(crate) const HEAD_POOLING: &str = "hearth.classifier.pooling";

/// Norms after attention and feed-forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PostNorm {
    None,
    /// Norm of the block's output, before it is added.
    Block,
    /// Norm of the sum.
    Sum,
}

/// The kind of the layers without attention, if a family has any; the metadata says which they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recurrent {
    None,
    /// Gated short convolutions.
    ShortConv,
    /// Gated delta nets.
    GatedDelta,
    /// Selective scans.
    Mamba,
    /// Selective scans beside attention, in every layer.
    AttentionAndMamba,
}

/// Sigmoid gate of attention's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttentionGate {
    None,
    /// One gate for each value, in the same tensor as the queries: the rows of each head's query are followed by those
    /// of its gate.
    Interleaved,
    /// One gate for each head, by a matrix of its own.
    PerHead,
}

/// The layers that slide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sliding {
    None,
    All,
    /// All but one in this many: layer i slides unless i + 1 is a multiple.
    AllBut(usize),
    /// Likewise, but layer i slides unless i is a multiple.
    AllButFirst(usize),
}

impl Sliding {
    /// Returns whether layer `i` slides.
    pub fn slides(self, i: usize) -> bool {
        match self {
            Sliding::None => false,
            Sliding::All => true,
            Sliding::AllBut(period) => !(i + 1).is_multiple_of(period),
            Sliding::AllButFirst(period) => !i.is_multiple_of(period),
        }
    }
}

/// Rotation in models of which some layers slide.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SlidingRope {
    /// All layers rotate alike.
    Alike,
    /// Sliding layers rotate without scaling, by a base of their own (`rope.freq_base_swa`).
    Unscaled {
        /// The base if the file does not state it; `None` for that of the other layers.
        theta: Option<f32>,
    },
    /// Only sliding layers rotate.
    Only,
}

/// Dimensions of positions by which pairs of a head turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turns {
    ByOne,
    /// Time, height and width, which are the same for text: the first pairs turn by time, the next ones by height, the rest by width,
    /// as many of each as the metadata says.
    InSections,
    /// Time, height and width as well, but pairs of each take turns.
    Interleaved,
    /// Positions of a patch: the first half of a head turns by its column, the other one by its row, each as a head of its own would.
    InHalves,
}

impl ModelSpec {
    /// Returns whether the model writes text.
    pub fn generates(&self) -> bool {
        self.causal && self.captions == Captions::None
    }

    /// Returns whether a norm follows the last layer; encoders whose layers end with a norm have none, nor do towers that name none.
    pub fn has_output_norm(&self) -> bool {
        (self.causal || self.pre_norm) && !self.names.output_norm.is_empty()
    }

    /// Returns whether a norm precedes the mixer of layer `i`.
    pub fn has_mixer_norm(&self, i: usize) -> bool {
        self.pre_norm && (self.first_norm || i > 0)
    }

    /// Returns whether layer `i` has rotary positions.
    pub fn rotates(&self, i: usize) -> bool {
        let period = self.nope_period;
        !self.learned_positions && (period == 0 || !(i + 1).is_multiple_of(period))
    }

    /// Properties of most families: Llama with rotary halves. The others list only their differences.
    pub const PLAIN: Self = Self {
        name: "",
        models: "",
        rope_neox: true,
        nope_period: 0,
        causal: true,
        sees: false,
        learned_positions: false,
        alibi: false,
        qk_norm: QkNorm::None,
        v_norm: false,
        values_may_be_keys: false,
        latent: false,
        sinks: false,
        gated: true,
        activation: Activation::Silu,
        router: Router::PLAIN,
        shared_expert: SharedExpert::None,
        layer_norm: false,
        pre_norm: true,
        first_norm: true,
        post_norm: PostNorm::None,
        parallel: false,
        single_blocks: false,
        multiplies_logits: false,
        scales_embedding: false,
        yarn_rounds: true,
        sliding: Sliding::None,
        sliding_rope: SlidingRope::Alike,
        turns: Turns::ByOne,
        honours: &[],
        wide_scale_layers: 0,
        recurrent: Recurrent::None,
        attention_gate: AttentionGate::None,
        unscaled_scores: false,
        ranking: Ranking::None,
        captions: Captions::None,
        names: &TensorNames::GGUF,
        checkpoints: &[],
        variant: |_| None,
    };
}

/// Function applied to a value, or to a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// v / (1 + e^-v)
    Silu,
    /// GELU approximated by tanh: v / 2 (1 + tanh(sqrt(2 / pi) (v + 0.044715 v^3)))
    Gelu,
    /// Exact GELU: v / 2 (1 + erf(v / sqrt(2)))
    GeluErf,
    /// gpt-oss: (u + 1) g / (1 + e^-1.702g) with g = min(gate, 7) and u = up clamped to within 7 of 0. For gates
    /// only.
    Clamped,
    /// max(v, 0)^2
    SquaredRelu,
    /// alpha_p v^2 + beta v above 0, alpha_n (e^min(v, eps) - 1 - v) + beta v below, with parameters of each layer. For feed-forward
    /// blocks without a gate only.
    Xielu,
    /// v / (1 + e^-1.702v), an approximation of GELU that differs from it
    QuickGelu,
}

impl Activation {
    /// Returns whether `name` is what transformers and llama.cpp call this function.
    pub fn is_called(self, name: &str) -> bool {
        match self {
            Activation::Silu => matches!(name, "silu" | "swish"),
            Activation::Gelu => matches!(
                name,
                "gelu_pytorch_tanh" | "gelu_new" | "gelu_fast" | "gelu_tanh"
            ),
            Activation::GeluErf => matches!(name, "gelu" | "gelu_python"),
            // (named for its basis)
            Activation::Clamped => name == "silu",
            Activation::SquaredRelu => name == "relu2",
            Activation::Xielu => name == "xielu",
            Activation::QuickGelu => name == "quick_gelu",
        }
    }
}

/// Norm of queries and keys, before they are rotated if not said otherwise: RMSNorm in all but one case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QkNorm {
    None,
    /// Each head is normalised by itself; weights [head_dim], one for queries and one for keys.
    Head,
    /// All queries are normalised together, and all keys; weights [n_heads * head_dim] and [n_kv_heads * head_dim].
    Row,
    /// Like [`QkNorm::Head`], but after the rotation.
    RotatedHead,
    /// LayerNorm instead: each head is normalised by itself, with weights of its own; [n_heads * head_dim] and
    /// [n_kv_heads * head_dim].
    CentredHead,
}
