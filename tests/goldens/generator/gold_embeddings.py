"""embed_<name>.gguf, .json, _embeddings.bin, _hidden.bin: tiny seeded embedding models, in llama.cpp's GGUF layout."""

import zlib
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType as T, GGUFReader
from gguf.quants import quantize
from tokenizers import Tokenizer, processors

import embedding_layout
import family_weights
import gguf_io
import hf_embeddings
import jsonio
import nomic_mixture
import texts
import wordpiece
from embedding_specs import EMBEDDINGS, Embedding
from gold_tiny import train_bpe

# The text whose hidden states are kept.
HIDDEN = 3
# What llama.cpp's converter keeps in F32 beside vectors.
ALWAYS_F32 = ("position_embd", "token_types", "ffn_gate_inp")
# Of router logits: no rounding chooses another expert.
MIN_ROUTING_GAP = 2e-5


def draw(part: str, kind: str, shape, gains: dict, rng) -> np.ndarray:
    if kind == "bias":
        return rng.normal(0, 0.3, shape)
    if part in ("attn_q_norm", "attn_k_norm"):
        return rng.uniform(0.8, 2.0, shape)
    if part.endswith("norm"):
        return rng.uniform(0.5, 1.5, shape)
    if part in ("token_embd", "position_embd", "token_types"):
        return rng.normal(0, 1.0 if part == "token_embd" else 0.5, shape)
    return rng.normal(0, gains[part] / np.sqrt(shape[-1]), shape)


def write_gguf(path: Path, spec: Embedding, vocab: list[str], bpe: dict):
    """Seeded random weights in the shapes of transformers' model."""
    rng = np.random.default_rng([zlib.crc32(spec.name.encode()), 0])
    shapes = hf_embeddings.parameters(hf_embeddings.new_model(spec))
    made, n = [], 0
    for key, names in embedding_layout.tensors(spec, list(shapes)).items():
        part, kind = key.split(".")[-2:]
        shape = (sum(shapes[name][0] for name in names), *shapes[names[0]][1:])
        values = draw(part, kind, shape, family_weights.GAINS | spec.gains, rng).astype(np.float32)
        if len(shape) == 1 or part in ALWAYS_F32:
            qtype = T.F32
        else:
            qtype = spec.types[n % len(spec.types)]
            n += 1
        made.append((key, quantize(values, qtype), qtype))

    w = gguf_io.start(path, spec.arch, spec.name)
    for key, value in spec.keys.items():
        getattr(w, f"add_{key}")(value)
    for i, (before, after) in enumerate(spec.dense):
        w.add_dense_features_dims(f"dense_{i + 2}", before, after)
    w.add_file_type(spec.file_type)
    if spec.wordpiece:
        wordpiece.add_to(w, vocab, spec.args["vocab_size"], spec.old_tokenizer)
        gguf_io.write(w, made)
    else:
        gguf_io.finish(w, modern_bert_vocabulary(bpe) if spec.arch == "modern-bert" else bpe, made)


def tokenizer(spec: Embedding, reader: GGUFReader, vocab: list[str]) -> Tokenizer:
    """With the special tokens that an embedding wants, and not those that a text spells."""
    if spec.wordpiece:
        tok = wordpiece.tokenizer(vocab)
    else:
        tok = gguf_io.bpe_tokenizer(reader)
        frame(tok, reader)
    tok.encode_special_tokens = True
    return tok


def frame(tok: Tokenizer, reader: GGUFReader):
    """Puts the tokens around a text, and around two, that the file asks for."""
    tokens = gguf_io.field(reader, "tokenizer.ggml.tokens")
    begin, end = (
        tokens[gguf_io.field(reader, f"tokenizer.ggml.{key}_token_id")] if gguf_io.field(reader, f"tokenizer.ggml.add_{key}_token") else ""
        for key in ("bos", "eos"))
    special = [(token, tok.token_to_id(token)) for token in (begin, end) if token]
    tok.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A {end}".strip(), pair=f"{begin} $A {end} $B {end}".strip(), special_tokens=special)


def cases(tok: Tokenizer, max_length: int) -> list[dict]:
    tok.enable_truncation(max_length)
    cut = [tok.encode(text).ids for text in texts.EMBED]
    tok.no_truncation()
    out = []
    for text, ids in zip(texts.EMBED, cut):
        whole = len(tok.encode(text).ids)
        out.append({"text": text, "ids": ids} | ({"truncated_from": whole} if whole > len(ids) else {}))
    return out


def make_one(out: Path, spec: Embedding, vocab: list[str], bpe: dict):
    path = out / f"{spec.name}.gguf"
    write_gguf(path, spec, vocab, bpe)
    assert path.stat().st_size < 250_000, path.stat().st_size
    reader = GGUFReader(path)
    model, wide = hf_embeddings.load(spec, reader), hf_embeddings.load(spec, reader).double()
    found = cases(tokenizer(spec, reader, vocab), spec.max_length)
    rows = [hf_embeddings.hidden(model, case["ids"]) for case in found]
    dense = hf_embeddings.dense(model), hf_embeddings.dense(wide)
    embeddings = np.array([hf_embeddings.pool(r, spec.pooling, dense[0]) for r in rows])
    exact = np.array([hf_embeddings.pool(hf_embeddings.hidden(wide, case["ids"]), spec.pooling, dense[1]) for case in found])
    alike = embeddings @ embeddings.T - 2 * np.eye(len(found))
    assert nomic_mixture.gap(model) > MIN_ROUTING_GAP, (spec.name, nomic_mixture.gap(model))
    # No two texts are nearly the same to the model, so a wrong one shows.
    assert alike.max() < spec.alike, (spec.name, alike.max())

    embeddings.astype("<f4").tofile(out / f"{spec.name}_embeddings.bin")
    rows[HIDDEN].astype("<f4").tofile(out / f"{spec.name}_hidden.bin")
    jsonio.write(out / f"{spec.name}.json", {
        "gguf": path.name, "arch": spec.arch, "pooling": spec.pooling.name.lower(), "max_length": spec.max_length,
        "embeddings_bin": {"file": f"{spec.name}_embeddings.bin", "shape": list(embeddings.shape), "dtype": "f32le",
                           "axes": ["case", "width"]},
        "hidden_bin": {"file": f"{spec.name}_hidden.bin", "case": HIDDEN, "shape": list(rows[HIDDEN].shape),
                       "dtype": "f32le", "axes": ["position", "width"]},
        "f32_vs_f64_max_abs_diff": float(f"{np.abs(exact - embeddings).max():.2e}"),
        "cases": found,
    })


def modern_bert_vocabulary(bpe: dict) -> dict:
    """As llama.cpp's converter writes it, which asks for one more separator than pairs of texts have."""
    return bpe | {"pre": "modern-bert", "bos": 1, "eos": 0, "eot": None, "add_bos": True, "add_eos": True, "add_sep": True}


def vocabularies() -> tuple[list[str], dict]:
    # Qwen3-Embedding's tokenizer: Qwen's way to cut words, and the end of text at the end of every text.
    meta = train_bpe("gpt-2") | {"pre": "qwen2", "bos": 0, "eos": 0, "pad": 0, "eot": 2, "unk": None, "add_eos": True}
    return wordpiece.train(), meta


def make(out: Path):
    vocab, bpe = vocabularies()
    for spec in EMBEDDINGS:
        make_one(out, spec, vocab, bpe)
