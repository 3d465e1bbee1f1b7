"""Tiny SentencePiece models, and the GGUF files (no tensors) that hold their vocabularies."""

import io
from pathlib import Path

import sentencepiece as spm
import texts
from gguf import GGUFWriter, TokenType
from sentencepiece import sentencepiece_model_pb2 as pb

Piece = pb.ModelProto.SentencePiece


def train(text: str = texts.TRAINING, **options) -> pb.ModelProto:
    out = io.BytesIO()
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(text.split("\n")), model_writer=out, num_threads=1, minloglevel=2,
        allow_whitespace_only_pieces=True, character_coverage=0.98, split_digits=True, **options)
    return pb.ModelProto.FromString(out.getvalue())


def processor(proto: pb.ModelProto) -> spm.SentencePieceProcessor:
    return spm.SentencePieceProcessor(model_proto=proto.SerializeToString())


def token_types(proto: pb.ModelProto) -> list[TokenType]:
    """As llama.cpp's converter sees them; it does not ask for user-defined pieces."""
    kinds = {Piece.UNKNOWN: TokenType.UNKNOWN, Piece.CONTROL: TokenType.CONTROL, Piece.BYTE: TokenType.BYTE}
    return [kinds.get(p.type, TokenType.NORMAL) for p in proto.pieces]


def write(path: Path, arch: str, model: str, vocab: list[tuple[str, float, TokenType]], keys: dict):
    """`keys`: GGUFWriter.add_<key>(value)"""
    w = GGUFWriter(path, arch)
    w.add_type("vocab")
    w.add_name(path.stem)
    w.add_tokenizer_model(model)
    w.add_tokenizer_pre("default")
    tokens, scores, types = zip(*vocab)
    w.add_token_list(list(tokens))
    w.add_token_scores(list(scores))
    w.add_token_types(list(types))
    for key, value in keys.items():
        getattr(w, f"add_{key}")(value)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.close()
