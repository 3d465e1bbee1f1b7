"""Tiny seeded translation models as Hugging Face folders, and those of T5 as GGUF files too: vocabularies, weights, JSON files."""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import transformers as hf
from gguf import GGMLQuantizationType, GGUFWriter
from gguf.quants import dequantize, quantize
from safetensors.torch import save_file
from transformers.models.nllb.tokenization_nllb import NllbTokenizer

import spm_models
import texts
from gguf_io import write as write_gguf

D_MODEL, HEADS, D_KV, D_FF = 32, 4, 16, 64
MAX_POSITIONS = 512
GERMAN = """Der Leuchtturm steht seit vielen Jahren auf dem Felsen über dem Hafen.
Jeden Abend schrieb die Wärterin das Wetter in ein dünnes blaues Heft.
Der Wind kam von Süden, und die Wellen waren höher als die Mauer.
Als das Öl in der Leitung gefror, trug sie Kohlen die Treppe hinauf.
Im Frühling kam ein junger Ingenieur mit einem Kasten voller Werkzeuge.
Sie sah die Zeichnung lange an und sagte, er habe den Wind vergessen.
Über den Dächern flogen Möwen, und niemand zählte sie außer ihr.
Wir haben heute zwölf Schiffe gesehen, und keines kam zurück.
"""
BOTH = texts.TRAINING + "\n" + GERMAN
BLANKS = dict(add_dummy_prefix=True, remove_extra_whitespaces=True)
# Some of nmt_nfkc's rules: its table has a quarter of a megabyte, and one golden with it is enough.
RULES = {"\t": " ", "\u00a0": " ", "\u3000": " ", "\ufb01": "fi", "\ufb02": "fl", "\u2014": "-", "\u2026": "..."}
NLLB_LANGUAGES = ["deu_Latn", "eng_Latn", "zho_Hans", "zho_Hant"]


@dataclass(frozen=True)
class Tiny:
    name: str
    kind: str
    dtype: torch.dtype
    # Type of the matrices in the GGUF file, and of their values in the folder.
    gguf: GGMLQuantizationType | None
    # One that was searched for: every choice has a margin, and answers have many ids.
    seed: int


MODELS = [
    Tiny("t5_first", "t5", torch.float16, GGMLQuantizationType.F16, 1),
    Tiny("t5_gated", "t5", torch.float32, GGMLQuantizationType.Q8_0, 1),
    Tiny("umt5", "umt5", torch.float32, GGMLQuantizationType.F32, 0),
    Tiny("marian", "marian", torch.float16, None, 58),
    Tiny("marian_apart", "marian", torch.float16, None, 2),
    Tiny("m2m100", "m2m_100", torch.float32, None, 0),
    Tiny("nllb", "m2m_100", torch.float16, None, 5),
]


def dump(path: Path, value):
    path.write_text(json.dumps(value, ensure_ascii=True, indent=1) + "\n", encoding="ascii")


def train(full: bool = False, **options):
    if full:
        return spm_models.train(normalization_rule_name="nmt_nfkc", **BLANKS, **options)
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as rules:
        spell = lambda text: " ".join(f"{ord(c):X}" for c in text)
        rules.write("".join(f"{spell(a)}\t{spell(b)}\n" for a, b in RULES.items()))
        rules.flush()
        proto = spm_models.train(normalization_rule_tsv=rules.name, **BLANKS, **options)
    proto.trainer_spec.ClearField("model_prefix")
    proto.normalizer_spec.ClearField("normalization_rule_tsv")
    return proto


# Vocabularies. Each returns transformers' tokenizer and the number of rows of the embedding.

def t5_proto(spec: Tiny):
    # As MADLAD-400's vocabulary, whose tokens of languages are text.
    more = {"user_defined_symbols": ["<2de>", "<2fr>", "<2translate>"]} if spec.name == "t5_gated" else {}
    return train(
        spec.name == "t5_gated", text=BOTH, model_type="unigram", vocab_size=330, pad_id=0, eos_id=1, unk_id=2, bos_id=-1, **more)


def t5_tokenizer(folder: Path, spec: Tiny):
    proto = t5_proto(spec)
    if spec.name == "umt5":
        (folder / "spiece.model").write_bytes(proto.SerializeToString())
    vocab = [(p.piece, p.score) for p in proto.pieces]
    table = proto.normalizer_spec.precompiled_charsmap
    extra = 0 if spec.name == "t5_gated" else 4
    vocab += [(f"<extra_id_{i}>", 0.0) for i in reversed(range(extra))]
    tok = hf.T5Tokenizer(vocab=vocab, _spm_precompiled_charsmap=table, extra_ids=extra)
    tok.save_pretrained(folder)
    return tok, 352


def marian_tokenizer(folder: Path):
    source = train(text=texts.TRAINING, model_type="unigram", vocab_size=220, bos_id=-1, eos_id=0, unk_id=1)
    target = train(text=GERMAN, model_type="unigram", vocab_size=100, bos_id=-1, eos_id=0, unk_id=1)
    (folder / "source.spm").write_bytes(source.SerializeToString())
    (folder / "target.spm").write_bytes(target.SerializeToString())
    # Some pieces of the source have no id, and some of the target's are unknown to the source's model.
    pieces = [p.piece for p in source.pieces[2:] if len(p.piece) % 5 != 4] + [p.piece for p in target.pieces[2:]]
    vocab = ["</s>", "<unk>", *dict.fromkeys(pieces), ">>deu<<", ">>fra<<", ">>cmn_Hans<<", "<pad>"]
    dump(folder / "vocab.json", {piece: i for i, piece in enumerate(vocab)})
    dump(folder / "tokenizer_config.json", {"source_lang": "eng", "target_lang": "mul", "model_max_length": 512})
    tok = hf.MarianTokenizer(
        source_spm=str(folder / "source.spm"), target_spm=str(folder / "target.spm"), vocab=str(folder / "vocab.json"),
        source_lang="eng", target_lang="mul")
    return tok, len(vocab)


def marian_apart_tokenizer(folder: Path):
    """Answers have a vocabulary of their own, in which ids of texts are other pieces."""
    source = train(text=texts.TRAINING, model_type="unigram", vocab_size=130, bos_id=-1, eos_id=0, unk_id=1)
    target = train(text=GERMAN, model_type="unigram", vocab_size=105, bos_id=-1, eos_id=0, unk_id=1)
    (folder / "source.spm").write_bytes(source.SerializeToString())
    (folder / "target.spm").write_bytes(target.SerializeToString())
    pieces = lambda proto, reverse: ["</s>", "<unk>", *sorted((p.piece for p in proto.pieces[2:]), reverse=reverse)]
    vocab = [*pieces(source, False), ">>deu<<", ">>fra<<", "<pad>"]
    # As large as the other, since the padding of texts begins answers; the last of these ids have no piece.
    target_vocab = [*pieces(target, True), "<pad>"]
    dump(folder / "vocab.json", {piece: i for i, piece in enumerate(vocab)})
    dump(folder / "target_vocab.json", {piece: i for i, piece in enumerate(target_vocab)})
    dump(folder / "tokenizer_config.json", {
        "source_lang": "eng", "target_lang": "mul", "model_max_length": 512, "separate_vocabs": True})
    tok = hf.MarianTokenizer(
        source_spm=str(folder / "source.spm"), target_spm=str(folder / "target.spm"), vocab=str(folder / "vocab.json"),
        target_vocab_file=str(folder / "target_vocab.json"), source_lang="eng", target_lang="mul", separate_vocabs=True)
    return tok, len(vocab)


def bpe_proto(**ids):
    return train(text=BOTH, model_type="bpe", vocab_size=300, pad_id=-1, **({"bos_id": 0, "eos_id": 2, "unk_id": 1} | ids))


def m2m_tokenizer(folder: Path):
    proto = bpe_proto()
    (folder / "sentencepiece.bpe.model").write_bytes(proto.SerializeToString())
    pieces = [p.piece for p in proto.pieces if p.type in (spm_models.Piece.NORMAL, spm_models.Piece.USER_DEFINED)]
    vocab = ["<s>", "<pad>", "</s>", "<unk>", *pieces]
    dump(folder / "vocab.json", {piece: i for i, piece in enumerate(vocab)})
    dump(folder / "tokenizer_config.json", {"model_max_length": 1024})
    tok = hf.M2M100Tokenizer(
        vocab_file=str(folder / "vocab.json"), spm_file=str(folder / "sentencepiece.bpe.model"), src_lang="en", tgt_lang="de")
    return tok, len(vocab) + 100 + 8


def merges_of(proto) -> list[tuple[str, str]]:
    """As transformers takes them out of a SentencePiece BPE: every way to cut a piece in two pieces, by the piece's score."""
    scores = {p.piece: p.score for p in proto.pieces}
    order = {p.piece: i for i, p in enumerate(proto.pieces)}
    merges = []
    for piece, score in scores.items():
        cuts = [(piece[:i], piece[i:]) for i in range(1, len(piece)) if piece[:i] in scores and piece[i:] in scores]
        cuts.sort(key=lambda cut: (order[cut[0]], order[cut[1]]))
        merges += [(*cut, score) for cut in cuts]
    return [(a, b) for a, b, _ in sorted(merges, key=lambda merge: merge[2], reverse=True)]


def nllb_tokenizer(folder: Path):
    proto = bpe_proto()
    pieces = [p.piece for p in proto.pieces if p.type == spm_models.Piece.NORMAL]
    vocab = ["<s>", "<pad>", "</s>", "<unk>", *pieces]
    table = proto.normalizer_spec.precompiled_charsmap
    tok = NllbTokenizer(
        vocab={piece: i for i, piece in enumerate(vocab)}, merges=merges_of(proto), _spm_precompiled_charsmap=table,
        extra_special_tokens=NLLB_LANGUAGES, src_lang="eng_Latn", tgt_lang="deu_Latn")
    tok.save_pretrained(folder)
    # What published folders were made from: the same pieces in NLLB's order, unknown text first.
    own = bpe_proto(unk_id=0, bos_id=1, eos_id=2)
    assert [p.piece for p in own.pieces[3:]] == pieces
    (folder / "sentencepiece.bpe.model").write_bytes(own.SerializeToString())
    return tok, len(tok)


# Models.

def t5_config(spec: Tiny, n_vocab: int) -> dict:
    first = spec.name == "t5_first"
    out = {
        "model_type": spec.kind, "vocab_size": n_vocab, "d_model": D_MODEL, "d_kv": D_KV, "d_ff": D_FF, "num_layers": 2,
        "num_decoder_layers": 3, "num_heads": HEADS, "relative_attention_num_buckets": 32, "relative_attention_max_distance": 128,
        "layer_norm_epsilon": 1e-6, "feed_forward_proj": "relu" if first else "gated-gelu", "pad_token_id": 0, "eos_token_id": 1,
        "decoder_start_token_id": 0, "tie_word_embeddings": first, "n_positions": 128, "dropout_rate": 0.0,
        "is_encoder_decoder": True,
    }
    if first:
        out["task_specific_params"] = {
            f"translation_en_to_{code}": {"prefix": f"translate English to {name}: "}
            for code, name in (("de", "German"), ("fr", "French"))}
    return out


def bart_config(spec: Tiny, n_vocab: int) -> dict:
    marian = spec.kind == "marian"
    pad = n_vocab - 1 if marian else 1
    eos = 0 if marian else 2
    # (the padding of texts begins answers, so there are more rows for these)
    apart = {"share_encoder_decoder_embeddings": False, "decoder_vocab_size": n_vocab + 3} if spec.name == "marian_apart" else {}
    return apart | {
        "model_type": spec.kind, "vocab_size": n_vocab, "d_model": D_MODEL, "encoder_layers": 2, "decoder_layers": 3,
        "encoder_attention_heads": HEADS, "decoder_attention_heads": 2, "encoder_ffn_dim": D_FF, "decoder_ffn_dim": D_FF + 8,
        "activation_function": "swish" if marian else "relu", "scale_embedding": True, "max_position_embeddings": MAX_POSITIONS,
        "pad_token_id": pad, "eos_token_id": eos, "bos_token_id": 0, "decoder_start_token_id": pad if marian else eos,
        "dropout": 0.0, "attention_dropout": 0.0, "activation_dropout": 0.0, "is_encoder_decoder": True,
    }


def class_of(spec: Tiny):
    return {
        "t5": (hf.T5Config, hf.T5ForConditionalGeneration), "umt5": (hf.UMT5Config, hf.UMT5ForConditionalGeneration),
        "marian": (hf.MarianConfig, hf.MarianMTModel), "m2m_100": (hf.M2M100Config, hf.M2M100ForConditionalGeneration),
    }[spec.kind]


# Standard deviation of a projection's output for inputs of size 1: attention that picks, answers that depend on the text.
GAINS = {
    "q": 0.9, "k": 0.9, "v": 1.5, "o": 0.9, "wi": 2.0, "wi_0": 2.0, "wi_1": 1.5, "wo": 3.0, "lm_head": 3.0,
    "q_proj": 1.7, "k_proj": 1.7, "v_proj": 1.5, "out_proj": 0.9, "fc1": 2.0, "fc2": 3.0,
}

MARIAN_GAINS = {"q_proj": 2.5, "k_proj": 2.5, "out_proj": 0.6, "fc2": 0.5}
# Of a decoder with few ids, where most of what follows is that of the last token.
APART_GAINS = {"out_proj": 0.5, "fc1": 3.0, "fc2": 4.0}


def draw(spec: Tiny, name: str, shape: tuple, rng) -> np.ndarray:
    part = name.split(".")[-2] if "." in name else name
    if part in ("shared", "embed_tokens"):
        # (Marian's and M2M100's rows are multiplied by sqrt(d)): so small that a token is not followed by itself.
        return rng.normal(0, {"t5_first": 0.4, "t5_gated": 1.0, "umt5": 1.0, "marian": 0.8, "marian_apart": 0.5}.get(spec.name, 0.1), shape)
    if part == "relative_attention_bias":
        return rng.normal(0, 1.5, shape)
    if part.endswith("layer_norm"):
        if name.endswith("bias"):
            return rng.normal(0, 0.05 if spec.name == "marian_apart" else 0.3, shape)
        last = {"marian": "model.decoder.layers.2.final_layer_norm.weight", "m2m_100": "model.decoder.layer_norm.weight"}
        if name == last.get(spec.kind, "decoder.final_layer_norm.weight"):
            # Of both signs, so that tokens whose embedding is the head's row are not followed by themselves.
            return rng.uniform(3.0, 9.0, shape) * rng.choice([-1, 1], shape)
        return rng.uniform(0.5, 1.5, shape)
    if name == "final_logits_bias":
        values = rng.normal(0, 0.4, shape)
        # What may never be written would be, otherwise.
        values[0, -4 if spec.name == "marian_apart" else -1] = 30.0
        return values
    if name.endswith("bias"):
        return rng.normal(0, 0.15, shape)
    # Norms behind Marian's sublayers would let what is the same at each step win.
    gain = MARIAN_GAINS.get(part) if spec.kind == "marian" else None
    if spec.name == "marian_apart" and "decoder" in name:
        gain = APART_GAINS.get(part, gain)
    return rng.normal(0, (gain or GAINS[part]) / np.sqrt(shape[-1]), shape)


def is_quantised(name: str, shape: tuple) -> bool:
    return len(shape) == 2 and "relative_attention_bias" not in name


def rounded(spec: Tiny, name: str, values: np.ndarray) -> np.ndarray:
    """The values that the file's type keeps."""
    values = values.astype(np.float32)
    if spec.gguf is not None and is_quantised(name, values.shape):
        return np.array(dequantize(quantize(values, spec.gguf), spec.gguf), dtype=np.float32).reshape(values.shape)
    return torch.from_numpy(values).to(spec.dtype).float().numpy()


def shapes_of(spec: Tiny, config: dict) -> dict[str, tuple]:
    make_config, make_model = class_of(spec)
    model = make_model(make_config(**config))
    shapes = {name: tuple(p.shape) for name, p in model.state_dict().items()}
    own = ("embed_positions",) if spec.name == "marian_apart" else ("embed_tokens", "embed_positions")
    for name in list(shapes):
        if any(part in name for part in own):
            del shapes[name]
    if config.get("tie_word_embeddings", True):
        shapes.pop("lm_head.weight", None)
    else:
        shapes["lm_head.weight"] = (config["vocab_size"], D_MODEL)
    return shapes


def weights(spec: Tiny, config: dict, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng([sum(map(ord, spec.name)), seed])
    return {name: rounded(spec, name, draw(spec, name, shape, rng)) for name, shape in shapes_of(spec, config).items()}


def build(spec: Tiny, config: dict, tensors: dict[str, np.ndarray], dtype=torch.float32):
    """transformers' model with these weights; the plain formulas, no fused kernels."""
    make_config, make_model = class_of(spec)
    made = make_config(**config)
    made._attn_implementation = "eager"
    model = make_model(made)
    state = {name: torch.from_numpy(values) for name, values in tensors.items()}
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert not unexpected, unexpected
    assert all("embed" in name or name == "lm_head.weight" for name in missing), missing
    inner = model.model if hasattr(model, "model") else model
    if spec.name != "marian_apart":
        # (it may have been tied to the head, whose values were loaded last)
        inner.shared.weight = torch.nn.Parameter(state[next(name for name in state if name.endswith("shared.weight"))].clone())
    for half in (inner.encoder, inner.decoder):
        if spec.name != "marian_apart":
            half.embed_tokens.weight = inner.shared.weight
        if spec.kind == "marian":
            half.embed_positions.weight = torch.nn.Parameter(half.embed_positions.create_weight(), requires_grad=False)
    # A parameter of its own: transformers may have tied it.
    own = "lm_head.weight" in tensors
    model.lm_head.weight = torch.nn.Parameter(state["lm_head.weight"].clone()) if own else inner.decoder.embed_tokens.weight
    return model.to(dtype).eval()


# Files.

GGUF_PARTS = {
    "SelfAttention.q": "attn_q", "SelfAttention.k": "attn_k", "SelfAttention.v": "attn_v", "SelfAttention.o": "attn_o",
    "SelfAttention.relative_attention_bias": "attn_rel_b", "EncDecAttention.q": "cross_attn_q", "EncDecAttention.k": "cross_attn_k",
    "EncDecAttention.v": "cross_attn_v", "EncDecAttention.o": "cross_attn_o", "DenseReluDense.wi": "ffn_up",
    "DenseReluDense.wi_0": "ffn_gate", "DenseReluDense.wi_1": "ffn_up", "DenseReluDense.wo": "ffn_down",
}


def gguf_name(name: str) -> str:
    fixed = {
        "shared.weight": "token_embd.weight", "lm_head.weight": "output.weight",
        "encoder.final_layer_norm.weight": "enc.output_norm.weight", "decoder.final_layer_norm.weight": "dec.output_norm.weight"}
    if name in fixed:
        return fixed[name]
    side, _, block, _, layer, *part, _ = name.split(".")
    if part == ["layer_norm"]:
        norms = ["attn_norm", "cross_attn_norm", "ffn_norm"] if side == "decoder" else ["attn_norm", "ffn_norm"]
        short = norms[int(layer)]
    else:
        short = GGUF_PARTS[".".join(part)]
    return f"{side[:3]}.blk.{block}.{short}.weight"


def write_t5_gguf(path: Path, spec: Tiny, config: dict, tensors: dict[str, np.ndarray]):
    """As llama.cpp's convert_hf_to_gguf does for arch "t5"."""
    w = GGUFWriter(path, "t5")
    w.add_type("model")
    w.add_name(spec.name)
    w.add_license("apache-2.0")
    w.add_context_length(config["n_positions"])
    w.add_embedding_length(config["d_model"])
    w.add_feed_forward_length(config["d_ff"])
    w.add_block_count(config["num_layers"])
    w.add_uint32("t5.decoder_block_count", config["num_decoder_layers"])
    w.add_head_count(config["num_heads"])
    w.add_key_length(config["d_kv"])
    w.add_value_length(config["d_kv"])
    w.add_layer_norm_eps(config["layer_norm_epsilon"])
    w.add_layer_norm_rms_eps(config["layer_norm_epsilon"])
    w.add_relative_attn_buckets_count(config["relative_attention_num_buckets"])
    w.add_decoder_start_token_id(config["decoder_start_token_id"])
    proto = t5_proto(spec)
    kinds = spm_models.token_types(proto)
    vocab = [(p.piece, p.score, kind) for p, kind in zip(proto.pieces, kinds)]
    extra = 0 if spec.name == "t5_gated" else 4
    vocab += [(f"<extra_id_{i}>", -1000.0, spm_models.TokenType.CONTROL) for i in reversed(range(extra))]
    vocab += [(f"[PAD{i}]", -10000.0, spm_models.TokenType.UNUSED) for i in range(len(vocab), config["vocab_size"])]
    tokens, scores, types = zip(*vocab)
    w.add_tokenizer_model("t5")
    w.add_tokenizer_pre("default")
    w.add_token_list(list(tokens))
    w.add_token_scores(list(scores))
    w.add_token_types(list(types))
    w.add_add_space_prefix(True)
    w.add_remove_extra_whitespaces(True)
    w.add_precompiled_charsmap(proto.normalizer_spec.precompiled_charsmap)
    w.add_eos_token_id(1)
    w.add_unk_token_id(2)
    w.add_pad_token_id(0)
    w.add_add_bos_token(False)
    w.add_add_eos_token(True)
    rows = []
    for name, values in tensors.items():
        kind = spec.gguf if is_quantised(name, values.shape) else GGMLQuantizationType.F32
        rows.append((gguf_name(name), quantize(np.ascontiguousarray(values), kind), kind))
    write_gguf(w, rows)


def tokenizer(folder: Path, spec: Tiny):
    if spec.kind.endswith("t5"):
        return t5_tokenizer(folder, spec)
    return {"marian": marian_tokenizer, "marian_apart": marian_apart_tokenizer, "m2m100": m2m_tokenizer, "nllb": nllb_tokenizer}[spec.name](folder)


def config_of(spec: Tiny, n_vocab: int) -> dict:
    return (t5_config if spec.kind.endswith("t5") else bart_config)(spec, n_vocab)


def generation_of(spec: Tiny, config: dict) -> dict:
    out = {key: config[key] for key in ("pad_token_id", "eos_token_id", "decoder_start_token_id")}
    if spec.kind == "marian":
        out |= {"bad_words_ids": [[config["pad_token_id"]]], "num_beams": 6, "max_length": 512, "forced_eos_token_id": 0}
    return out


def write(out: Path, spec: Tiny, config: dict, tensors: dict[str, np.ndarray]):
    folder = out / spec.name / "hf"
    dump(folder / "config.json", config)
    dump(folder / "generation_config.json", generation_of(spec, config))
    (folder / "README.md").write_text("---\nlanguage:\n- en\n- de\nlicense: cc-by-4.0\n---\n", encoding="ascii")
    state = {name: torch.from_numpy(values).to(spec.dtype).contiguous() for name, values in tensors.items()}
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    if spec.gguf is not None:
        path = out / spec.name / "gguf" / "model.gguf"
        path.parent.mkdir(exist_ok=True)
        write_t5_gguf(path, spec, config, tensors)
