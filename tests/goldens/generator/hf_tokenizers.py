"""The tokeniser files of a Hugging Face model folder, in the shapes that real families' folders have."""

import json
from pathlib import Path

import gemma_tokenizer

# How digits and spaces are cut: Qwen takes digits one by one, Llama 3 by three.
_WORDS = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
          r"|\s+(?!\S)|\s+")


def _byte_level(use_regex: bool, trim: bool) -> dict:
    return {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": trim, "use_regex": use_regex}


def _split(digits: str) -> dict:
    pattern = {"type": "Split", "pattern": {"Regex": _WORDS % digits}, "behavior": "Isolated", "invert": False}
    return {"type": "Sequence", "pretokenizers": [pattern, _byte_level(False, False)]}


SMOLLM = {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, _byte_level(True, True)]}

STYLES = {
    "qwen2": {"normalizer": {"type": "NFC"}, "pre_tokenizer": _split(""), "post": True, "class": "Qwen2Tokenizer"},
    "llama3": {"normalizer": None, "pre_tokenizer": _split("{1,3}"), "post": True, "class": "PreTrainedTokenizerFast"},
    "modern_bert": {"normalizer": {"type": "NFC"}, "pre_tokenizer": _byte_level(True, True), "post": True,
                    "class": "PreTrainedTokenizerFast"},
    "smollm": {"normalizer": None, "pre_tokenizer": SMOLLM, "post": False, "class": "PreTrainedTokenizerFast"},
}


def write(folder: Path, style_name: str, meta: dict):
    """`meta`: the vocabulary of the byte-level styles."""
    if style_name.startswith("gemma"):
        tokenizer, config = gemma_tokenizer.files(merges_as_strings=style_name == "gemma2")
    else:
        tokenizer, config = byte_level(style_name, meta)
    for name, value in (("tokenizer.json", tokenizer), ("tokenizer_config.json", config)):
        (folder / name).write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def byte_level(style_name: str, meta: dict) -> tuple[dict, dict]:
    style = STYLES[style_name]
    # Old files write a merge as one string, new ones as a pair.
    merges = meta["merges"] if style_name == "llama3" else [m.split(" ") for m in meta["merges"]]
    special = [(i, t) for i, t in enumerate(meta["tokens"]) if meta["types"][i] == 3]
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    tokenizer = {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [{"id": i, "content": t} | flags for i, t in special],
        "normalizer": style["normalizer"], "pre_tokenizer": style["pre_tokenizer"],
        "post_processor": _byte_level(True, False) if style["post"] else None, "decoder": _byte_level(True, True),
        "model": {
            "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
            "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": style_name == "llama3",
            "vocab": {t: i for i, t in enumerate(meta["tokens"])}, "merges": merges,
        },
    }
    config = {
        "added_tokens_decoder": {str(i): {"content": t} | flags for i, t in special},
        "bos_token": meta["tokens"][meta["bos"]], "eos_token": meta["tokens"][meta["eos"]],
        "pad_token": meta["tokens"][meta["pad"]], "chat_template": meta["chat_template"],
        "clean_up_tokenization_spaces": False, "model_max_length": 256, "tokenizer_class": style["class"],
    }
    return tokenizer, config
