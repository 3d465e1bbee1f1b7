"""Compares families, embedding models and two vocabularies with what llama.cpp's own converter makes of them. Run by hand.

python crosscheck_converter.py PATH/TO/llama.cpp (the sources in llama-cpp-python's sdist, vendor/llama.cpp)
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from unittest import mock

sys.dont_write_bytecode = True

import manifest

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("llama_cpp", type=Path)
parser.add_argument("--data", type=Path, default=manifest.DATA)
parser.add_argument("--only", nargs="*", help="names of families and of embedding models")
ARGS = parser.parse_args()
# The converter is written for the gguf-py next to it.
sys.path[1:1] = [str(ARGS.llama_cpp / "gguf-py"), str(ARGS.llama_cpp)]

import gguf
import numpy as np
import torch
from conversion import ModelBase, get_model_architecture, get_model_class
from conversion.base import ModelType

import embedding_folders
import gold_embeddings
import hf_families
import spm_folders
from embedding_specs import EMBEDDINGS
from family_specs import FAMILIES
from gguf_io import field, tensor_f32


def convert(folder: Path, tokenizer: str | None, **options) -> gguf.GGUFReader:
    """`tokenizer`: what to put into `tokenizer.ggml.pre`; None: without any of the tokenizer's keys."""
    cls = get_model_class(get_model_architecture(ModelBase.load_hparams(folder, False), ModelType.TEXT))
    # The converter tells pre-tokenizers by the ids of one text, and knows no vocabulary of ours.
    change = ("set_vocab", lambda self: None) if tokenizer is None else ("get_vocab_base_pre", lambda self, _: tokenizer)
    with torch.inference_mode(), mock.patch.object(cls, *change):
        cls(folder, gguf.LlamaFileType.ALL_F32, folder / "made.gguf", **options).write()
    return gguf.GGUFReader(folder / "made.gguf")


def convert_family(model, folder: Path) -> gguf.GGUFReader:
    if model.config.model_type == "gpt2":
        model.config.n_ctx = model.config.n_positions  # as in the configurations of its time
    model.save_pretrained(folder)
    if "gemma" in model.config.model_type:
        # It cuts the embedding to the tokeniser's size.
        (folder / "tokenizer.json").write_text(json.dumps({"model": {"vocab": list(range(320))}, "added_tokens": []}))
    return convert(folder, None)


def convert_embedding(spec, ours: gguf.GGUFReader, folder: Path) -> gguf.GGUFReader:
    embedding_folders.from_gguf(spec, ours, folder, *gold_embeddings.vocabularies())
    # transformers 5 takes the checkpoint's configuration for one of its own class, whose names differ.
    own = {"hparams": json.loads((folder / "config.json").read_text())} if spec.arch == "nomic-bert" else {}
    return convert(folder, field(ours, "tokenizer.ggml.pre"), **own)


def compare(name: str, ours: gguf.GGUFReader, theirs: gguf.GGUFReader, skip: tuple[str, ...]):
    skip = ("GGUF.", "general.", *skip)
    keys = lambda r: {k: field(r, k) for k in r.fields if not k.startswith(skip)}
    a, b = keys(ours), keys(theirs)
    for key in sorted(a.keys() | b.keys()):
        if a.get(key) != b.get(key) or ours.fields[key].types != theirs.fields[key].types:
            print(f"  {key}: ours {str(a.get(key))[:70]}, theirs {str(b.get(key))[:70]}")
    ta, tb = ({t.name: t for t in r.tensors} for r in (ours, theirs))
    for key in sorted(ta.keys() | tb.keys()) if ta else ():
        if key not in ta or key not in tb:
            print(f"  {key}: only {'ours' if key in ta else 'theirs'}")
        elif list(ta[key].shape) != list(tb[key].shape):
            print(f"  {key}: ours {ta[key].shape}, theirs {tb[key].shape}")
        else:
            x, y = tensor_f32(ta[key]), tensor_f32(tb[key])
            if not np.array_equal(x, y):
                print(f"  {key}: differ by at most {np.abs(x - y).max():.3g}")
    same = field(ours, "general.architecture") == field(theirs, "general.architecture")
    print(f"{name}: architecture {'equal' if same else 'DIFFERS'}, {len(ta)} tensors, {len(a)} keys compared", flush=True)


def wanted(name: str) -> bool:
    return ARGS.only is None or name in ARGS.only


for family in FAMILIES:
    if wanted(family.name):
        ours = gguf.GGUFReader(ARGS.data / f"families/family_{family.name}.gguf")
        with tempfile.TemporaryDirectory() as scratch:
            theirs = convert_family(hf_families.load(family, ours), Path(scratch))
            compare(family.name, ours, theirs, ("tokenizer.",))
for spec in EMBEDDINGS:
    if wanted(spec.name):
        ours = gguf.GGUFReader(ARGS.data / f"embeddings/{spec.name}.gguf")
        with tempfile.TemporaryDirectory() as scratch:
            compare(spec.name, ours, convert_embedding(spec, ours, Path(scratch)), ())
for name, write in (("tokenizer_gemma", spm_folders.gemma), ("tokenizer_t5", spm_folders.t5)):
    if wanted(name):
        ours = gguf.GGUFReader(ARGS.data / f"tokenizers/{name}.gguf")
        with tempfile.TemporaryDirectory() as scratch:
            write(Path(scratch))
            compare(name, ours, convert(Path(scratch), "default"), ("gemma3.", "t5."))
