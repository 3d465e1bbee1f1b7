"""manifest.json: each golden's name, files, and the facts that tests choose and compare by. Made from the other files of data/, so
that plain Python suffices: python manifest.py [--data FOLDER]
"""

import argparse
import json
import sys
from pathlib import Path

sys.dont_write_bytecode = True

import jsonio

DATA = Path(__file__).resolve().parent.parent / "data"
NAME = "manifest.json"
# The kind of a golden by its folder, in the order of the manifest. Tests ask for those of Whisper, of pictures, of captions and of translation by name.
KINDS = {
    "quants": "quants", "templates": "templates", "tokenizers": "tokenizer", "tiny": "tiny", "families": "family",
    "folders": "folder", "embeddings": "embedding", "embedding_folders": "embedding_folder", "rerankers": "rerank",
    "adapters": "adapter", "real": "real", "whisper": "real", "pictures": "real", "vision": "real",
    "translation": "real", "captions": "real",
}
# Kinds of models that generate text, whose logits and greedy ids are compared.
GENERATING = ("tiny", "family", "folder", "adapter")
# What a golden in families/ is for, if not the architecture itself.
ABOUT = {
    "family_llama_kquants": "storage_types", "family_llama_small_quants": "storage_types", "family_qwen3_few_bits": "storage_types",
    "family_qwen3_one_bit": "storage_types", "family_qwen3moe_nvfp4": "storage_types",
    "family_qwen3_eps": "epsilon",
}
ENCODERS = ("bert", "nomic-bert", "nomic-bert-moe", "jina-bert-v2", "jina-bert-v3", "gemma-embedding", "modern-bert")
# Tokens at which an engine ends an answer; the references continue.
ENDS = ("<|endoftext|>", "<|im_end|>", "<eos>", "<end_of_turn>")
# Ids of the first two in the tiny GGUF models, see gold_tiny.SPECIAL.
GGUF_ENDS = [0, 2]


def read(path: Path):
    return json.loads(path.read_text(encoding="utf-8"))


def model(path: Path) -> Path | None:
    """The GGUF file or the folder of a golden; those of real models and of plain data have none here."""
    return next((p for p in (path.with_suffix(".gguf"), path.with_suffix("")) if p.exists()), None)


def of_folder(folder: Path) -> dict:
    ends = [token["id"] for token in read(folder / "tokenizer.json")["added_tokens"] if token["content"] in ENDS]
    return {"ends": sorted(ends), "adds_bos": bool(read(folder / "tokenizer_config.json").get("add_bos_token"))}


def entry(data: Path, kind: str, path: Path) -> dict:
    relative = lambda p: p.relative_to(data).as_posix()
    found = {"name": path.stem, "kind": kind}
    own = model(path)
    if own:
        found["model"] = relative(own)
    found["expected"] = relative(path)
    head = read(path) if path.suffix == ".json" else {}
    # A binary is named for the golden and for its key.
    keys = [key.removesuffix("_bin") for key in head if key.endswith("_bin")]
    compare = {key: relative(path.with_name(f"{path.stem}_{key}.bin")) for key in keys}
    assert all((data / file).exists() for file in compare.values()), compare
    if compare:
        found["compare"] = compare
    if kind == "family":
        found["about"] = ABOUT.get(path.stem, "architecture")
    if kind in GENERATING:
        found |= of_folder(own) if kind == "folder" else {"ends": GGUF_ENDS, "adds_bos": False}
    if kind in ("embedding", "embedding_folder"):
        found["generates"] = head["arch"] not in ENCODERS
    return found


def manifest(data: Path) -> dict:
    goldens = []
    for folder, kind in KINDS.items():
        paths = [p for p in sorted((data / folder).glob("*")) if p.suffix in (".json", ".safetensors")]
        goldens += [entry(data, kind, path) for path in paths]
    unknown = set(ABOUT) - {golden["name"] for golden in goldens}
    assert not unknown or not (data / "families").exists(), unknown
    return {"goldens": goldens}


def write(data: Path):
    jsonio.write(data / NAME, manifest(data))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    print(jsonio.dumps(manifest(parser.parse_args().data)), end="")
