"""rank_modern_bert.gguf and hf_rank_modern_bert/, with .json: ModernBERT with a classifier, by the mean and by the first token."""

import json
from pathlib import Path

import gguf
import torch
import transformers as hf
from gguf import GGMLQuantizationType as T, GGUFReader, PoolingType
from gguf.quants import dequantize, quantize

import embedding_specs
import gguf_io
import gold_embeddings
import gold_rerank
import hf_tokenizers
from embedding_folders import dump

# GGUF's names of the head.
HEAD = {"head.dense": "cls", "head.norm": "cls.norm", "classifier": "cls.output"}


def model(pooling: str):
    config = hf.ModernBertConfig(**embedding_specs.MODERN_BERT, num_labels=1, classifier_pooling=pooling, classifier_bias=True)
    return hf.AutoModelForSequenceClassification.from_config(config, attn_implementation="eager", dtype=torch.float32).eval()


def tensor_names(found) -> dict[str, str]:
    """{parameter: tensor}"""
    table = gguf.get_tensor_name_map(gguf.MODEL_ARCH.MODERN_BERT, 4)
    names = {}
    for key, _ in found.named_parameters():
        stem, kind = key.rsplit(".", 1)
        own = HEAD.get(stem)
        names[key] = f"{own}.{kind}" if own else table.get_name(key.removeprefix("model."), (".weight", ".bias"))
    assert None not in names.values(), names
    return names


def made(name: str, found) -> tuple[dict, dict]:
    names, shapes = tensor_names(found), {key: tuple(p.shape) for key, p in found.named_parameters()}
    return names, gold_rerank.weights(name, {names[key]: shape for key, shape in shapes.items()})


def cases(found, tok) -> list[dict]:
    tok.encode_special_tokens = True
    out = []
    for query, document in gold_rerank.PAIRS:
        ids = tok.encode(query, document).ids
        out.append({"query": query, "document": document, "ids": ids, "score": gold_rerank.sigmoid_of(found, ids)})
    return out


def file(out: Path, bpe: dict):
    """llama.cpp reads no choice of the pooling: it takes the mean."""
    name, found = "rank_modern_bert", model("mean")
    names, values = made(name, found)
    w = gguf_io.start(out / f"{name}.gguf", "modern-bert", name)
    for key, value in embedding_specs.modern_bert_keys(PoolingType.RANK).items():
        getattr(w, f"add_{key}")(value)
    tensors = []
    for key, array in values.items():
        qtype = T.F32 if array.ndim == 1 or key.startswith("cls.output") else T.F16
        values[key] = dequantize(quantize(array, qtype), qtype).reshape(array.shape)
        tensors.append((key, quantize(array, qtype), qtype))
    gguf_io.finish(w, gold_embeddings.modern_bert_vocabulary(bpe), tensors)
    found.load_state_dict({key: torch.from_numpy(values[tensor].copy()) for key, tensor in names.items()})
    reader = GGUFReader(out / f"{name}.gguf")
    tok = gguf_io.bpe_tokenizer(reader)
    gold_embeddings.frame(tok, reader)
    gold_rerank.write(out, name, {"gguf": f"{name}.gguf", "arch": "modern-bert"}, cases(found, tok))


def folder(out: Path, bpe: dict):
    name = "hf_rank_modern_bert"
    path, found = out / name, model("cls")
    path.mkdir()
    names, values = made(name, found)
    found.load_state_dict({key: torch.from_numpy(values[tensor]) for key, tensor in names.items()})
    found.to(torch.bfloat16).save_pretrained(path)
    found = hf.AutoModelForSequenceClassification.from_pretrained(path, attn_implementation="eager", dtype=torch.float32).eval()
    hf_tokenizers.write(path, "modern_bert", gold_embeddings.modern_bert_vocabulary(bpe))
    tok = json.loads((path / "tokenizer.json").read_text(encoding="utf-8"))
    cls, sep = ({"SpecialToken": {"id": bpe["tokens"][i], "type_id": 0}} for i in (1, 0))
    a, b = ({"Sequence": {"id": s, "type_id": 0}} for s in "AB")
    tok["post_processor"] = {
        "type": "TemplateProcessing", "single": [cls, a, sep], "pair": [cls, a, sep, b, sep],
        "special_tokens": {t: {"id": t, "ids": [i], "tokens": [t]} for i, t in ((i, bpe["tokens"][i]) for i in (1, 0))}}
    dump(path / "tokenizer.json", tok)
    # As on the hub: no beginning or end of a sequence is named, but [CLS] and [SEP].
    dump(path / "tokenizer_config.json", {
        "cls_token": bpe["tokens"][1], "sep_token": bpe["tokens"][0], "pad_token": bpe["tokens"][0],
        "clean_up_tokenization_spaces": True, "model_max_length": 256, "tokenizer_class": "PreTrainedTokenizerFast"})
    tok = gold_rerank.Tokenizer.from_file(str(path / "tokenizer.json"))
    gold_rerank.write(out, name, {"folder": name, "arch": "modern-bert"}, cases(found, tok))


def make(out: Path):
    _, bpe = gold_embeddings.vocabularies()
    file(out, bpe)
    folder(out, bpe)
