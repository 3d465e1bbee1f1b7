"""What the goldens of real models have in common: greedy answers, and the best token at each position of a text."""

import numpy as np
import torch

import hf_llama

N_GREEDY = 64
N_FORCED = 512


def prompt(model, ids: list[int], decode, eos: int) -> tuple[dict, np.ndarray]:
    """The answer to `ids` with its margins, and the logits before it."""
    row = hf_llama.logits(model, ids)[-1]
    new, margins = hf_llama.greedy(model, ids, N_GREEDY)
    assert new[0] == int(row.argmax())
    top_ids, top_values = hf_llama.top_k(row, 64)
    return {
        "ids": ids, "greedy_ids": new, "greedy_text": decode(new),
        "greedy_eos_at": new.index(eos) if eos in new else None,
        "greedy_margins": [hf_llama.f32(m) for m in margins], "min_margin": hf_llama.f32(min(margins)),
        "last_top_ids": top_ids, "last_top_logits": top_values,
    }, row


def forced(ids: list[int], rows: np.ndarray) -> dict:
    """`rows`: the logits at each position of `ids`."""
    logp = torch.log_softmax(torch.from_numpy(rows).double(), -1).numpy()
    nll = -logp[np.arange(len(ids) - 1), ids[1:]]
    return {
        "ids": ids, "top1": [int(i) for i in rows.argmax(-1)], "margins": hf_llama.margins_of(rows),
        "top1_logits": [hf_llama.f32(v) for v in rows.max(-1)],
        "next_nll": [hf_llama.f32(v) for v in nll], "mean_nll": hf_llama.f32(nll.mean()),
    }
