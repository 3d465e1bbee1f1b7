"""tokenizer_gemma.gguf, .json: a SentencePiece BPE vocabulary as Gemma's, with runs of blanks and tags as whole pieces."""

from pathlib import Path

import jsonio
import spm_models
import texts
from gguf import TokenType
from gold_tokenizers import case
from spm_models import Piece

CONTROL = ["<start_of_turn>", "<end_of_turn>"]
BLANKS = ["\n", "\n\n", "\n\n\n", "\t", "\u2581\u2581", "\u2581\u2581\u2581", "\u2581\u2581\u2581\u2581"]
TAGS = ["<b>", "</b>", "<unused0>"]
FIRST = 4


def model(tags: list[int]):
    """`tags`: the types of the pieces in TAGS."""
    proto = spm_models.train(
        model_type="bpe", vocab_size=560, byte_fallback=True, normalization_rule_name="identity", add_dummy_prefix=False,
        remove_extra_whitespaces=False, pad_id=0, eos_id=1, bos_id=2, unk_id=3, pad_piece="<pad>", eos_piece="<eos>",
        bos_piece="<bos>", unk_piece="<unk>")
    added = [(t, Piece.CONTROL) for t in CONTROL] + [(t, Piece.USER_DEFINED) for t in BLANKS] + list(zip(TAGS, tags))
    names = [t for t, _ in added]
    kept = [p for p in proto.pieces if p.piece not in names]
    pieces = kept[:FIRST] + [Piece(piece=t, score=0.0, type=kind) for t, kind in added] + kept[FIRST:]
    del proto.pieces[:]
    proto.pieces.extend(pieces)
    return proto


def vocabulary(proto) -> list[tuple[str, float, TokenType]]:
    """As llama.cpp's converter makes it from tokenizer.model and the added tokens in tokenizer_config.json."""
    out = []
    for piece, kind in zip(proto.pieces, spm_models.token_types(proto)):
        if piece.piece in BLANKS + TAGS[:2]:
            out.append((piece.piece.replace("\u2581", " "), -1000.0, TokenType.USER_DEFINED))
        # It takes the look of <unused0> for that of a special token.
        elif len(out) < FIRST or piece.piece in CONTROL + TAGS:
            out.append((piece.piece, -1000.0, TokenType.CONTROL))
        else:
            out.append((piece.piece, piece.score, kind))
    return out


def make(out: Path):
    # Control pieces never match.
    user, control = Piece.USER_DEFINED, Piece.CONTROL
    proto = model([control] * 3)
    plain, tagged = (spm_models.processor(model(tags)) for tags in ([user, user, control], [user] * 3))
    spm_models.write(out / "tokenizer_gemma.gguf", "gemma3", "llama", vocabulary(proto), {
        "bos_token_id": 2, "eos_token_id": 1, "unk_token_id": 3, "pad_token_id": 0, "add_bos_token": True,
        "add_eos_token": False, "add_space_prefix": False})
    cases = []
    for text in texts.NASTY + texts.SPM:
        ids, with_tags = plain.encode(text), tagged.encode(text)
        cases.append(case(text, ids, plain.decode(ids), **({"ids_tags": with_tags} if with_tags != ids else {})))
    jsonio.write(out / "tokenizer_gemma.json", {
        "about": "ids: sentencepiece, no BOS; of the tokens that are not normal only runs of blanks, <b> and </b> match. ids_tags: "
                 "<unused0> matches too, as in Gemma's own tokenizer (only where it differs). decoded: only where it "
                 "differs from text",
        "gguf": "tokenizer_gemma.gguf", "n_vocab": len(proto.pieces), "cases": cases,
    })
