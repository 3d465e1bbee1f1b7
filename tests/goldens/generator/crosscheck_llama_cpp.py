"""Compares ../data with llama.cpp, a third implementation. Not part of generate.py; README.md says what it found.

Needs llama-cpp-python==0.3.36, gguf and numpy:
python crosscheck_llama_cpp.py [--model PATH/TO/SmolLM2-135M-Instruct.Q4_1.gguf]
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType, GGUFReader, GGUFValueType, GGUFWriter
from gguf.quants import dequantize
from llama_cpp import Llama

DATA = Path(__file__).resolve().parent.parent / "data"
F32 = 0  # GGML_TYPE_F32, for the cache


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


def run(path, prompts, logits, positions, n_ctx=512, **options):
    for p, want, pos in zip(prompts, logits, positions):
        # A context of its own for each prompt: what a sliding window dropped does not come back.
        llm = Llama(str(path), n_ctx=n_ctx, n_batch=512, n_threads=1, logits_all=True, verbose=False, **options)
        got_ids = llm.tokenize(p["text"].encode(), add_bos=False, special="messages" in p)
        llm.eval(p["ids"] + p["greedy_ids"])
        scores = np.array(llm.scores[: len(p["ids"]) + len(p["greedy_ids"])])
        best = scores[len(p["ids"]) - 1 : -1].argmax(-1).tolist()
        wrong = [i for i, (a, b) in enumerate(zip(best, p["greedy_ids"])) if a != b]
        line = f"{Path(path).name} {p['name']}: prompt ids {'equal' if got_ids == p['ids'] else 'DIFFER'}, "
        line += f"top-1 differs at {len(wrong)} of {len(best)} steps"
        if wrong:
            line += f" (margins up to {max(p['greedy_margins'][i] for i in wrong):.3g})"
        if want is not None:
            diff = np.abs(scores[pos] - want)
            line += f", logits differ by at most {diff.max():.3g} (rms {np.sqrt((diff**2).mean()):.3g}, golden std {want.std():.3g})"
        print(line, flush=True)


def f32_copy(source: Path, path: Path):
    """The same model with every tensor dequantised: llama.cpp then rounds no activations."""
    reader = GGUFReader(source)
    w = GGUFWriter(path, reader.fields["general.architecture"].contents())
    for key, field in reader.fields.items():
        if not key.startswith("GGUF.") and key != "general.architecture":
            sub = field.types[-1] if field.types[0] == GGUFValueType.ARRAY else None
            w.add_key_value(key, field.contents(), field.types[0], sub)
    for t in reader.tensors:
        values = dequantize(t.data, t.tensor_type).reshape([int(d) for d in reversed(t.shape)])
        w.add_tensor(t.name, np.ascontiguousarray(values, np.float32), raw_dtype=GGMLQuantizationType.F32)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def model(name, data):
    j = json.loads((data / f"{name}.json").read_text())
    rows = np.fromfile(data / f"{name}_logits.bin", "<f4").reshape(j["logits_bin"]["shape"])
    args = j["prompts"], rows, [p["positions"] for p in j["prompts"]]
    # 256 is no more than family_phi3_short's original length: llama.cpp picks LongRoPE's table by the context's size.
    run(data / f"{name}.gguf", *args, n_ctx=256)
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / f"{name} in F32"
        f32_copy(data / f"{name}.gguf", copy)
        run(copy, *args, n_ctx=256, type_k=F32, type_v=F32, flash_attn=False)


def embeddings(name, data):
    j = json.loads((data / f"{name}.json").read_text())
    want = np.fromfile(data / j["embeddings_bin"]["file"], "<f4").reshape(j["embeddings_bin"]["shape"])
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / f"{name} in F32"
        f32_copy(data / f"{name}.gguf", copy)
        for path in (data / f"{name}.gguf", copy):
            llm = Llama(str(path), n_ctx=512, n_batch=512, n_ubatch=512, n_threads=1, embedding=True, verbose=False,
                        type_k=F32, type_v=F32, flash_attn=False)
            cases = [(c, w) for c, w in zip(j["cases"], want) if "truncated_from" not in c]
            ids = [llm.tokenize(c["text"].encode(), add_bos=True, special=False) for c, _ in cases]
            bad = [c["text"][:12] for (c, _), got in zip(cases, ids) if got != c["ids"]]
            rows = []
            for c in j["cases"]:
                llm.tokenize = lambda *_, ids=c["ids"], **__: ids
                rows.append(llm.embed(c["text"], normalize=True))
            diff = np.abs(np.array(rows) - want)
            print(f"{path.name}: ids of {len(bad)} texts differ {bad}, embeddings by at most {diff.max():.2g}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, help="without it, SmolLM2 is left out")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--only", nargs="*", help="names of files, without .gguf")
    args = parser.parse_args()
    read = lambda name: json.loads((args.data / name).read_text())
    if args.model:
        tokens(args.model, read("tokenizers/tokenizer_smollm2.json")["cases"], ["ids", "ids_special"])
        j = read("real/smollm2.json")
        row = np.fromfile(args.data / "real/smollm2_logits.bin", "<f4")[None]
        run(args.model, j["prompts"], [row, None, None], [[j["logits_bin"]["position"]], None, None])
    for name, key in (("tokenizer_spm", "ids"), ("tokenizer_gemma", "ids_tags"), ("tokenizer_t5", "ids"),
                      ("tokenizer_unigram", "ids")):
        if args.only is None or name in args.only:
            tokens(args.data / f"tokenizers/{name}.gguf", read(f"tokenizers/{name}.json")["cases"], [key])
    j = read("tokenizers/tokenizer_wordpiece.json")
    if args.only is None or "tokenizer_wordpiece" in args.only:
        cases = [{"text": text, "ids": ids} for text, ids in zip(j["texts"], j["variants"][0]["ids"])]
        tokens(args.data / "embeddings" / j["gguf"], cases, ["ids"])
    for path in sorted(args.data.glob("tiny/*.gguf")) + sorted(args.data.glob("families/*.gguf")):
        if args.only is None or path.stem in args.only:
            model(path.stem, path.parent)
    for path in sorted(args.data.glob("embeddings/*.gguf")):
        if args.only is None or path.stem in args.only:
            embeddings(path.stem, path.parent)


if __name__ == "__main__":
    main()
