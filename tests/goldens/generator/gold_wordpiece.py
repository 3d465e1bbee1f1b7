"""tokenizer_wordpiece.json: WordPiece ids of the nasty texts, with the vocabulary of embed_bert.gguf."""

from pathlib import Path

import jsonio
import texts
import wordpiece

TEXTS = texts.NASTY + texts.WORDPIECE


def ids(tok) -> list[list[int]]:
    """Without [CLS] and [SEP]; a text that spells them gets the ids of their characters."""
    tok.encode_special_tokens = True
    return [tok.encode(text, add_special_tokens=False).ids for text in TEXTS]


def make(out: Path):
    vocab = wordpiece.train()
    variants = [{"lowercase": lower, "strip_accents": strip, "ids": ids(wordpiece.tokenizer(vocab, lower, strip))}
                for lower, strip in ((True, None), (False, None), (True, False), (False, True))]
    # Without a word about accents they go where upper case goes.
    assert ids(wordpiece.tokenizer(vocab, True, True)) == variants[0]["ids"]
    assert ids(wordpiece.tokenizer(vocab, False, False)) == variants[1]["ids"]
    assert len({str(v["ids"]) for v in variants}) == len(variants)
    jsonio.write(out / "tokenizer_wordpiece.json", {
        "about": "ids[i]: of texts[i], without [CLS] and [SEP], special tokens not parsed, for each setting of "
                 "tokenizer.ggml.normalizer.lowercase and .strip_accents (null: no such key)",
        "gguf": "embed_bert.gguf", "texts": TEXTS, "variants": variants,
    })
