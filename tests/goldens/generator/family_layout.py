"""Where transformers keeps a parameter and where llama.cpp's GGUF keeps it: names, shapes, row orders, splits.

Names come from gguf-py's own tensor map. Shapes are numpy's, rows first (GGUF's own `ne` order is the reverse).
"""

from typing import Callable, NamedTuple

import gguf
import numpy as np

from gguf_io import unpermute


class Layout(NamedTuple):
    names: Callable  # parameter name -> names that the tensor map knows, one per tensor in the file
    shapes: Callable  # parameter shape -> shapes in the file
    join: Callable  # the file's arrays -> the parameter


def one(name):
    return [name]


def gate_and_up(name):
    bias = name.endswith("_bias")
    stem = name.removesuffix("_bias").removesuffix("gate_up_proj")
    return [f"{stem}{part}_proj.{'bias' if bias else 'weight'}" for part in ("gate", "up")]


def choice_bias(name):
    """As the tensor map knows it: a module's bias."""
    name = name.replace("gate.moe_statics", "moe_statics")
    return [name + ".bias" if name.endswith(".expert_bias") else name.removesuffix("_bias") + ".bias"]


def interleave(parts):
    """Columns gate, up, gate, up, ... of two arrays [experts, ..., d_ff]."""
    return np.stack(parts, axis=-1).reshape(*parts[0].shape[:-1], -1)


PLAIN = Layout(one, lambda s: [s], lambda a: a[0])
# Gemma's RMSNorm multiplies by 1 + weight; the file holds the sum.
ONE_PLUS = Layout(one, lambda s: [s], lambda a: a[0] - 1)
# GPT-2's Conv1D keeps [in, out].
TRANSPOSED = Layout(one, lambda s: [s[::-1]], lambda a: a[0].T)
# Rows gate, then up, in each expert.
EXPERTS = Layout(gate_and_up, lambda s: [(s[0], s[1] // 2, s[2])] * 2, lambda a: np.concatenate(a, axis=1))
EXPERTS_DOWN = Layout(lambda n: [n + ".weight"], lambda s: [s], lambda a: a[0])
# gpt-oss: [expert, in, out], and gate and up take turns along `out`.
OSS_EXPERTS = Layout(gate_and_up, lambda s: [(s[0], s[2] // 2, s[1])] * 2,
                     lambda a: interleave([x.swapaxes(1, 2) for x in a]))
OSS_EXPERTS_BIAS = Layout(gate_and_up, lambda s: [(s[0], s[1] // 2)] * 2, interleave)
OSS_DOWN = Layout(lambda n: [n + ".weight"], lambda s: [(s[0], s[2], s[1])], lambda a: a[0].swapaxes(1, 2))
OSS_DOWN_BIAS = Layout(lambda n: [n.removesuffix("_bias") + ".bias"], lambda s: [s], lambda a: a[0])
# A depthwise convolution's kernel, [channels, 1, taps].
TAPS = Layout(one, lambda s: [(s[0], s[2])], lambda a: a[0][:, None])
# A buffer, whose name in the file is that of a weight.
SCALAR = Layout(lambda n: [n + ".weight"], lambda s: [s], lambda a: a[0])
# The bias of the choice of experts, a bare parameter or a buffer; [1, experts] in ERNIE 4.5.
CHOICE_BIAS = Layout(choice_bias, lambda s: [s[-1:]], lambda a: a[0])
CHOICE_BIAS_ROW = CHOICE_BIAS._replace(join=lambda a: a[0][None])
# A projection to one number.
ONE_ROW = Layout(one, lambda s: [s[1:]], lambda a: a[0][None])
# Gemma 4's experts with gate and up in one tensor, and the factors of its router's input and of each expert.
ROUTER_SCALES = {
    "scale": Layout(lambda n: [n.replace("router.scale", "router.proj.scale")], lambda s: [s], lambda a: a[0]),
    "per_expert_scale": Layout(lambda n: [n.replace("router.per_expert_scale", "experts.down_proj.scale")], lambda s: [s],
                               lambda a: a[0]),
}
SINKS = Layout(lambda n: [n + ".weight"], lambda s: [s], lambda a: a[0])


def keys_and_values(config) -> Layout:
    """The projection of latents to each head's keys and values: the file has the keys' part by columns, and both by head."""
    heads, plain, value = config.num_attention_heads, config.qk_nope_head_dim, config.v_head_dim
    return Layout(
        lambda n: [n.replace("kv_b_proj", part) for part in ("k_b_proj", "v_b_proj")],
        lambda s: [(heads, s[1], plain), (heads, value, s[1])],
        lambda a: np.concatenate([a[0].swapaxes(1, 2), a[1]], axis=1).reshape(-1, a[1].shape[2]))


def permuted(n_heads: int) -> Layout:
    return Layout(one, lambda s: [s], lambda a: unpermute(a[0], n_heads))


def of_value_heads(key_heads: int, value_heads: int, first: int = 0, columns: bool = False) -> Callable:
    """From the file's order of value heads to transformers': the file has the first head of every key head, then the second.

    Rows from `first` on, or columns, are those of the heads.
    """

    def grouped(array):
        rest, heads = array[:first], array[first:]
        if columns:
            heads = heads.T
        of_heads = heads.reshape(value_heads // key_heads, key_heads, -1, *heads.shape[1:])
        heads = of_heads.swapaxes(0, 1).reshape(heads.shape)
        return np.concatenate([rest, heads]) if not columns else heads.T

    return grouped


def delta(config, part: str) -> Layout | None:
    """A parameter of Qwen 3.5's gated delta net."""
    heads = config.linear_num_key_heads, config.linear_num_value_heads
    before = 2 * config.linear_num_key_heads * config.linear_key_head_dim
    values, after_keys = of_value_heads(*heads), of_value_heads(*heads, before)
    columns = of_value_heads(*heads, columns=True)
    return {
        "in_proj_qkv.weight": Layout(one, lambda s: [s], lambda a: after_keys(a[0])),
        "in_proj_z.weight": Layout(one, lambda s: [s], lambda a: values(a[0])),
        "in_proj_b.weight": Layout(one, lambda s: [s], lambda a: values(a[0])),
        "in_proj_a.weight": Layout(one, lambda s: [s], lambda a: values(a[0])),
        "conv1d.weight": Layout(one, lambda s: [(s[0], s[2])], lambda a: after_keys(a[0])[:, None]),
        "out_proj.weight": Layout(one, lambda s: [s], lambda a: columns(a[0])),
        # The file has -exp(A_log), and the bias as that of a projection.
        "A_log": Layout(one, lambda s: [s], lambda a: np.log(-values(a[0]))),
        "dt_bias": Layout(lambda n: [n.replace("dt_bias", "dt_proj.bias")], lambda s: [s], lambda a: values(a[0])),
        "norm.weight": PLAIN,
    }[part]


def mamba(config, part: str) -> Layout:
    """A parameter of Mamba 2; the file has vectors of heads as columns, and one row of the norm for each group."""
    groups = getattr(config, "mamba_n_groups", None) or config.n_groups
    flat = lambda a: a[0].reshape(-1)
    of_heads = lambda join: Layout(one, lambda s: [(s[0], 1)], join)
    return {
        "conv1d.weight": TAPS,
        "A_log": of_heads(lambda a: np.log(-flat(a))),
        "D": of_heads(flat),
        "dt_bias": Layout(lambda n: [n.replace("dt_bias", "dt_proj.bias")], lambda s: [s], flat),
        "norm.weight": Layout(one, lambda s: [(groups, s[0] // groups)], flat),
    }.get(part, PLAIN)


def shared(config, name: str) -> Layout:
    """A parameter of the block that all tokens take, which is an expert where there are others; rows of gate, then of up."""
    block = "mlp.shared_expert" if config.num_local_experts else "mlp"
    if "input_linear" in name:
        return Layout(
            lambda n: [n.replace("shared_mlp.input_linear", f"{block}.{part}_proj") for part in ("gate", "up")],
            lambda s: [(s[0] // 2, s[1])] * 2, lambda a: np.concatenate(a))
    return Layout(lambda n: [n.replace("shared_mlp.output_linear", f"{block}.down_proj")], lambda s: [s], lambda a: a[0])


def of_head(config, name: str) -> Layout:
    """The norm of one head of the queries or keys, a row of the tensor that has all of them."""
    stem, head = name.removesuffix(".weight").split(".norms.")
    heads = config.num_attention_heads if stem.endswith("q_layernorm") else config.num_key_value_heads
    return Layout(lambda n: [f"{stem}.weight"], lambda s: [(heads, s[0])], lambda a: a[0][int(head)])


def xielu(family, name: str) -> Layout:
    """A parameter of the activation, which the file has in its metadata."""
    layer, kind = int(name.split(".")[2]), name.rsplit(".", 1)[1]
    value = np.float32(family.keys[f"xielu_{kind}"][layer])
    return Layout(lambda n: [], lambda s: [], lambda a: np.full((1,) * kind.startswith("alpha"), value))


def layout_of(family, config, name: str) -> Layout:
    last = name.rsplit(".", 1)[-1]
    if ".linear_attn." in name:
        return delta(config, name.split(".linear_attn.")[1])
    if ".mamba." in name:
        return mamba(config, name.split(".mamba.")[1])
    if ".mixer." in name and ".gate." not in name and ".experts." not in name:
        return mamba(config, name.split(".mixer.")[1])
    if ".norms." in name:
        return of_head(config, name)
    if ".shared_mlp." in name:
        return shared(config, name)
    if ".act_fn." in name:
        return xielu(family, name)
    if name.endswith("kv_b_proj.weight"):
        return keys_and_values(config)
    if name.endswith("conv.conv.weight"):
        return TAPS
    if last == "expert_bias":
        return CHOICE_BIAS
    if last == "e_score_correction_bias":
        return CHOICE_BIAS if family.arch.startswith(("nemotron", "deepseek")) else CHOICE_BIAS_ROW
    if family.arch.startswith("nemotron") and last in ("up_proj", "down_proj"):
        return EXPERTS_DOWN
    if name.endswith("shared_expert_gate.weight"):
        return ONE_ROW
    if family.arch.startswith("qwen35") and name.endswith("norm.weight"):
        return ONE_PLUS
    if family.arch == "gpt-oss":
        special = {"gate_up_proj": OSS_EXPERTS, "gate_up_proj_bias": OSS_EXPERTS_BIAS, "down_proj": OSS_DOWN,
                   "down_proj_bias": OSS_DOWN_BIAS, "sinks": SINKS}
    elif family.arch == "gemma4":
        special = {"gate_up_proj": EXPERTS_DOWN, "down_proj": EXPERTS_DOWN} | ROUTER_SCALES
    else:
        special = {"gate_up_proj": EXPERTS, "down_proj": EXPERTS_DOWN}
    if last == "sinks":
        return SINKS
    if last in special:
        return special[last]
    if family.arch == "gpt2" and name.endswith((".c_attn.weight", ".c_fc.weight", ".c_proj.weight")):
        return TRANSPOSED
    if last == "layer_scalar":
        return SCALAR
    if family.arch in ("gemma", "gemma2", "gemma3") and name.endswith("norm.weight"):
        return ONE_PLUS
    if family.permutes and name.endswith("q_proj.weight"):
        return permuted(config.num_attention_heads)
    if family.permutes and name.endswith("k_proj.weight"):
        return permuted(config.num_key_value_heads)
    return PLAIN


def gguf_tensors(family, config, name: str, shape) -> list[tuple[str, tuple[int, ...]]]:
    """The tensors of the file that hold one parameter."""
    layout = layout_of(family, config, name)
    n_layers = config.get_text_config().num_hidden_layers
    tables = [gguf.get_tensor_name_map(gguf_arch(arch), n_layers) for arch in ALIKE.get(family.arch, [family.arch])]

    def file_name(name: str) -> str | None:
        if family.arch.startswith("nemotron") and ".experts." not in name:
            name = name.replace("model.", "backbone.")
        for theirs, mapped in RENAMED.items():
            name = name.replace(theirs, mapped)
        found = (table.get_name(name, (".weight", ".bias", ".scale")) for table in tables)
        return next((name for name in found if name), None)

    names = [file_name(n) for n in layout.names(name)]
    assert None not in names, name
    return list(zip(names, layout.shapes(tuple(shape))))


# Names in transformers, and those that the tensor map knows.
RENAMED = {"language_model.": "", "block_sparse_moe.experts.": "mlp.experts.", "moe.router.weight": "moe.router.layer.weight",
           "post_operator_norm": "post_attention_layernorm", "post_ffn_norm": "post_feedforward_layernorm",
           "self_attn.g_proj": "linear_attn.in_proj_z", "mixer.experts.": "mlp.experts."}
# Architectures that gguf-py does not know, and others whose tensors are called alike.
ALIKE = {"mellum": ["qwen3moe"], "granite_swa": ["granite", "gpt-oss"], "lfm3": ["lfm2", "gemma2", "qwen35"]}


def gguf_arch(name: str) -> gguf.MODEL_ARCH:
    return next(arch for arch, n in gguf.MODEL_ARCH_NAMES.items() if n == name)
