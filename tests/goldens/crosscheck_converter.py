"""Compares data/family_*.gguf with what llama.cpp's own converter makes of the same models. Run by hand.

python crosscheck_converter.py PATH/TO/llama.cpp (the sources in llama-cpp-python's sdist, vendor/llama.cpp)
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("llama_cpp", type=Path)
parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parent / "data")
parser.add_argument("--only", nargs="*", help="names of families")
ARGS = parser.parse_args()
# The converter is written for the gguf-py next to it.
sys.path[1:1] = [str(ARGS.llama_cpp / "gguf-py"), str(ARGS.llama_cpp)]

import gguf
import numpy as np
import torch
from conversion import ModelBase, get_model_architecture, get_model_class
from conversion.base import ModelType

import hf_families
from family_specs import FAMILIES
from gguf_io import field, tensor_f32


def convert(model, folder: Path) -> gguf.GGUFReader:
    if model.config.model_type == "gpt2":
        model.config.n_ctx = model.config.n_positions  # as in the configurations of its time
    model.save_pretrained(folder)
    hparams = ModelBase.load_hparams(folder, False)
    cls = get_model_class(get_model_architecture(hparams, ModelType.TEXT))
    cls.set_vocab = lambda self: None  # it knows no tokeniser of ours
    if "gemma" in model.config.model_type:
        # It cuts the embedding to the tokeniser's size.
        (folder / "tokenizer.json").write_text(json.dumps({"model": {"vocab": list(range(320))}, "added_tokens": []}))
    with torch.inference_mode():
        cls(folder, gguf.LlamaFileType.ALL_F32, folder / "made.gguf").write()
    return gguf.GGUFReader(folder / "made.gguf")


def compare(family, ours: gguf.GGUFReader, theirs: gguf.GGUFReader):
    skip = ("GGUF.", "tokenizer.", "general.")
    keys = lambda r: {k: field(r, k) for k in r.fields if not k.startswith(skip)}
    a, b = keys(ours), keys(theirs)
    for key in sorted(a.keys() | b.keys()):
        if a.get(key) != b.get(key) or ours.fields[key].types != theirs.fields[key].types:
            print(f"  {key}: ours {a.get(key)}, theirs {b.get(key)}")
    ta, tb = ({t.name: t for t in r.tensors} for r in (ours, theirs))
    for name in sorted(ta.keys() | tb.keys()):
        if name not in ta or name not in tb:
            print(f"  {name}: only {'ours' if name in ta else 'theirs'}")
        elif list(ta[name].shape) != list(tb[name].shape):
            print(f"  {name}: ours {ta[name].shape}, theirs {tb[name].shape}")
        else:
            x, y = tensor_f32(ta[name]), tensor_f32(tb[name])
            if not np.array_equal(x, y):
                print(f"  {name}: differ by at most {np.abs(x - y).max():.3g}")
    same = field(ours, "general.architecture") == field(theirs, "general.architecture")
    print(f"{family.name}: architecture {'equal' if same else 'DIFFERS'}, {len(ta)} tensors, {len(a)} keys compared", flush=True)


for family in FAMILIES:
    if ARGS.only is None or family.name in ARGS.only:
        ours = gguf.GGUFReader(ARGS.data / f"family_{family.name}.gguf")
        with tempfile.TemporaryDirectory() as scratch:
            compare(family, ours, convert(hf_families.load(family, ours), Path(scratch)))
