"""transformers' LlamaForCausalLM on the dequantised weights of a GGUF file, and what the goldens ask of it."""

import math

import numpy as np
import torch
from gguf import GGUFReader
from transformers import LlamaConfig, LlamaForCausalLM

from gguf_io import field, tensor_f32, unpermute

# One thread: the order of every sum is then the same in each run on a machine.
torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)

LAYER_NAMES = {
    "attn_norm": "input_layernorm", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj", "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
}


def load(reader: GGUFReader, dtype=torch.float32) -> LlamaForCausalLM:
    get = lambda key, default=None: field(reader, "llama." + key, default)
    n_heads, n_kv = get("attention.head_count"), get("attention.head_count_kv")
    d_model = get("embedding_length")
    tensors = {t.name: t for t in reader.tensors}
    tied = "output.weight" not in tensors
    config = LlamaConfig(
        vocab_size=get("vocab_size"), hidden_size=d_model, intermediate_size=get("feed_forward_length"),
        num_hidden_layers=get("block_count"), num_attention_heads=n_heads, num_key_value_heads=n_kv,
        head_dim=get("attention.key_length", d_model // n_heads), rms_norm_eps=get("attention.layer_norm_rms_epsilon"),
        max_position_embeddings=get("context_length"), tie_word_embeddings=tied, attention_bias=False, mlp_bias=False,
        rope_parameters={"rope_type": "default", "rope_theta": get("rope.freq_base")}, hidden_act="silu",
        attn_implementation="eager", bos_token_id=None, eos_token_id=None, pad_token_id=None,
    )
    state = {}
    for name, t in tensors.items():
        w = tensor_f32(t)
        if ".attn_q." in name:
            w = unpermute(w, n_heads)
        elif ".attn_k." in name:
            w = unpermute(w, n_kv)
        if name.startswith("blk."):
            _, layer, part, _ = name.split(".")
            key = f"model.layers.{layer}.{LAYER_NAMES[part]}.weight"
        else:
            key = {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight",
                   "output.weight": "lm_head.weight"}[name]
        state[key] = torch.from_numpy(w.copy())
    if tied:
        state["lm_head.weight"] = state["model.embed_tokens.weight"]
    torch.manual_seed(0)
    model = LlamaForCausalLM(config)
    model.load_state_dict(state, strict=True)
    return model.to(dtype).eval()


@torch.no_grad()
def logits(model, ids: list[int]) -> np.ndarray:
    """[positions, vocab] of one pass over the whole sequence."""
    return model(input_ids=torch.tensor([ids]), use_cache=False).logits[0].numpy()


@torch.no_grad()
def greedy(model, prompt: list[int], n: int, least: float = 0.0) -> tuple[list[int], list[float]]:
    """n greedy ids (no end-of-text stop) and at each step the margin of the best logit over the second.

    Fewer when a margin is not above `least`: the caller has no use for the rest then.
    """
    out, margins = [], []
    step, cache = torch.tensor([prompt]), None
    for _ in range(n):
        got = model(input_ids=step, past_key_values=cache, use_cache=True)
        cache = got.past_key_values
        top = torch.topk(got.logits[0, -1], 2)
        out.append(int(top.indices[0]))
        margins.append(float(top.values[0] - top.values[1]))
        if margins[-1] <= least:
            break
        step = torch.tensor([[out[-1]]])
    return out, margins


@torch.no_grad()
def routing_gap(model, ids: list[int]) -> float:
    """How far, over all mixtures and positions, the last chosen expert is at least above the next one, by what they are chosen by.

    Infinity without experts.
    """
    config = model.config
    n_chosen = getattr(config, "num_experts_per_tok", None) or getattr(config, "top_k_experts", None)
    if not n_chosen:
        return math.inf
    gaps = []

    def note(router, args, output):
        best = torch.topk(choices(router, args, output[0]), n_chosen + 1).values
        assert len(best) == len(ids), best.shape
        gaps.append(float((best[:, -2] - best[:, -1]).min()))

    routers = [module for module in model.modules() if type(module).__name__.endswith("Router")]
    # (Nemotron-H's configuration gives their number whether there are any or not)
    if not routers and config.model_type == "nemotron_h":
        return math.inf
    hooks = [router.register_forward_hook(note) for router in routers]
    model(input_ids=torch.tensor([ids]), use_cache=False)
    for hook in hooks:
        hook.remove()
    assert gaps and len(gaps) == len(routers), gaps
    return min(gaps)


def choices(router, args, logits: torch.Tensor) -> torch.Tensor:
    """Logits, or the scores with their bias where the router has one."""
    if hasattr(router, "per_expert_scale"):
        # (it returns a softmax)
        return torch.log(logits)
    if hasattr(router, "e_score_correction_bias"):
        return torch.sigmoid(logits) + router.e_score_correction_bias
    if hasattr(router, "moe_statics"):
        return router.moe_statics(torch.softmax(logits, -1))
    if len(args) > 1:
        return torch.sigmoid(logits) + args[1]
    return logits


def top_k(row: np.ndarray, k: int) -> tuple[list[int], list[float]]:
    order = np.lexsort((np.arange(row.size), -row))[:k]
    return [int(i) for i in order], [f32(row[i]) for i in order]


def margins_of(rows: np.ndarray) -> list[float]:
    part = np.partition(rows, -2, axis=-1)
    return [f32(v) for v in part[:, -1] - part[:, -2]]


def f32(v) -> float:
    """The shortest decimal that reads back as this f32."""
    return float(str(np.float32(v)))
