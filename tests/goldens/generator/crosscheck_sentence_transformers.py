"""Compares data/embeddings/*.json and data/real/minilm.json with sentence-transformers, which tokenises, runs and pools by itself. By hand.

Needs, beside requirements.txt: sentence-transformers==6.2.0 scikit-learn==1.9.1 scipy==1.17.1 joblib==1.6.0
threadpoolctl==3.8.0 narwhals==2.29.0 cloudpickle==3.1.3 (pip install --no-deps)
python crosscheck_sentence_transformers.py [--minilm FOLDER]
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
sys.dont_write_bytecode = True

import numpy as np
from gguf import GGUFReader
from sentence_transformers import SentenceTransformer

import embedding_folders
import gold_embeddings
import manifest
from embedding_specs import EMBEDDINGS


def compare(name: str, folder: Path, data: Path):
    j = json.loads((data / f"{name}.json").read_text())
    want = np.fromfile(data / j["embeddings_bin"]["file"], "<f4").reshape(j["embeddings_bin"]["shape"])
    model = SentenceTransformer(str(folder), device="cpu", model_kwargs={"attn_implementation": "eager"})
    ids = [model.tokenizer(c["text"], truncation=True, max_length=model.max_seq_length).input_ids for c in j["cases"]]
    # sentence-transformers takes a special token's text for the token.
    spelled = [i for i, c in enumerate(j["cases"]) if c["ids"] != ids[i]]
    got = np.array([model.encode(c["text"]) for c in j["cases"]])
    batch = model.encode([c["text"] for c in j["cases"]], batch_size=len(ids))
    rest = [i for i in range(len(ids)) if i not in spelled]
    print(f"{name}: ids differ in {[j['cases'][i]['text'][:30] for i in spelled]}; the other embeddings by at most "
          f"{np.abs(got - want)[rest].max():.2g}, in one padded batch {np.abs(batch - want)[rest].max():.2g}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minilm", type=Path)
    parser.add_argument("--data", type=Path, default=manifest.DATA)
    args = parser.parse_args()
    for spec in EMBEDDINGS:
        if spec.arch == "nomic-bert":
            continue  # its folder is for llama.cpp's converter; sentence-transformers would run the very same class
        with tempfile.TemporaryDirectory() as folder:
            reader = GGUFReader(args.data / f"embeddings/{spec.name}.gguf")
            embedding_folders.from_gguf(spec, reader, Path(folder), *gold_embeddings.vocabularies())
            compare(spec.name, Path(folder), args.data / "embeddings")
    if args.minilm:
        compare("minilm", args.minilm, args.data / "real")


if __name__ == "__main__":
    main()
