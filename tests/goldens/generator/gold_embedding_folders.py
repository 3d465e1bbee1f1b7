"""hf_embed_<name>/ with .json and _embeddings.bin: tiny embedding models as Hugging Face folders, with sentence-transformers' files."""

import json
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from gguf import PoolingType
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import AutoModel

import embedding_layout
import family_weights
import gemma_tokenizer
import gold_embeddings
import hf_embeddings
import embedding_folders
import jsonio
import nomic_mixture
from embedding_folders import POOLING, dump
from embedding_specs import EMBEDDINGS

DTYPE = torch.bfloat16


def weights(spec) -> dict[str, torch.Tensor]:
    rng = np.random.default_rng([zlib.crc32(f"hf_{spec.name}".encode()), 0])
    shapes = hf_embeddings.parameters(hf_embeddings.new_model(spec))
    made = {}
    for key, names in embedding_layout.tensors(spec, list(shapes)).items():
        part, kind = key.split(".")[-2:]
        values = gold_embeddings.draw(part, kind, shapes[names[0]], family_weights.GAINS | spec.gains, rng)
        # (those of a file; transformers' lack the 1)
        values -= 1 if part.endswith("norm") else 0
        made[names[0]] = torch.from_numpy(values).to(DTYPE)
    return made


def tokenizer(spec, folder: Path):
    """Gemma's, which for embeddings ends a text as well."""
    tok, config = gemma_tokenizer.files(merges_as_strings=False)
    ids = {t["content"]: t["id"] for t in tok["added_tokens"]}
    bos, eos = ({"SpecialToken": {"id": t, "type_id": 0}} for t in ("<bos>", "<eos>"))
    a, b = ({"Sequence": {"id": s, "type_id": 0}} for s in "AB")
    tok["post_processor"] |= {
        "single": [bos, a, eos], "pair": [bos, a, eos, bos, b, eos],
        "special_tokens": {t: {"id": t, "ids": [ids[t]], "tokens": [t]} for t in ("<bos>", "<eos>")}}
    dump(folder / "tokenizer.json", tok)
    dump(folder / "tokenizer_config.json", {k: v for k, v in config.items() if k not in ("chat_template", "added_tokens_decoder")}
         | {"add_eos_token": True, "model_max_length": spec.max_length})


def write(spec, folder: Path):
    made = weights(spec)
    own = {name: made.pop(name) for name in list(made) if name.startswith("dense_")}
    model = hf_embeddings.new_model(replace(spec, dense=()))
    assert not any(model.load_state_dict(made, strict=False)), "parameters left"
    model.to(DTYPE).save_pretrained(folder)
    tokenizer(spec, folder)
    modules = [("", "Transformer"), ("1_Pooling", "Pooling")]
    for i, (before, after) in enumerate(spec.dense):
        path = f"{i + 2}_Dense"
        modules.append((path, "Dense"))
        dump(folder / path / "config.json", {
            "in_features": before, "out_features": after, "bias": False,
            "activation_function": "torch.nn.modules.linear.Identity"})
        save_file({"linear.weight": own[f"dense_{i + 2}.weight"]}, folder / path / "model.safetensors", {"format": "pt"})
    modules.append((f"{len(modules)}_Normalize", "Normalize"))
    dump(folder / "modules.json", [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (path, kind) in enumerate(modules)])
    dump(folder / "1_Pooling" / "config.json", {"word_embedding_dimension": model.config.hidden_size} | {
        f"pooling_mode_{mode}": how == spec.pooling for how, mode in POOLING.items()})


def make_one(out: Path, spec):
    folder = out / f"hf_{spec.name}"
    folder.mkdir()
    write(spec, folder)
    model = AutoModel.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()
    dense = tuple(load_file(folder / f"{i + 2}_Dense" / "model.safetensors")["linear.weight"].float().numpy()
                  for i in range(len(spec.dense)))
    tok = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tok.encode_special_tokens = True
    finish(out, folder, spec, tok, lambda ids: hf_embeddings.hidden(model, ids), dense)


def finish(out: Path, folder: Path, spec, tok, hidden, dense):
    """Writes what the model computes; `hidden(ids)` gives the last layer's rows."""
    found = gold_embeddings.cases(tok, spec.max_length)
    embeddings = np.array([hf_embeddings.pool(hidden(case["ids"]), spec.pooling, dense) for case in found])
    alike = embeddings @ embeddings.T - 2 * np.eye(len(found))
    assert alike.max() < spec.alike, (spec.name, alike.max())
    name = folder.name
    embeddings.astype("<f4").tofile(out / f"{name}_embeddings.bin")
    jsonio.write(out / f"{name}.json", {
        "folder": name, "arch": spec.arch, "pooling": PoolingType(spec.pooling).name.lower(), "max_length": spec.max_length,
        "embeddings_bin": {"file": f"{name}_embeddings.bin", "shape": list(embeddings.shape), "dtype": "f32le",
                           "axes": ["case", "width"]},
        "cases": found,
    })


def widened(spec, model):
    """The rounded parameters in float32, with tables of the rotation that were never rounded."""
    wide = hf_embeddings.new_model(spec)
    wide.load_state_dict(model.float().state_dict())
    for ours, theirs in zip(wide.modules(), model.modules()):
        if isinstance(ours, nomic_mixture.Mixture):
            ours.bias.copy_(theirs.bias)
    return wide


def of_words(out: Path, spec, vocab: list[str]):
    """An encoder whose tokenizer is BERT's, as the hub has it."""
    folder = out / f"hf_{spec.name}"
    folder.mkdir()
    rng = np.random.default_rng([zlib.crc32(folder.name.encode()), 0])
    model = hf_embeddings.new_model(spec)
    with torch.no_grad():
        layout = embedding_layout.tensors(spec, list(hf_embeddings.parameters(model)))
        parts = {name: key.split(".")[-2:] for key, names in layout.items() for name in names}
        for name, parameter in model.named_parameters():
            values = gold_embeddings.draw(*parts[name], tuple(parameter.shape), family_weights.GAINS | spec.gains, rng)
            parameter.copy_(torch.from_numpy(values))
        for module in model.modules():
            if isinstance(module, nomic_mixture.Mixture):
                module.bias.copy_(torch.from_numpy(rng.normal(0, 0.3, module.bias.shape)))
    embedding_folders.write(model.to(DTYPE), spec, folder, vocab, {})
    model = widened(spec, model)
    tok = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tok.encode_special_tokens = True
    finish(out, folder, spec, tok, lambda ids: hf_embeddings.hidden(model, ids), ())
    assert nomic_mixture.gap(model) > gold_embeddings.MIN_ROUTING_GAP, nomic_mixture.gap(model)


def make(out: Path):
    vocab, _ = gold_embeddings.vocabularies()
    for name in ("embed_nomic", "embed_nomic_moe", "embed_jina_v2", "embed_jina_v3"):
        of_words(out, next(spec for spec in EMBEDDINGS if spec.name == name), vocab)
    # Gemma's tokenizer has as many tokens as the byte-level one of the GGUF file.
    make_one(out, next(spec for spec in EMBEDDINGS if spec.name == "embed_gemma"))
