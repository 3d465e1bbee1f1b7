"""The tiny embedding models as Hugging Face folders, as on the hub: what the cross-checks give to other programs."""

import json
from pathlib import Path

import torch
from gguf import PoolingType
from safetensors.torch import save_file

import embedding_layout
import hf_embeddings
import hf_tokenizers
import wordpiece

POOLING = {PoolingType.MEAN: "mean_tokens", PoolingType.CLS: "cls_token", PoolingType.LAST: "lasttoken"}
# Names in the checkpoint of nomic-embed-text-v1.5.
NOMIC = {
    "token_embd": "embeddings.word_embeddings", "token_types": "embeddings.token_type_embeddings",
    "token_embd_norm": "emb_ln", "attn_qkv": "attn.Wqkv", "attn_output": "attn.out_proj", "attn_output_norm": "norm1",
    "ffn_up": "mlp.fc11", "ffn_gate": "mlp.fc12", "ffn_down": "mlp.fc2", "layer_output_norm": "norm2",
    "ffn_gate_inp": "mlp.router.layer",
}
# What nomic-embed-text-v2-moe's configuration says otherwise.
MIXTURE = {
    "activation_function": "gelu", "qkv_proj_bias": True, "mlp_fc1_bias": True, "mlp_fc2_bias": True, "n_positions": 2048,
    "type_vocab_size": 1, "moe_normalize_expert_weights": False, "expert_choice_router": False, "num_shared_experts": 0,
    "rotary_emb_base": 10000,
}


def dump(path: Path, value):
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def nomic(model, spec, folder: Path):
    args = spec.args
    state = {k: v.detach() for k, v in model.named_parameters()}
    tensors = {}
    for key, names in embedding_layout.tensors(spec, list(state)).items():
        *block, part, kind = key.split(".")
        prefix = f"encoder.layers.{block[1]}." if block else ""
        values = torch.cat([state[n] for n in names])
        if part == "ffn_up_exps":
            tensors[f"{prefix}mlp.experts.mlp.w1"] = values.flatten(0, 1)
        elif part == "ffn_down_exps":
            # Columns one after the other.
            tensors[f"{prefix}mlp.experts.mlp.w2"] = values.transpose(1, 2).flatten(0, 1).contiguous()
            tensors[f"{prefix}mlp.experts.bias"] = model.layers[int(block[1])].mlp.bias
        else:
            name = "mlp.fc1" if part == "ffn_up" and "moe_every_n_layers" in spec.keys else NOMIC[part]
            tensors[f"{prefix}{name}.{kind}"] = values
    mixture = {}
    if "moe_every_n_layers" in spec.keys:
        keys = spec.keys
        mixture = MIXTURE | {"moe_every_n_layers": keys["moe_every_n_layers"], "num_experts": keys["expert_count"],
                             "moe_top_k": keys["expert_used_count"]}
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    dump(folder / "config.json", {
        "architectures": ["NomicBertModel"], "model_type": "nomic_bert", "n_embd": args["hidden_size"],
        "n_head": args["num_attention_heads"], "n_inner": args["intermediate_size"], "n_layer": args["num_hidden_layers"],
        "n_positions": 8192, "max_trained_positions": 2048, "vocab_size": args["vocab_size"], "type_vocab_size": 2,
        "layer_norm_epsilon": args["layer_norm_eps"], "activation_function": "swiglu", "causal": False, "prenorm": False,
        "qkv_proj_bias": False, "mlp_fc1_bias": False, "mlp_fc2_bias": False, "rotary_emb_fraction": 1.0,
        "rotary_emb_interleaved": False, "rotary_emb_scale_base": None, "rotary_emb_base": 1000,
    } | mixture)


def jina(model, spec, folder: Path):
    """As jinaai/jina-embeddings-v2-base-en's."""
    save_file({name: p.detach().contiguous() for name, p in model.named_parameters()}, folder / "model.safetensors", {"format": "pt"})
    dump(folder / "config.json", spec.args | {
        "architectures": ["JinaBertForMaskedLM"], "model_type": "bert", "position_embedding_type": "alibi",
        "feed_forward_type": "geglu", "hidden_act": "gelu", "emb_pooler": "mean", "type_vocab_size": 2, "pad_token_id": 0})


def bert_tokenizer(spec, vocab: list[str], folder: Path):
    wordpiece.tokenizer(vocab).save(str(folder / "tokenizer.json"))
    (folder / "vocab.txt").write_text("".join(t + "\n" for t in vocab), encoding="utf-8")
    named = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), wordpiece.SPECIAL))
    dump(folder / "tokenizer_config.json", named | {
        "do_lower_case": True, "strip_accents": None, "tokenize_chinese_chars": True, "tokenizer_class": "BertTokenizer",
        "model_max_length": spec.max_length})


def qwen_tokenizer(spec, bpe: dict, folder: Path):
    hf_tokenizers.write(folder, "qwen2", bpe)
    path, end = folder / "tokenizer.json", bpe["tokens"][bpe["eos"]]
    tok = json.loads(path.read_text(encoding="utf-8"))
    sequence = {"Sequence": {"id": "A", "type_id": 0}}
    tok["post_processor"] = {"type": "Sequence", "processors": [tok["post_processor"], {
        "type": "TemplateProcessing", "single": [sequence, {"SpecialToken": {"id": end, "type_id": 0}}],
        "pair": [sequence, {"Sequence": {"id": "B", "type_id": 0}}, {"SpecialToken": {"id": end, "type_id": 0}}],
        "special_tokens": {end: {"id": end, "ids": [bpe["eos"]], "tokens": [end]}}}]}
    dump(path, tok)
    path = folder / "tokenizer_config.json"
    # The configuration still names the end of a chat's turn.
    names = {"bos_token": None, "eos_token": bpe["tokens"][bpe["eot"]], "pad_token": end, "unk_token": None}
    dump(path, json.loads(path.read_text(encoding="utf-8")) | names | {"model_max_length": spec.max_length})


def write(model, spec, folder: Path, vocab: list[str], bpe: dict):
    if spec.arch in ("nomic-bert", "nomic-bert-moe"):
        nomic(model, spec, folder)
    elif spec.arch == "jina-bert-v2":
        jina(model, spec, folder)
    else:
        if spec.arch == "qwen3":
            model.config.bos_token_id = model.config.eos_token_id = bpe["eos"]
        model.save_pretrained(folder)
        if spec.arch == "qwen3":
            # As on the hub, where it is a language model; the head is the embedding.
            dump(folder / "config.json", json.loads((folder / "config.json").read_text())
                 | {"architectures": ["Qwen3ForCausalLM"]})
    if spec.wordpiece:
        bert_tokenizer(spec, vocab, folder)
    else:
        qwen_tokenizer(spec, bpe, folder)
    modules = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    dump(folder / "modules.json", [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (path, kind) in enumerate(modules)])
    dump(folder / "1_Pooling" / "config.json", {"word_embedding_dimension": model.config.hidden_size} | {
        f"pooling_mode_{mode}": how == spec.pooling for how, mode in POOLING.items()})
    dump(folder / "sentence_bert_config.json", {"max_seq_length": spec.max_length, "do_lower_case": False})
    (folder / "2_Normalize").mkdir(exist_ok=True)


def from_gguf(spec, reader, folder: Path, vocab: list[str], bpe: dict):
    write(hf_embeddings.load(spec, reader), spec, folder, vocab, bpe)
