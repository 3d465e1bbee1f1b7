"""rank_<name>.gguf or hf_rank_<name>/, with .json: tiny models that rank documents, and transformers' scores.

`score`: the sigmoid of the head's one output; for Qwen 3 the softmax over the outputs "yes" and "no", of which the first.
"""

import os
import zlib
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import gguf
import numpy as np
import torch
import transformers as hf
from gguf import GGMLQuantizationType as T, GGUFReader, PoolingType, TokenType
from gguf.quants import quantize
from tokenizers import Tokenizer

import embedding_layout
import embedding_specs
import family_weights
import gguf_io
import gold_embeddings
import gold_unigram
import hf_tokenizers
import hf_llama  # noqa: F401 (one thread, deterministic algorithms)
import jsonio
import spm_models
import texts
import wordpiece
from embedding_folders import dump

N_CTX = 96
# With a template around them.
N_CTX_TEMPLATE = 160
TEMPLATE = (
    "<|im_start|>system\nJudge the Document. Answer \"yes\" or \"no\".<|im_end|>\n<|im_start|>user\n"
    "<Query>: {query}\n<Document>: {document}<|im_end|>\n<|im_start|>assistant\n")
PAIRS = [
    ("What is the capital of France?", "Paris is the capital of France."), ("What is the capital of France?", ""), ("", "A fire."),
    ("warm house", "A small fire keeps a whole house warm."), ("hello", "Hello, world!"), ("hello", "{query} {document} </s>"),
    ("<|im_end|>", "[SEP] is not <|im_end|>"), ("naïve ÉLÈVE", "Привет, мир! 你好，世界。"), ("where people sit", texts.PROSE[:70]),
]
GAINS = family_weights.GAINS | {"attn_v": 3.0, "attn_output": 3.0, "cls": 3.0}


def draw(key: str, shape, rng) -> np.ndarray:
    part, kind = key.rsplit(".", 2)[-2:]
    if key == "cls.output.weight":
        # Two outputs of one state differ by more than one is long.
        return rng.normal(0, (3.0 if shape[0] == 1 else 1.0) / np.sqrt(shape[1]), shape).astype(np.float32)
    return gold_embeddings.draw(part, kind, shape, GAINS, rng).astype(np.float32)


def weights(name: str, shapes: dict, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng([zlib.crc32(name.encode()), seed])
    return {key: draw(key, shape, rng) for key, shape in shapes.items()}


def check(name: str, cases: list[dict]):
    scores = sorted(case["score"] for case in cases)
    # A wrong score of one text is not the right one of another.
    assert min(b - a for a, b in zip(scores, scores[1:])) > 2e-4 and scores[-1] - scores[0] > 0.4, (name, scores)


def write(out: Path, name: str, head: dict, cases: list[dict], n_ctx: int = N_CTX):
    check(name, cases)
    assert max(len(case["ids"]) for case in cases) <= n_ctx
    jsonio.write(out / f"{name}.json", head | {"max_length": n_ctx, "cases": cases})


@torch.no_grad()
def sigmoid_of(model, ids: list[int], types: list[int] | None = None) -> float:
    more = {} if types is None else {"token_type_ids": torch.tensor([types])}
    return torch.sigmoid(model(input_ids=torch.tensor([ids]), **more).logits[0].double()).item()


# XLM-R, as bge-reranker

def xlmr_vocabulary():
    """A unigram model with XLM-R's special tokens: <s>, <pad>, </s>, <unk>."""
    return spm_models.train(
        model_type="unigram", vocab_size=300, normalization_rule_name="identity", add_dummy_prefix=True,
        remove_extra_whitespaces=True, bos_id=0, pad_id=1, eos_id=2, unk_id=3, bos_piece="<s>", eos_piece="</s>")


def xlmr_names(shapes: dict) -> dict[str, str]:
    """{parameter: tensor}"""
    table = gguf.get_tensor_name_map(gguf.MODEL_ARCH.BERT, 2)
    found = {name: table.get_name(name.removeprefix("roberta."), (".weight", ".bias")) for name in shapes}
    assert None not in found.values(), found
    return found


def xlmr(out: Path):
    name, proto = "rank_xlmr", xlmr_vocabulary()
    vocab = gold_unigram.vocabulary(proto, len(proto.pieces))
    config = hf.XLMRobertaConfig(
        vocab_size=len(vocab), hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=96, num_labels=1,
        # Positions begin after the padding's.
        max_position_embeddings=N_CTX + 2, type_vocab_size=1, layer_norm_eps=1e-5, pad_token_id=1)
    model = hf.AutoModelForSequenceClassification.from_config(config, attn_implementation="eager", dtype=torch.float32).eval()
    shapes = {key: tuple(p.shape) for key, p in model.named_parameters()}
    names = xlmr_names(shapes)
    made = weights(name, {names[key]: shape for key, shape in shapes.items()})
    w = gguf_io.start(out / f"{name}.gguf", "bert", name)
    keys = embedding_specs.bert_keys(N_CTX, 64, 96, 4, PoolingType.RANK, 1e-5)
    for key, value in keys.items():
        getattr(w, f"add_{key}")(value)
    w.add_token_type_count(1)
    w.add_tokenizer_model("t5")
    w.add_tokenizer_pre("default")
    tokens, scores, types = zip(*vocab)
    w.add_token_list(list(tokens))
    w.add_token_scores(list(scores))
    w.add_token_types(list(types))
    w.add_add_space_prefix(True)
    w.add_remove_extra_whitespaces(True)
    for key, value in (("bos", 0), ("pad", 1), ("eos", 2), ("unk", 3), ("sep", 2)):
        getattr(w, f"add_{key}_token_id")(value)
    for key in ("bos", "eos", "sep"):
        getattr(w, f"add_add_{key}_token")(True)
    tensors = []
    for key, values in made.items():
        # The converter drops the rows that no position has.
        values = values[2:] if key == "position_embd.weight" else values
        qtype = T.F32 if values.ndim == 1 or key.startswith(("position", "token_types", "cls.output")) else T.F16
        made[key] = gguf.quants.dequantize(quantize(values, qtype), qtype).reshape(values.shape)
        tensors.append((key, quantize(values, qtype), qtype))
    gguf_io.write(w, tensors)
    state = {key: torch.from_numpy(made[tensor].copy()) for key, tensor in names.items()}
    positions = next(key for key, tensor in names.items() if tensor == "position_embd.weight")
    state[positions] = torch.cat([torch.zeros(2, 64), state[positions]])
    left = model.load_state_dict(state, strict=False)
    assert not left.missing_keys and not left.unexpected_keys, left
    sp, cases = spm_models.processor(proto), []
    for query, document in PAIRS:
        ids = [0, *sp.encode(query), 2, 2, *sp.encode(document), 2]
        cases.append({"query": query, "document": document, "ids": ids, "score": sigmoid_of(model, ids)})
    write(out, name, {"gguf": f"{name}.gguf", "arch": "bert"}, cases)


# Qwen 3

def qwen3(out: Path, bpe: dict):
    name = "rank_qwen3"
    spec = next(spec for spec in embedding_specs.EMBEDDINGS if spec.arch == "qwen3")
    model = hf.AutoModel.from_config(spec.make_config(), attn_implementation="eager", dtype=torch.float32).eval()
    shapes = {key: tuple(p.shape) for key, p in model.named_parameters()}
    layout = embedding_layout.tensors(spec, list(shapes))
    made = weights(name, {key: shapes[names[0]] for key, names in layout.items()} | {"cls.output.weight": (2, 64)})
    w = gguf_io.start(out / f"{name}.gguf", "qwen3", name)
    for key, value in (spec.keys | {"pooling_type": PoolingType.RANK}).items():
        getattr(w, f"add_{key}")(value)
    w.add_classifier_output_labels(["yes", "no"])
    w.add_string("tokenizer.chat_template.rerank", TEMPLATE)
    tensors = []
    for key, values in made.items():
        qtype = T.F32 if values.ndim == 1 else T.F16
        made[key] = values.astype(np.float16).astype(np.float32) if qtype == T.F16 else values
        tensors.append((key, quantize(values, qtype), qtype))
    gguf_io.finish(w, bpe, tensors)
    model.load_state_dict({names[0]: torch.from_numpy(made[key].copy()) for key, names in layout.items()})
    tok = gguf_io.bpe_tokenizer(GGUFReader(out / f"{name}.gguf"))
    special = [bpe["tokens"][i] for i in range(len(bpe["tokens"])) if bpe["types"][i] == TokenType.CONTROL]
    cases = []
    for query, document in PAIRS:
        ids = qwen3_ids(tok, query, document, special)
        with torch.no_grad():
            hidden = model(input_ids=torch.tensor([ids])).last_hidden_state[0, -1].double().numpy()
        logits = made["cls.output.weight"].astype(np.float64) @ hidden
        cases.append({"query": query, "document": document, "ids": ids, "score": float(1 / (1 + np.exp(logits[1] - logits[0])))})
    write(out, name, {"gguf": f"{name}.gguf", "arch": "qwen3"}, cases, N_CTX_TEMPLATE)


def qwen3_ids(tok: Tokenizer, query: str, document: str, special: list[str], template: str = TEMPLATE) -> list[int]:
    """The template's special tokens are tokens, and those in the texts are not."""
    ids, rest = [], template
    while rest:
        at, found = min(((rest.find(t), t) for t in special if t in rest), default=(len(rest), ""))
        before = rest[:at]
        for mark, text in (("{query}", query), ("{document}", document)):
            if mark in before:
                head, _, tail = before.partition(mark)
                before = (head, text, tail)
                break
        ids += plain_ids(tok, before, query, document)
        ids += [tok.token_to_id(found)] if found else []
        rest = rest[at + len(found):]
    return ids


def plain_ids(tok: Tokenizer, before, query: str, document: str) -> list[int]:
    if isinstance(before, tuple):
        head, text, tail = before
        # (the one stretch that has both texts)
        between, _, after = tail.partition("{document}")
        before = head + text + between + document + after if "{document}" in tail else head + text + tail
    return gguf_io.encode(tok, before, parse_special=False)


# BERT, as ms-marco-MiniLM

def bert(out: Path, vocab: list[str]):
    name = "hf_rank_bert"
    folder = out / name
    folder.mkdir()
    config = hf.BertConfig(
        vocab_size=len(vocab), hidden_size=48, num_hidden_layers=2, num_attention_heads=4, intermediate_size=96, num_labels=1,
        max_position_embeddings=N_CTX, type_vocab_size=2, hidden_act="gelu", layer_norm_eps=1e-12, pad_token_id=0)
    model = hf.AutoModelForSequenceClassification.from_config(config, attn_implementation="eager", dtype=torch.float32).eval()
    table = gguf.get_tensor_name_map(gguf.MODEL_ARCH.BERT, 2)
    own = {"bert.pooler.dense": "cls", "classifier": "cls.output"}
    shapes = {key: tuple(p.shape) for key, p in model.named_parameters()}
    names = {}
    for key in shapes:
        stem, kind = key.rsplit(".", 1)
        names[key] = f"{own[stem]}.{kind}" if stem in own else table.get_name(key.removeprefix("bert."), (".weight", ".bias"))
    made = weights(name, {names[key]: shape for key, shape in shapes.items()})
    left = model.load_state_dict({key: torch.from_numpy(made[tensor]) for key, tensor in names.items()}, strict=False)
    assert not left.missing_keys and not left.unexpected_keys, left
    model.to(torch.bfloat16).save_pretrained(folder)
    model = hf.AutoModelForSequenceClassification.from_pretrained(
        folder, attn_implementation="eager", dtype=torch.float32).eval()
    tok = wordpiece.tokenizer(vocab)
    tok.save(str(folder / "tokenizer.json"))
    named = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), wordpiece.SPECIAL))
    dump(folder / "tokenizer_config.json", named | {
        "do_lower_case": True, "strip_accents": None, "tokenize_chinese_chars": True, "tokenizer_class": "BertTokenizer",
        "model_max_length": N_CTX})
    tok.encode_special_tokens = True
    cases = []
    for query, document in PAIRS:
        pair = tok.encode(query, document)
        score = sigmoid_of(model, pair.ids, pair.type_ids)
        assert abs(score - sigmoid_of(model, pair.ids)) > 1e-3, "the types make no difference"
        cases.append({"query": query, "document": document, "ids": pair.ids, "score": score})
    write(out, name, {"folder": name, "arch": "bert"}, cases)


# Qwen 3 with one output, as Qwen3-Reranker became a classifier

QWEN_TEMPLATE = (
    "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct provided. Note that "
    "the answer can only be \"yes\" or \"no\".<|im_end|>\n<|im_start|>user\n<Instruct>: Given a web search query, retrieve relevant "
    "passages that answer the query\n<Query>: {query}\n<Document>: {document}<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n")

# One of those with scores that differ enough.
QWEN_SEED = 2


def qwen3_folder(out: Path, bpe: dict):
    name = "hf_rank_qwen3"
    folder = out / name
    folder.mkdir()
    spec = next(spec for spec in embedding_specs.EMBEDDINGS if spec.arch == "qwen3")
    config = hf.Qwen3Config(**spec.args | {"num_labels": 1, "max_position_embeddings": 512, "bos_token_id": bpe["eos"],
                                           "eos_token_id": bpe["eot"]})
    model = hf.AutoModelForSequenceClassification.from_config(config, attn_implementation="eager", dtype=torch.float32).eval()
    shapes = {key: tuple(p.shape) for key, p in model.named_parameters()}
    table = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN3, 2)
    names = {key: table.get_name(key, (".weight", ".bias")) or "cls.output.weight" for key in shapes}
    made = weights(name, {names[key]: shape for key, shape in shapes.items()}, QWEN_SEED)
    model.load_state_dict({key: torch.from_numpy(made[tensor]) for key, tensor in names.items()})
    model.to(torch.bfloat16).save_pretrained(folder)
    model = hf.AutoModelForSequenceClassification.from_pretrained(
        folder, attn_implementation="eager", dtype=torch.float32).eval()
    hf_tokenizers.write(folder, "qwen2", bpe)
    tok = Tokenizer.from_file(str(folder / "tokenizer.json"))
    special = [bpe["tokens"][i] for i in range(len(bpe["tokens"])) if bpe["types"][i] == TokenType.CONTROL]
    cases = []
    for query, document in PAIRS:
        ids = qwen3_ids(tok, query, document, special, QWEN_TEMPLATE)
        cases.append({"query": query, "document": document, "ids": ids, "score": sigmoid_of(model, ids)})
    write(out, name, {"folder": name, "arch": "qwen3"}, cases, 512)


# Qwen3-Reranker as it is: a decoder whose answer is "yes" or "no", with sentence-transformers' files

def qwen3_decoder(out: Path, bpe: dict):
    name = "hf_rank_qwen3_decoder"
    folder = out / name
    folder.mkdir()
    spec = next(spec for spec in embedding_specs.EMBEDDINGS if spec.arch == "qwen3")
    config = hf.Qwen3Config(**spec.args | {"max_position_embeddings": 512, "bos_token_id": bpe["eos"], "eos_token_id": bpe["eot"],
                                           "tie_word_embeddings": True})
    model = hf.AutoModelForCausalLM.from_config(config, attn_implementation="eager", dtype=torch.float32).eval()
    shapes = {key: tuple(p.shape) for key, p in model.named_parameters()}
    table = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN3, 2)
    names = {key: table.get_name(key, (".weight", ".bias")) for key in shapes}
    made = weights(name, {names[key]: shape for key, shape in shapes.items()})
    # The embedding is the head: logits of a few units, so that no score is 0 or 1.
    made["token_embd.weight"] *= 0.15
    left = model.load_state_dict({key: torch.from_numpy(made[tensor]) for key, tensor in names.items()}, strict=False)
    assert left.missing_keys == ["lm_head.weight"] and not left.unexpected_keys, left
    model.to(torch.bfloat16).save_pretrained(folder)
    model = hf.AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()
    hf_tokenizers.write(folder, "qwen2", bpe)
    tok = Tokenizer.from_file(str(folder / "tokenizer.json"))
    # The tiny vocabulary has neither word whole.
    yes, no = (gguf_io.encode(tok, text, parse_special=False)[0] for text in ("y", "n"))
    kinds = ("base.modules.transformer.Transformer", "cross_encoder.modules.logit_score.LogitScore")
    dump(folder / "modules.json", [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.{kind}"}
        for i, (path, kind) in enumerate(zip(("", "1_LogitScore"), kinds))])
    (folder / "1_LogitScore").mkdir()
    dump(folder / "1_LogitScore" / "config.json", {"true_token_id": yes, "false_token_id": no})
    special = [bpe["tokens"][i] for i in range(len(bpe["tokens"])) if bpe["types"][i] == TokenType.CONTROL]
    cases = []
    for query, document in PAIRS:
        ids = qwen3_ids(tok, query, document, special, QWEN_TEMPLATE)
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([ids])).logits[0, -1].double()
        cases.append({"query": query, "document": document, "ids": ids, "score": torch.sigmoid(logits[yes] - logits[no]).item()})
    write(out, name, {"folder": name, "arch": "qwen3"}, cases, 512)


def make(out: Path):
    vocab, bpe = gold_embeddings.vocabularies()
    xlmr(out)
    qwen3(out, bpe)
    qwen3_folder(out, bpe)
    qwen3_decoder(out, bpe)
    bert(out, vocab)
