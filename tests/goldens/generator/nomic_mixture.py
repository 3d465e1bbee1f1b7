"""nomic-embed-text v2's encoder, which transformers lacks: Jina's, which it has, with experts in every second layer.

The experts are written here from the model's description: a softmax over all of them weights the two best as it is, an expert is
a block without a gate, and one bias is added to their sum.
"""

import torch
from torch import nn


class Stack(nn.Module):
    def __init__(self, *shape: int):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(shape))


class Mixture(nn.Module):
    def __init__(self, width: int, d_ff: int, experts: int, chosen: int):
        super().__init__()
        self.chosen = chosen
        self.router = nn.Linear(width, experts, bias=False)
        self.experts_up = Stack(experts, d_ff, width)
        self.experts_down = Stack(experts, width, d_ff)
        # (GGUF has none)
        self.register_buffer("bias", torch.zeros(width), persistent=False)
        # How far a chosen expert's logit was at least above that of another.
        self.gap = float("inf")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens = x.reshape(-1, x.shape[-1])
        logits = self.router(tokens)
        best = logits.topk(self.chosen + 1, -1).values
        self.gap = min(self.gap, (best[:, -2] - best[:, -1]).min().item())
        weights, which = logits.softmax(-1).topk(self.chosen, -1)
        out = torch.zeros_like(tokens)
        for row, (token, weight, choice) in enumerate(zip(tokens, weights, which)):
            for w, expert in zip(weight, choice):
                hidden = nn.functional.gelu(self.experts_up.weight[expert] @ token)
                out[row] += w * (self.experts_down.weight[expert] @ hidden)
        return (out + self.bias).reshape(x.shape)


def with_experts(model, keys: dict):
    """Puts experts in every second layer, as the file's keys say."""
    for layer in model.layers[1 :: keys["moe_every_n_layers"]]:
        layer.mlp = Mixture(
            keys["embedding_length"], keys["feed_forward_length"], keys["expert_count"], keys["expert_used_count"])
    return model


def gap(model) -> float:
    """The least of all mixtures, of what the model has computed so far."""
    return min((module.gap for module in model.modules() if isinstance(module, Mixture)), default=float("inf"))
