"""tokenizer_t5.gguf, .json and tokenizer_unigram.gguf, .json: SentencePiece unigram vocabularies.

The first as T5's: nmt_nfkc normalisation, blanks merged, one put in front. The second has none of that, but byte tokens.
"""

from pathlib import Path

import jsonio
import spm_models
import texts
from gguf import TokenType
from gold_tokenizers import case

T5_PADDING = 24


def vocabulary(proto, n_vocab: int) -> list[tuple[str, float, TokenType]]:
    out = [(p.piece, p.score, kind) for p, kind in zip(proto.pieces, spm_models.token_types(proto))]
    return out + [(f"[PAD{i}]", -10000.0, TokenType.UNUSED) for i in range(len(out), n_vocab)]


def make_one(out: Path, name: str, arch: str, proto, n_vocab: int, keys: dict):
    keys |= {"add_space_prefix": proto.normalizer_spec.add_dummy_prefix,
             "remove_extra_whitespaces": proto.normalizer_spec.remove_extra_whitespaces}
    if proto.normalizer_spec.precompiled_charsmap:
        keys["precompiled_charsmap"] = proto.normalizer_spec.precompiled_charsmap
    spm_models.write(out / f"{name}.gguf", arch, "t5", vocabulary(proto, n_vocab), keys)
    sp = spm_models.processor(proto)
    cases = []
    for text in texts.NASTY + texts.SPM:
        ids, normalized = sp.encode(text), sp.normalize(text)
        # A processor's own marks of blanks, which every text has.
        plain = normalized.removeprefix("\u2581").replace("\u2581", " ")
        cases.append(case(text, ids, sp.decode(ids), **({"normalized": normalized} if plain != text else {})))
    jsonio.write(out / f"{name}.json", {
        "about": "ids: sentencepiece, no EOS, special tokens not parsed; normalized: sentencepiece's, only where it differs "
                 "from text by more than U+2581 for blanks; decoded: only where it differs from text",
        "gguf": f"{name}.gguf", "n_vocab": n_vocab, "cases": cases,
    })


def t5_model():
    return spm_models.train(
        model_type="unigram", vocab_size=300, normalization_rule_name="nmt_nfkc", add_dummy_prefix=True,
        remove_extra_whitespaces=True, pad_id=0, eos_id=1, unk_id=2, bos_id=-1)


def make(out: Path):
    t5 = t5_model()
    make_one(out, "tokenizer_t5", "t5", t5, len(t5.pieces) + T5_PADDING, {
        "eos_token_id": 1, "unk_token_id": 2, "pad_token_id": 0, "add_eos_token": True,
        "add_sep_token": False})
    plain = spm_models.train(
        model_type="unigram", vocab_size=550, byte_fallback=True, normalization_rule_name="identity", add_dummy_prefix=False,
        remove_extra_whitespaces=False, unk_id=0, bos_id=1, eos_id=2, pad_id=-1)
    make_one(out, "tokenizer_unigram", "t5", plain, len(plain.pieces), {
        "bos_token_id": 1, "eos_token_id": 2, "unk_token_id": 0, "add_bos_token": False, "add_eos_token": False})
