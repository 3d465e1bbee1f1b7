//! A family's checkpoints as transformers writes them: `config.json` and the names of tensors in safetensors.

use crate::container::TensorInfo;
use crate::error::Result;
use crate::json::Object;

/// One `model_type` of a family, and how its checkpoints differ from GGUF.
#[derive(Debug)]
pub struct Checkpoint {
    /// transformers' `model_type`, followed by [`BIDIRECTIONAL`] where every token attends to later ones too, and by [`MIXTURE`] where
    /// some layers of an encoder have experts.
    pub model_type: &'static str,
    /// Naming scheme of the tensors.
    pub names: &'static CheckpointNames,
    /// GGUF's name of `post_attention_layernorm`, which precedes the feed-forward block in most families and follows
    /// attention in others.
    pub post_attention_layernorm: &'static str,
    /// Alternative names of keys: transformers' `attribute_map`.
    pub aliases: &'static [(&'static str, &'static str)],
    /// transformers' defaults, which a configuration may omit.
    pub defaults: &'static [(&'static str, f64)],
    /// Width of the feed-forward block in multiples of `hidden_size`, for configurations that may omit it.
    pub default_ff_multiple: Option<u32>,
    /// GGUF's converter adds 1 to the weights of norms.
    pub norms_lack_one: bool,
    /// Rotary pairs are adjacent, as in GGUF.
    pub neighbours: bool,
    /// The head is the embedding, unless the configuration says otherwise.
    pub tied: bool,
    /// Names of the activation that the configuration may give, if not the function's own.
    pub activation: Option<&'static [&'static str]>,
    /// Rows of the learned positions, from the first on, that no position has.
    pub unused_positions: u32,
    /// Matrices of the layers are stored by columns.
    pub by_columns: bool,
    /// The `quant_method` of the family's own quantised checkpoints.
    pub quant_method: Option<&'static str>,
    /// Parameters of layers that are no weights of a module: pairs of the name after the layer's number and GGUF's.
    pub parameters: &'static [(&'static str, &'static str)],
    /// Refuses settings that are not supported: the answers would be wrong.
    pub(crate) check: fn(&Object) -> Result<()>,
    /// Gives GGUF's names to tensors that do not follow the scheme, and leaves the others.
    pub(crate) rename: fn(Vec<TensorInfo>) -> Result<Vec<TensorInfo>>,
}

/// End of the `model_type` of decoders whose `use_bidirectional_attention` is set.
pub(crate) const BIDIRECTIONAL: &str = ", bidirectional";

/// End of the `model_type` of encoders whose scores fall with the distance of two tokens.
pub(crate) const DISTANCED: &str = ", alibi";

/// End of the `model_type` of encoders of which some layers have experts.
pub(crate) const MIXTURE: &str = ", a mixture";

impl Checkpoint {
    /// Returns a checkpoint like most: named and stored like Llama's.
    pub const fn new(model_type: &'static str) -> Self {
        Self {
            model_type,
            names: &CheckpointNames::LLAMA,
            post_attention_layernorm: "ffn_norm",
            aliases: &[],
            defaults: &[],
            default_ff_multiple: None,
            norms_lack_one: false,
            neighbours: false,
            tied: false,
            activation: None,
            unused_positions: 0,
            by_columns: false,
            quant_method: None,
            parameters: &[],
            check: |_| Ok(()),
            rename: Ok,
        }
    }
}

/// Naming scheme of a checkpoint's tensors: pairs of transformers' and GGUF's name, without `.weight` and `.bias`.
#[derive(Debug)]
pub struct CheckpointNames {
    /// Optional prefix of every name.
    pub prefix: &'static str,
    /// Names outside the layers.
    pub around: &'static [(&'static str, &'static str)],
    /// Prefix of a layer's number.
    pub layers: &'static str,
    /// Names in a layer, after its number.
    pub of_layer: &'static [(&'static str, &'static str)],
}

impl CheckpointNames {
    /// Names of most families.
    pub const LLAMA: Self = Self {
        prefix: "model.",
        around: &AROUND,
        layers: "layers.",
        of_layer: &OF_LAYER,
    };
}

/// Names in a layer: the part between `layers.N.` and `.weight` or `.bias`.
const OF_LAYER: [(&str, &str); 45] = [
    ("input_layernorm", "attn_norm"),
    ("self_attn.q_proj", "attn_q"),
    ("self_attn.k_proj", "attn_k"),
    ("self_attn.v_proj", "attn_v"),
    ("self_attn.qkv_proj", "attn_qkv"),
    ("self_attn.q_a_proj", "attn_q_a"),
    ("self_attn.q_a_layernorm", "attn_q_a_norm"),
    ("self_attn.q_b_proj", "attn_q_b"),
    ("self_attn.kv_a_proj_with_mqa", "attn_kv_a_mqa"),
    ("self_attn.kv_a_layernorm", "attn_kv_a_norm"),
    ("self_attn.o_proj", "attn_output"),
    ("self_attn.q_norm", "attn_q_norm"),
    ("self_attn.k_norm", "attn_k_norm"),
    ("self_attn.query_layernorm", "attn_q_norm"),
    ("self_attn.key_layernorm", "attn_k_norm"),
    ("post_self_attn_layernorm", "post_attention_norm"),
    ("post_mlp_layernorm", "post_ffw_norm"),
    ("mlp.gate_proj", "ffn_gate"),
    ("mlp.up_proj", "ffn_up"),
    ("mlp.gate_up_proj", "ffn_up"),
    ("mlp.down_proj", "ffn_down"),
    ("mlp.gate", "ffn_gate_inp"),
    ("mlp.router", "ffn_gate_inp"),
    ("mlp.shared_expert.gate_proj", "ffn_gate_shexp"),
    ("mlp.shared_expert.up_proj", "ffn_up_shexp"),
    ("mlp.shared_expert.down_proj", "ffn_down_shexp"),
    ("mlp.shared_expert_gate", "ffn_gate_inp_shexp"),
    ("mlp.shared_experts.gate_proj", "ffn_gate_shexp"),
    ("mlp.shared_experts.up_proj", "ffn_up_shexp"),
    ("mlp.shared_experts.down_proj", "ffn_down_shexp"),
    ("block_sparse_moe.gate", "ffn_gate_inp"),
    ("block_sparse_moe.router.layer", "ffn_gate_inp"),
    ("block_sparse_moe.input_linear", "ffn_gate_up_exps"),
    ("block_sparse_moe.output_linear", "ffn_down_exps"),
    ("pre_feedforward_layernorm", "ffn_norm"),
    ("post_feedforward_layernorm", "post_ffw_norm"),
    ("pre_feedforward_layernorm_2", "pre_ffw_norm_2"),
    ("post_feedforward_layernorm_1", "post_ffw_norm_1"),
    ("post_feedforward_layernorm_2", "post_ffw_norm_2"),
    ("router.proj", "ffn_gate_inp"),
    ("per_layer_input_gate", "inp_gate"),
    ("per_layer_projection", "proj"),
    ("post_per_layer_input_norm", "post_norm"),
    ("layer_scalar", "layer_output_scale"),
    // [`Checkpoint::post_attention_layernorm`]
    ("post_attention_layernorm", ""),
];

/// Names outside the layers.
const AROUND: [(&str, &str); 9] = [
    ("score", "cls.output"),
    ("embed_tokens", "token_embd"),
    ("norm", "output_norm"),
    ("lm_head", "output"),
    ("embed_tokens_per_layer", "per_layer_token_embd"),
    ("per_layer_model_projection", "per_layer_model_proj"),
    ("per_layer_projection_norm", "per_layer_proj_norm"),
    ("dense_2", "dense_2"),
    ("dense_3", "dense_3"),
];
