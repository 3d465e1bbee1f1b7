"""smollm2.json, smollm2_logits.bin and smollm2_conversation.json: what transformers computes from the SmolLM2-135M-Instruct GGUF."""

from pathlib import Path

import numpy as np
from gguf import GGUFReader
from transformers.utils.chat_template_utils import render_jinja_template

import hf_llama
import jsonio
import real_model
import texts
from gguf_io import bpe_tokenizer, encode, field

# Chosen among a dozen for wide margins between the best and the second token; the last one says <|im_end|> early.
PROMPTS = [
    {"name": "raw", "text": "The history of the lighthouse begins in the ancient city of Alexandria, where"},
    {"name": "chat", "messages": [
        {"role": "user", "content": "List ten animals that live in the forest."},
    ]},
    {"name": "chat_history", "messages": [
        {"role": "system", "content": "You are a patient teacher. Answer in plain English."},
        {"role": "user", "content": "What is the capital of France?"},
        {"role": "assistant", "content": "The capital of France is Paris."},
        {"role": "user", "content": "Which river runs through it?"},
        {"role": "assistant", "content": "The Seine runs through Paris."},
        {"role": "user", "content": "What can I visit there in one day?"},
    ]},
]

# Held in the browsers: each answer goes into the next prompt, and all are greedy.
QUESTIONS = ["What is the capital of France?", "And of Italy?", "Which of the two is larger?"]
MAX_TOKENS = 32


def converse(model, tok, template, eos):
    """Three turns; an answer ends with the end token, which is not part of it, or after MAX_TOKENS."""
    messages, turns, least = [], [], float("inf")
    for question in QUESTIONS:
        messages.append({"role": "user", "content": question})
        rendered, _ = render_jinja_template([messages], chat_template=template, add_generation_prompt=True)
        new, margins = hf_llama.greedy(model, encode(tok, rendered[0], parse_special=True), MAX_TOKENS)
        end = new.index(eos) if eos in new else MAX_TOKENS
        least = min(least, *margins[: end + 1])
        answer = tok.decode(new[:end], skip_special_tokens=False)
        messages.append({"role": "assistant", "content": answer})
        turns.append({"user": question, "assistant": answer})
    return {"max_tokens": MAX_TOKENS, "min_margin": hf_llama.f32(least), "turns": turns}


def make(out: Path, model_path: Path):
    reader = GGUFReader(model_path)
    tok = bpe_tokenizer(reader)
    template = field(reader, "tokenizer.chat_template")
    eos = field(reader, "tokenizer.ggml.eos_token_id")
    model = hf_llama.load(reader)

    prompts, last_rows, all_ids = [], [], []
    for spec in PROMPTS:
        p = dict(spec)
        if "messages" in p:
            rendered, _ = render_jinja_template([p["messages"]], chat_template=template, add_generation_prompt=True)
            p["text"] = rendered[0]
        ids = encode(tok, p["text"], parse_special="messages" in p)
        answer, row = real_model.prompt(model, ids, lambda new: tok.decode(new, skip_special_tokens=False), eos)
        prompts.append(p | answer)
        last_rows.append(row)
        all_ids.append(ids + answer["greedy_ids"])

    jsonio.write(out / "smollm2_conversation.json", converse(model, tok, template, eos))

    forced = encode(tok, texts.PROSE + texts.MORE_PROSE, parse_special=False)[: real_model.N_FORCED]
    assert len(forced) == real_model.N_FORCED
    rows = hf_llama.logits(model, forced)

    # How far float32 itself is from float64: a floor for any tolerance.
    model = model.double()
    diff = max(float(np.abs(hf_llama.logits(model, p["ids"])[-1] - row).max()) for p, row in zip(prompts, last_rows))
    stable = []
    for p, ids in zip(prompts, all_ids):
        best = hf_llama.logits(model, ids)[len(p["ids"]) - 1 : -1].argmax(-1)
        stable.append([int(i) for i in best] == p["greedy_ids"])
    rows64 = hf_llama.logits(model, forced)

    last_rows[0].astype("<f4").tofile(out / "smollm2_logits.bin")
    jsonio.write(out / "smollm2.json", {
        "model": {"file": model_path.name, "bytes": model_path.stat().st_size, "sha256": jsonio.sha256(model_path)},
        "logits_bin": {"prompt": 0, "position": len(prompts[0]["ids"]) - 1, "shape": [last_rows[0].size], "dtype": "f32le"},
        "f32_vs_f64": {
            "max_abs_logit_diff": float(f"{diff:.2e}"),
            "greedy_same": stable,
            "forced_top1_same": bool((rows64.argmax(-1) == rows.argmax(-1)).all()),
        },
        "prompts": prompts,
        "forced": real_model.forced(forced, rows),
    })
