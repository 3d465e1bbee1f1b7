"""Checks pre_specs.py against the token ids that llama.cpp keeps from Hugging Face's tokenizers. Run by hand.

python crosscheck_pre.py PATH/TO/llama.cpp (the sources in llama-cpp-python's sdist, vendor/llama.cpp)
"""

import argparse
from pathlib import Path

from gguf import GGUFReader, TokenType
from tokenizers import AddedToken

from gguf_io import bpe_tokenizer, encode, field
from pre_specs import SPECS

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("llama_cpp", type=Path)
args = parser.parse_args()
for path in sorted((args.llama_cpp / "models").glob("ggml-vocab-*.gguf.inp")):
    reader = GGUFReader(path.with_suffix(""))
    pre = field(reader, "tokenizer.ggml.pre")
    if field(reader, "tokenizer.ggml.model") != "gpt2" or not any(pre in spec.names for spec in SPECS):
        continue
    tok = bpe_tokenizer(reader)
    # Runs of blanks in mpt's vocabulary.
    types = zip(field(reader, "tokenizer.ggml.tokens"), field(reader, "tokenizer.ggml.token_type"))
    tok.add_tokens([AddedToken(t, normalized=False) for t, kind in types if kind == TokenType.USER_DEFINED])
    tok.model.ignore_merges = pre in ("llama-bpe", "tekken")
    texts = path.read_text(encoding="utf-8").split("\n__ggml_vocab_test__\n")
    wanted = [[int(i) for i in line.split()] for line in path.with_suffix(".out").read_text().split("\n")]
    wrong = [text for text, want in zip(texts, wanted) if encode(tok, text, parse_special=True) != want]
    print(f"{pre}: {len(wrong)} of {len(texts)} texts differ {[t[:40] for t in wrong]}", flush=True)
