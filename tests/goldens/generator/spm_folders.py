"""tokenizer_gemma and tokenizer_t5 as Hugging Face folders with a model of next to nothing, for llama.cpp's converter."""

import json
from pathlib import Path

import gold_gemma
import gold_unigram
import transformers as hf
from spm_models import Piece

TINY = dict(hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1, num_key_value_heads=1, head_dim=8)


def dump(path: Path, value):
    path.write_text(json.dumps(value), encoding="utf-8")


def gemma(folder: Path):
    proto = gold_gemma.model(Piece.USER_DEFINED)
    (folder / "tokenizer.model").write_bytes(proto.SerializeToString())
    special = range(gold_gemma.FIRST + len(gold_gemma.CONTROL))
    added = [*special, *(i for i, p in enumerate(proto.pieces) if p.type == Piece.USER_DEFINED)]
    dump(folder / "tokenizer_config.json", {
        "bos_token": "<bos>", "eos_token": "<eos>", "unk_token": "<unk>", "pad_token": "<pad>", "add_bos_token": True,
        "add_eos_token": False,
        "added_tokens_decoder": {str(i): {"content": proto.pieces[i].piece, "special": i in special} for i in added}})
    names = {p.piece: i for i, p in enumerate(proto.pieces)}
    # Only its length and the special tokens' ids are looked at.
    dump(folder / "tokenizer.json", {"model": {"vocab": names}, "added_tokens": [
        {"id": i, "content": proto.pieces[i].piece} for i in special]})
    config = hf.Gemma3TextConfig(vocab_size=len(names), bos_token_id=2, eos_token_id=1, pad_token_id=0, **TINY)
    hf.AutoModelForCausalLM.from_config(config).save_pretrained(folder)


def t5(folder: Path):
    proto = gold_unigram.t5_model()
    (folder / "spiece.model").write_bytes(proto.SerializeToString())
    named = {"eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
    dump(folder / "tokenizer_config.json", named)
    end = {"SpecialToken": {"id": "</s>", "type_id": 0}}
    a, b = ({"Sequence": {"id": s, "type_id": 0}} for s in "AB")
    dump(folder / "tokenizer.json", {
        "added_tokens": [{"id": i, "content": t} for i, t in enumerate(("<pad>", "</s>", "<unk>"))],
        "post_processor": {"type": "TemplateProcessing", "single": [a, end], "pair": [a, end, b, end]}})
    n_vocab = len(proto.pieces) + gold_unigram.T5_PADDING
    config = hf.T5Config(
        vocab_size=n_vocab, d_model=8, d_kv=8, d_ff=8, num_layers=1, num_heads=1, decoder_start_token_id=0)
    hf.T5ForConditionalGeneration(config).save_pretrained(folder)
