"""Gemma's tokenizer.json in small: a SentencePiece BPE vocabulary with byte tokens, as transformers converts one."""

import json
import re

import golden
import spm_models
import template_sources
import texts
from sentencepiece import SentencePieceProcessor
from spm_models import Piece
from tokenizers import Tokenizer
from transformers.convert_slow_tokenizer import generate_merges

N_VOCAB = 320
SPECIAL = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "<start_of_turn>", "<end_of_turn>"]
LINES = ["\n", "\n\n"]
# 256 byte tokens leave room for few letters.
LETTERS = re.sub(r"[^ a-zHT,.\n]", "", texts.TRAINING)


def pieces():
    """[(piece, score)] in the order of their ids, and the processor that has no others."""
    extra = SPECIAL[4:] + LINES
    proto = spm_models.train(
        LETTERS, model_type="bpe", vocab_size=N_VOCAB - len(extra), byte_fallback=True, normalization_rule_name="identity",
        add_dummy_prefix=False, remove_extra_whitespaces=False, pad_id=0, eos_id=1, bos_id=2, unk_id=3, pad_piece="<pad>",
        eos_piece="<eos>", bos_piece="<bos>", unk_piece="<unk>")
    trained = list(proto.pieces)
    kinds = [Piece.CONTROL] * 3 + [Piece.USER_DEFINED] * len(LINES)
    added = [Piece(piece=t, score=0.0, type=kind) for t, kind in zip(extra, kinds)]
    del proto.pieces[:]
    proto.pieces.extend(trained[:4] + added + trained[4:])
    return [(p.piece, p.score) for p in proto.pieces], spm_models.processor(proto)


def files(merges_as_strings: bool) -> tuple[dict, dict]:
    """tokenizer.json and tokenizer_config.json."""
    vocab, processor = pieces()
    ids = {t: i for i, (t, _) in enumerate(vocab)}
    assert len(ids) == N_VOCAB
    # As transformers converts a tokenizer.model: every pair of pieces that makes a piece, the best piece first.
    pairs = generate_merges(ids, {t: s for t, s in vocab if t not in SPECIAL + LINES}, SPECIAL)
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    # Runs of blanks too, though no text that was normalised can match them.
    blanks = [t for t in ids if re.fullmatch("\u2581{2,}", t)]
    added = [{"id": ids[t], "content": t} | flags | {"special": t in SPECIAL} for t in SPECIAL + LINES + blanks]
    bos, a, b = {"SpecialToken": {"id": "<bos>", "type_id": 0}}, *({"Sequence": {"id": s, "type_id": 0}} for s in "AB")
    tokenizer = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added,
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"},
        "pre_tokenizer": {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False},
        "post_processor": {
            "type": "TemplateProcessing", "single": [bos, a], "pair": [bos, a, bos, b],
            "special_tokens": {"<bos>": {"id": "<bos>", "ids": [ids["<bos>"]], "tokens": ["<bos>"]}}},
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}]},
        "model": {
            "type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None,
            "end_of_word_suffix": None, "fuse_unk": True, "byte_fallback": True, "ignore_merges": False, "vocab": ids,
            "merges": [" ".join(p) for p in pairs] if merges_as_strings else [list(p) for p in pairs],
        },
    }
    config = {
        "add_bos_token": True, "add_eos_token": False,
        "added_tokens_decoder": {str(t["id"]): {k: v for k, v in t.items() if k != "id"} for t in added},
        "bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>", "unk_token": "<unk>",
        "chat_template": template_sources.TEMPLATES["gemma_like"], "clean_up_tokenization_spaces": False,
        "model_max_length": 256, "spaces_between_special_tokens": False, "tokenizer_class": "GemmaTokenizer",
    }
    check(tokenizer, processor)
    return tokenizer, config


def check(tokenizer: dict, processor: SentencePieceProcessor):
    """Text without special tokens becomes what sentencepiece makes of it."""
    tok = Tokenizer.from_str(json.dumps(tokenizer))
    for text in [p["text"] for p in golden.PROMPTS if "text" in p] + [texts.PROSE, LETTERS]:
        assert tok.encode(text, add_special_tokens=False).ids == processor.encode(text)
