"""What a tiny model computes on the two prompts, and the files that say so."""

import numpy as np
from transformers.utils.chat_template_utils import render_jinja_template

import hf_llama
import jsonio
import texts
from gguf_io import encode

N_GREEDY = 64
N_POSITIONS = 16
MIN_DISTINCT = 20
# Of router logits, between the last expert that is chosen and the first that is not: no rounding may choose another one.
MIN_ROUTING_GAP = 0.001

PROMPTS = [
    {"name": "chat", "messages": [{"role": "user", "content": "Hi, 42!"}]},
    {"name": "long", "text": texts.LONG_TINY},
]


def run(
    load, tok, chat_template: str, n_ctx: int, min_margin: float, special: dict[str, str] | None = None,
    ends: frozenset[int] = frozenset(),
) -> tuple[list[dict], np.ndarray, str | None]:
    """Prompts with their ids and margins, logits, and what is wrong with the seed, None with a good one. `load()` makes the model.

    `special`: what a template knows as `bos_token` and so on. `ends`: ids that a good seed's greedy text has none of.
    """
    model = load()
    prompts, rows, flaw = [], [], None
    for spec in PROMPTS:
        p = dict(spec)
        if "messages" in p:
            rendered, _ = render_jinja_template(
                [p["messages"]], chat_template=chat_template, add_generation_prompt=True, **special or {})
            p["text"] = rendered[0]
        ids = encode(tok, p["text"], parse_special="messages" in p)
        assert 64 < len(ids) + N_GREEDY <= n_ctx
        new, margins = hf_llama.greedy(model, ids, N_GREEDY, least=min_margin)
        if min(margins) <= min_margin:
            flaw = f"a margin of {min(margins):.2g}, not above {min_margin}"
        elif len(set(new)) < MIN_DISTINCT:
            flaw = f"{len(set(new))} distinct ids, not {MIN_DISTINCT}"
        elif ends & set(new):
            flaw = "an end of the text"
        elif (gap := hf_llama.routing_gap(model, ids + new)) < MIN_ROUTING_GAP:
            flaw = f"a gap of {gap:.2g} between the router's logits of a chosen expert and another, not {MIN_ROUTING_GAP}"
        if flaw:
            break
        all_rows = hf_llama.logits(model, ids)
        positions = [round(i * (len(ids) - 1) / (N_POSITIONS - 1)) for i in range(N_POSITIONS)]
        rows.append(all_rows[positions])
        prompts.append(p | {
            "ids": ids, "positions": positions, "greedy_ids": new, "greedy_margins": [hf_llama.f32(m) for m in margins],
            "min_margin": hf_llama.f32(min(margins)), "greedy_text": tok.decode(new, skip_special_tokens=False),
        })
        # The same in float64, as a floor for tolerances.
        wide_rows = hf_llama.logits(load().double(), ids + new)
        prompts[-1]["f32_vs_f64_max_abs_logit_diff"] = float(f"{np.abs(wide_rows[: len(ids)] - all_rows).max():.2e}")
        assert [int(i) for i in wide_rows[len(ids) - 1 : -1].argmax(-1)] == new
    return prompts, np.array(rows), flaw


def write(out, name: str, head: dict, prompts: list[dict], rows: np.ndarray):
    rows.astype("<f4").tofile(out / f"{name}_logits.bin")
    jsonio.write(out / f"{name}.json", head | {
        "logits_bin": {"file": f"{name}_logits.bin", "shape": list(rows.shape), "dtype": "f32le",
                       "axes": ["prompt", "position (see positions)", "vocab"]},
        "prompts": prompts,
    })
