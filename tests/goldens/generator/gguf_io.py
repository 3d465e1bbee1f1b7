"""Reading GGUF files with gguf-py, and writing them as llama.cpp's convert_hf_to_gguf does for arch "llama"."""

import numpy as np
from gguf import GGMLQuantizationType, GGUFReader, GGUFWriter
from gguf.quants import dequantize, quantize
from tokenizers import AddedToken, Tokenizer, decoders, models

import pre_specs


def field(reader: GGUFReader, key: str, default=None):
    found = reader.fields.get(key)
    return default if found is None else found.contents()


def bpe_tokenizer(reader: GGUFReader) -> Tokenizer:
    """The Hugging Face tokenizer of a byte-level BPE GGUF, with the pipeline that `tokenizer.ggml.pre` names.

    transformers' own GGUF conversion ignores `tokenizer.ggml.pre`; see the README.
    """
    tokens = field(reader, "tokenizer.ggml.tokens")
    types = field(reader, "tokenizer.ggml.token_type")
    merges = [tuple(m.split(" ")) for m in field(reader, "tokenizer.ggml.merges")]
    assert all(len(m) == 2 for m in merges)
    tok = Tokenizer(models.BPE(vocab={t: i for i, t in enumerate(tokens)}, merges=merges))
    spec = pre_specs.find(field(reader, "tokenizer.ggml.pre"))
    tok.normalizer = spec.normalizer()
    tok.pre_tokenizer = spec.pre_tokenizer()
    tok.decoder = decoders.ByteLevel()
    control = [t for t, kind in zip(tokens, types) if kind == 3]
    tok.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in control])
    assert tok.get_vocab_size(with_added_tokens=True) == len(tokens)
    return tok


def encode(tok: Tokenizer, text: str, parse_special: bool) -> list[int]:
    tok.encode_special_tokens = not parse_special
    return tok.encode(text, add_special_tokens=False).ids


def permute(w: np.ndarray, n_head: int) -> np.ndarray:
    """HF's rotate-half row order to llama.cpp's interleaved one, as convert_hf_to_gguf's LlamaModel.permute."""
    return w.reshape(n_head, 2, w.shape[0] // n_head // 2, *w.shape[1:]).swapaxes(1, 2).reshape(w.shape)


def unpermute(w: np.ndarray, n_head: int) -> np.ndarray:
    return w.reshape(n_head, w.shape[0] // n_head // 2, 2, *w.shape[1:]).swapaxes(1, 2).reshape(w.shape)


def tensor_f32(t) -> np.ndarray:
    shape = tuple(int(d) for d in reversed(t.shape))
    return np.array(dequantize(t.data, t.tensor_type), dtype=np.float32).reshape(shape)


def start(path, arch: str, name: str) -> GGUFWriter:
    w = GGUFWriter(path, arch)
    w.add_type("model")
    w.add_name(name)
    return w


def finish(w: GGUFWriter, tok_meta: dict, tensors):
    """Keys of a byte-level BPE tokenizer, and the rest."""
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre(tok_meta["pre"])
    w.add_token_list(tok_meta["tokens"])
    w.add_token_types(tok_meta["types"])
    w.add_token_merges(tok_meta["merges"])
    for key in ("bos", "eos", "eot", "unk", "pad"):
        if tok_meta.get(key) is not None:
            getattr(w, f"add_{key}_token_id")(tok_meta[key])
    w.add_chat_template(tok_meta["chat_template"])
    w.add_add_bos_token(bool(tok_meta.get("add_bos")))
    for key in ("eos", "sep"):
        if tok_meta.get(f"add_{key}"):
            getattr(w, f"add_add_{key}_token")(True)
    w.add_add_space_prefix(False)
    write(w, tensors)


def write(w: GGUFWriter, tensors):
    """Tensors ((name, bytes in rows, type)) and the file itself."""
    w.add_quantization_version(2)
    for key, data, qtype in tensors:
        w.add_tensor(key, data, raw_dtype=GGMLQuantizationType(qtype))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def write_llama(path, name, dims, tok_meta, weights):
    """`dims` holds the hyper-parameters; `weights` is {gguf name: (f32 array in HF row order, type)}."""
    w = start(path, "llama", name)
    w.add_block_count(dims["n_layers"])
    w.add_context_length(dims["n_ctx"])
    w.add_embedding_length(dims["d_model"])
    w.add_feed_forward_length(dims["d_ff"])
    w.add_head_count(dims["n_heads"])
    w.add_head_count_kv(dims["n_kv_heads"])
    w.add_rope_freq_base(dims["rope_theta"])
    w.add_layer_norm_rms_eps(dims["rms_eps"])
    if dims["head_dim"] * dims["n_heads"] != dims["d_model"]:
        w.add_key_length(dims["head_dim"])
        w.add_value_length(dims["head_dim"])
    w.add_file_type(dims["file_type"])
    w.add_vocab_size(dims["n_vocab"])
    w.add_rope_dimension_count(dims["head_dim"])
    tensors = []
    for key, (array, qtype) in weights.items():
        if ".attn_q." in key:
            array = permute(array, dims["n_heads"])
        elif ".attn_k." in key:
            array = permute(array, dims["n_kv_heads"])
        tensors.append((key, quantize(np.ascontiguousarray(array, dtype=np.float32), qtype), qtype))
    finish(w, tok_meta, tensors)
