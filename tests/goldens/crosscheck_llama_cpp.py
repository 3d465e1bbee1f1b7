"""Compares data/ with llama.cpp, a third implementation. Not part of generate.py; README.md says what it found.

Needs llama-cpp-python==0.3.36 and numpy: python crosscheck_llama_cpp.py --model PATH/TO/SmolLM2-135M-Instruct.Q4_1.gguf
"""

import argparse
import json
from pathlib import Path

import numpy as np
from llama_cpp import Llama

DATA = Path(__file__).resolve().parent / "data"


def tokens(path, cases, keys):
    llm = Llama(str(path), vocab_only=True, verbose=False)
    for key in keys:
        special = key == "ids_special"
        bad = []
        for i, c in enumerate(cases):
            got = llm.tokenize(c["text"].encode(), add_bos=False, special=special)
            want = c.get(key, c["ids"])
            if got != want:
                bad.append(i)
                print(f"  {key} {i} {c['text'][:30]!r}: golden {want[:12]} llama.cpp {got[:12]}")
        print(f"{Path(path).name} {key}: {len(cases) - len(bad)} of {len(cases)} equal")


def run(path, prompts, logits, positions):
    llm = Llama(str(path), n_ctx=512, n_batch=512, n_threads=1, logits_all=True, verbose=False)
    for p, want, pos in zip(prompts, logits, positions):
        got_ids = llm.tokenize(p["text"].encode(), add_bos=False, special="messages" in p)
        llm.reset()
        llm.eval(p["ids"] + p["greedy_ids"])
        scores = np.array(llm.scores[: len(p["ids"]) + len(p["greedy_ids"])])
        best = scores[len(p["ids"]) - 1 : -1].argmax(-1).tolist()
        wrong = [i for i, (a, b) in enumerate(zip(best, p["greedy_ids"])) if a != b]
        line = f"{Path(path).name} {p['name']}: prompt ids {'equal' if got_ids == p['ids'] else 'DIFFER'}, "
        line += f"top-1 differs at steps {[(i, p['greedy_margins'][i]) for i in wrong]}"
        if want is not None:
            diff = np.abs(scores[pos] - want)
            line += f", logits differ by at most {diff.max():.3g} (rms {np.sqrt((diff**2).mean()):.3g}, golden std {want.std():.3g})"
        print(line)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    model = parser.parse_args().model
    read = lambda name: json.loads((DATA / name).read_text())
    tokens(model, read("tokenizer_smollm2.json")["cases"], ["ids", "ids_special"])
    tokens(DATA / "tokenizer_spm.gguf", read("tokenizer_spm.json")["cases"], ["ids"])
    for name in ("tiny_llama", "tiny_llama_tied_f16"):
        j = read(f"{name}.json")
        rows = np.fromfile(DATA / f"{name}_logits.bin", "<f4").reshape(j["logits_bin"]["shape"])
        run(DATA / f"{name}.gguf", j["prompts"], rows, [p["positions"] for p in j["prompts"]])
    j = read("smollm2.json")
    row = np.fromfile(DATA / "smollm2_logits.bin", "<f4")[None]
    run(model, j["prompts"], [row, None, None], [[j["logits_bin"]["position"]], None, None])


if __name__ == "__main__":
    main()
