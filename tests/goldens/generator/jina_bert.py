"""jina-embeddings v2's encoder, which transformers lacks, written from its papers: BERT without positions, whose scores fall with the
distance of two tokens (Press et al. 2021), and whose feed-forward blocks have a gate (Günther et al. 2023). Parameters are called as
in the published checkpoints.
"""

import math
from dataclasses import dataclass
from types import SimpleNamespace

import torch
from torch import nn


@dataclass(frozen=True)
class Config:
    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    max_position_embeddings: int
    layer_norm_eps: float
    type_vocab_size: int = 2


def slopes(heads: int) -> list[float]:
    """A geometric row for a power of two; the heads beyond it take every second slope of the next one."""
    if heads & (heads - 1) == 0:
        return [2.0 ** (-8.0 * (i + 1) / heads) for i in range(heads)]
    least = 2 ** math.floor(math.log2(heads))
    return slopes(least) + slopes(2 * least)[::2][: heads - least]


class Layer(nn.Module):
    def __init__(self, c: Config):
        super().__init__()
        self.heads = c.num_attention_heads
        linear = lambda: nn.Linear(c.hidden_size, c.hidden_size)
        norm = lambda: nn.LayerNorm(c.hidden_size, eps=c.layer_norm_eps)
        self.attention = nn.ModuleDict({
            "self": nn.ModuleDict({"query": linear(), "key": linear(), "value": linear()}),
            "output": nn.ModuleDict({"dense": linear(), "LayerNorm": norm()})})
        self.mlp = nn.ModuleDict({
            "gated_layers": nn.Linear(c.hidden_size, 2 * c.intermediate_size, bias=False),
            "wo": nn.Linear(c.intermediate_size, c.hidden_size), "layernorm": norm()})

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, width = x.shape
        own, out = self.attention["self"], self.attention["output"]
        q, k, v = (own[part](x).reshape(n, self.heads, -1).transpose(0, 1) for part in ("query", "key", "value"))
        at = torch.arange(n, dtype=x.dtype)
        fall = torch.tensor(slopes(self.heads), dtype=x.dtype)[:, None, None] * (at[:, None] - at[None]).abs()
        scores = q @ k.transpose(1, 2) / math.sqrt(width // self.heads) - fall
        mixed = (scores.softmax(-1) @ v).transpose(0, 1).reshape(n, width)
        x = out["LayerNorm"](out["dense"](mixed) + x)
        gate, up = self.mlp["gated_layers"](x).chunk(2, -1)
        return self.mlp["layernorm"](self.mlp["wo"](nn.functional.gelu(gate) * up) + x)


class JinaBert(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        c = self.config = config
        self.embeddings = nn.ModuleDict({
            "word_embeddings": nn.Embedding(c.vocab_size, c.hidden_size),
            "token_type_embeddings": nn.Embedding(c.type_vocab_size, c.hidden_size),
            "LayerNorm": nn.LayerNorm(c.hidden_size, eps=c.layer_norm_eps)})
        self.encoder = nn.ModuleDict({"layer": nn.ModuleList([Layer(c) for _ in range(c.num_hidden_layers)])})

    def forward(self, input_ids: torch.Tensor):
        (ids,) = input_ids
        x = self.embeddings["word_embeddings"](ids) + self.embeddings["token_type_embeddings"].weight[0]
        x = self.embeddings["LayerNorm"](x)
        for layer in self.encoder["layer"]:
            x = layer(x)
        return SimpleNamespace(last_hidden_state=x[None])
