"""tokenizer_pre.json: the pieces that each family's pre-tokenizer cuts the nasty texts into."""

import json
import unicodedata
from pathlib import Path

from tokenizers import Tokenizer, models

import jsonio
import texts
from pre_specs import SPECS, Spec

TEXTS = texts.NASTY + texts.PRE


def lengths(spec: Spec, text: str) -> list[int]:
    # The last step spells each byte as one character.
    out = [len(piece) for piece, _ in spec.pre_tokenizer().pre_tokenize_str(text)]
    assert sum(out) == len(text.encode()), (spec.names, text)
    return out


def steps(spec: Spec) -> list:
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = spec.pre_tokenizer()
    return json.loads(tok.to_str())["pre_tokenizer"]["pretokenizers"]


def make(out: Path):
    nfc = [unicodedata.normalize("NFC", text) for text in TEXTS]
    jsonio.write(out / "tokenizer_pre.json", {
        "about": "lengths[i]: of the pieces of texts[i], in bytes of UTF-8; with normalizer NFC those of nfc[i], where that "
                 "key exists. also: names of other models that cut alike, normalizer not looked up. steps: as in tokenizer.json",
        "texts": TEXTS,
        "nfc": {str(i): n for i, (n, text) in enumerate(zip(nfc, TEXTS)) if n != text},
        "families": [{
            "names": list(spec.names), "also": list(spec.also), "normalizer": "NFC" if spec.nfc else None,
            "steps": steps(spec),
            "lengths": [lengths(spec, text) for text in (nfc if spec.nfc else TEXTS)],
        } for spec in SPECS],
    })
