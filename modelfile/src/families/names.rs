//! Names of the tensors in a GGUF file.

/// Tensor names; `{}` is a placeholder for the layer's number.
#[derive(Debug, PartialEq)]
pub struct TensorNames {
    pub token_embd: &'static str,
    /// Learned positions, and the vector added to every token if there are token types.
    pub position_embd: &'static str,
    pub token_types: &'static str,
    /// Norm of the embedding.
    pub embd_norm: &'static str,
    pub output_norm: &'static str,
    /// Absent from files with tied embeddings.
    pub lm_head: &'static str,
    /// Factors that divide the rotary frequencies (Llama 3), optional.
    pub rope_freqs: &'static str,
    /// Factors for contexts up to the original one, and for longer ones (LongRoPE), optional.
    pub rope_short: &'static str,
    pub rope_long: &'static str,
    pub attn_norm: &'static str,
    /// q, k and v, or one tensor that combines them; and the one that some files of a family have instead of three.
    pub qkv_proj: &'static [&'static str],
    pub qkv_in_one: &'static str,
    pub q_norm: &'static str,
    pub k_norm: &'static str,
    pub sinks: &'static str,
    pub o_proj: &'static str,
    /// Tensors of attention over latents: what compresses a token for its queries, the norm behind it, and the queries; the latent
    /// with the rotated part of keys, and its norm; what makes each head's queries comparable with latents, and its output of them.
    pub q_down: &'static str,
    pub q_down_norm: &'static str,
    pub q_up: &'static str,
    pub latent_proj: &'static str,
    pub latent_norm: &'static str,
    pub to_latent: &'static str,
    pub from_latent: &'static str,
    /// Gates of attention's output, where they are a matrix of their own.
    pub attn_gate: &'static str,
    pub post_attn_norm: &'static str,
    /// Tensors of a short convolution.
    pub conv_in_proj: &'static str,
    pub conv_taps: &'static str,
    pub conv_out_proj: &'static str,
    /// Tensors of a gated delta net: what gives queries, keys and values, the output's gate, beta and the step; the
    /// convolution; the step's bias; the decay, or the logarithm of its negative; the output's norm.
    pub delta_in_proj: &'static [&'static str],
    pub delta_taps: &'static str,
    pub delta_bias: &'static str,
    pub delta_decay: &'static str,
    pub delta_log_decay: &'static str,
    pub delta_norm: &'static str,
    pub delta_out_proj: &'static str,
    /// Tensors of a selective scan besides those that are named like a delta net's: what gives the gate, x, B, C and the step;
    /// the factor of x that is added.
    pub mamba_in_proj: &'static str,
    pub mamba_skip: &'static str,
    pub ffn_norm: &'static str,
    /// gate and up, or one tensor that combines them.
    pub gate_up_proj: &'static [&'static str],
    pub down_proj: &'static str,
    /// Parameters of xIELU, where they are tensors: alpha_p and alpha_n before their softplus, beta and eps.
    pub xielu: [&'static str; 4],
    /// Tensors of a mixture: the router, the bias of its choice, and gate, up and down of all experts; gate and up may be one
    /// tensor.
    pub router: &'static str,
    pub router_bias: &'static str,
    pub expert_gate_up: &'static [&'static str],
    pub expert_gate_up_in_one: &'static str,
    pub expert_down: &'static str,
    /// Tensors of the expert that every token uses: what its gate is computed by, gate and up, down.
    pub shared_gate: &'static str,
    pub shared_gate_up: &'static [&'static str],
    pub shared_down: &'static str,
    pub post_ffn_norm: &'static str,
    /// Tensors of a dense block and experts beside it: the norm after the block, those before and after the experts, the factors of the
    /// router's input, and those of the experts' weights, which are optional.
    pub post_dense_norm: &'static str,
    pub pre_experts_norm: &'static str,
    pub post_experts_norm: &'static str,
    pub router_scale: &'static str,
    pub expert_scale: &'static str,
    /// Embeddings by layer: the table, the projection of the ordinary embedding that is added, and its norm.
    pub per_layer_embd: &'static str,
    pub per_layer_model_proj: &'static str,
    pub per_layer_proj_norm: &'static str,
    /// Use of a layer's own embedding: its gate, the projection back and its norm.
    pub per_layer_gate: &'static str,
    pub per_layer_proj: &'static str,
    pub per_layer_post_norm: &'static str,
    /// Factor of a layer's output, optional.
    pub layer_scale: &'static str,
    /// Projections of a pooled embedding, one after the other, optional.
    pub dense: &'static [&'static str],
    /// Head of models that rank documents: the projection before the output, the norm behind it, and the output.
    pub cls: &'static str,
    pub cls_norm: &'static str,
    pub cls_output: &'static str,
}

impl TensorNames {
    /// Names that most families use.
    pub const GGUF: Self = Self {
        token_embd: "token_embd.weight",
        position_embd: "position_embd.weight",
        token_types: "token_types.weight",
        embd_norm: "token_embd_norm.weight",
        output_norm: "output_norm.weight",
        lm_head: "output.weight",
        rope_freqs: "rope_freqs.weight",
        rope_short: "rope_factors_short.weight",
        rope_long: "rope_factors_long.weight",
        attn_norm: "blk.{}.attn_norm.weight",
        qkv_proj: &[
            "blk.{}.attn_q.weight",
            "blk.{}.attn_k.weight",
            "blk.{}.attn_v.weight",
        ],
        qkv_in_one: "blk.{}.attn_qkv.weight",
        q_norm: "blk.{}.attn_q_norm.weight",
        k_norm: "blk.{}.attn_k_norm.weight",
        sinks: "blk.{}.attn_sinks.weight",
        o_proj: "blk.{}.attn_output.weight",
        q_down: "blk.{}.attn_q_a.weight",
        q_down_norm: "blk.{}.attn_q_a_norm.weight",
        q_up: "blk.{}.attn_q_b.weight",
        latent_proj: "blk.{}.attn_kv_a_mqa.weight",
        latent_norm: "blk.{}.attn_kv_a_norm.weight",
        to_latent: "blk.{}.attn_k_b.weight",
        from_latent: "blk.{}.attn_v_b.weight",
        attn_gate: "blk.{}.attn_gate.weight",
        post_attn_norm: "blk.{}.post_attention_norm.weight",
        conv_in_proj: "blk.{}.shortconv.in_proj.weight",
        conv_taps: "blk.{}.shortconv.conv.weight",
        conv_out_proj: "blk.{}.shortconv.out_proj.weight",
        delta_in_proj: &[
            "blk.{}.attn_qkv.weight",
            "blk.{}.attn_gate.weight",
            "blk.{}.ssm_beta.weight",
            "blk.{}.ssm_alpha.weight",
        ],
        delta_taps: "blk.{}.ssm_conv1d.weight",
        delta_bias: "blk.{}.ssm_dt.bias",
        delta_decay: "blk.{}.ssm_a",
        delta_log_decay: "blk.{}.ssm_a_log",
        delta_norm: "blk.{}.ssm_norm.weight",
        delta_out_proj: "blk.{}.ssm_out.weight",
        mamba_in_proj: "blk.{}.ssm_in.weight",
        mamba_skip: "blk.{}.ssm_d",
        ffn_norm: "blk.{}.ffn_norm.weight",
        gate_up_proj: &["blk.{}.ffn_gate.weight", "blk.{}.ffn_up.weight"],
        down_proj: "blk.{}.ffn_down.weight",
        xielu: [
            "blk.{}.xielu.alpha_p",
            "blk.{}.xielu.alpha_n",
            "blk.{}.xielu.beta",
            "blk.{}.xielu.eps",
        ],
        router: "blk.{}.ffn_gate_inp.weight",
        router_bias: "blk.{}.exp_probs_b.bias",
        expert_gate_up: &["blk.{}.ffn_gate_exps.weight", "blk.{}.ffn_up_exps.weight"],
        expert_gate_up_in_one: "blk.{}.ffn_gate_up_exps.weight",
        expert_down: "blk.{}.ffn_down_exps.weight",
        shared_gate: "blk.{}.ffn_gate_inp_shexp.weight",
        shared_gate_up: &["blk.{}.ffn_gate_shexp.weight", "blk.{}.ffn_up_shexp.weight"],
        shared_down: "blk.{}.ffn_down_shexp.weight",
        post_ffn_norm: "blk.{}.post_ffw_norm.weight",
        post_dense_norm: "blk.{}.post_ffw_norm_1.weight",
        pre_experts_norm: "blk.{}.pre_ffw_norm_2.weight",
        post_experts_norm: "blk.{}.post_ffw_norm_2.weight",
        router_scale: "blk.{}.ffn_gate_inp.scale",
        expert_scale: "blk.{}.ffn_down_exps.scale",
        per_layer_embd: "per_layer_token_embd.weight",
        per_layer_model_proj: "per_layer_model_proj.weight",
        per_layer_proj_norm: "per_layer_proj_norm.weight",
        per_layer_gate: "blk.{}.inp_gate.weight",
        per_layer_proj: "blk.{}.proj.weight",
        per_layer_post_norm: "blk.{}.post_norm.weight",
        layer_scale: "blk.{}.layer_output_scale.weight",
        dense: &["dense_2.weight", "dense_3.weight"],
        cls: "cls.weight",
        cls_norm: "cls.norm.weight",
        cls_output: "cls.output.weight",
    };
}

/// Returns the name of the bias that belongs to a weight.
pub fn bias_of(name: &str) -> String {
    format!("{}.bias", name.strip_suffix(".weight").unwrap_or(name))
}

/// Returns the name of an expert's weight if each expert has a separate tensor: `ffn_gate.3.weight` for
/// `ffn_gate_exps.weight`.
pub fn of_expert(name: &str, expert: usize) -> String {
    name.replace("_exps.", &format!(".{expert}."))
}

/// Returns the name of a head's part of a norm's weight if each head has a separate tensor: `attn_q_norm.3.weight` for
/// `attn_q_norm.weight`.
pub fn of_head(name: &str, head: usize) -> String {
    name.replace("_norm.", &format!("_norm.{head}."))
}

/// Returns the name of a head's part of a weight if each head has a separate tensor: `attn_k_b.3.weight` for
/// `attn_k_b.weight`.
pub fn of_part(name: &str, head: usize) -> String {
    name.replace(".weight", &format!(".{head}.weight"))
}

/// Returns `pattern` with the layer's number filled in.
pub fn of_layer(pattern: &str, layer: usize) -> String {
    pattern.replace("{}", &layer.to_string())
}
