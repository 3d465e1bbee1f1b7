"""adapters/: seeded LoRA adapters of tiny Llamas as PEFT's folders and as llama.cpp's GGUF, with the logits and greedy ids of
transformers' model whose weights they were added to (W + scale * B A, in float32).

PEFT itself is not needed: its files are a settings file and tensors by name. `crosscheck_peft.py` compares with it.
"""

import json
from pathlib import Path

import numpy as np
import torch
from gguf import GGUFReader, GGUFWriter
from safetensors.torch import save_file
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

import golden
import hf_llama
import jsonio
import manifest
from gguf_io import bpe_tokenizer, field, permute

MIN_MARGIN = 0.02
MAX_SEEDS = 60
ALL = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
NAMES = {module.rsplit(".", 1)[-1]: name for name, module in hf_llama.LAYER_NAMES.items() if module.endswith("_proj")}

BASES = {"tiny": "tiny/tiny_llama_tied_f16.gguf", "hf": "folders/hf_llama3"}
ADAPTERS = {
    # Ranks and alphas by module; 6 is no multiple of 4.
    "lora_tiny": dict(base="tiny", targets=ALL, r=8, alpha=16, rank_pattern={"k_proj": 6}, alpha_pattern={"v_proj": 12}, rslora=False),
    "lora_tiny_q_v": dict(base="tiny", targets=("q_proj", "v_proj"), r=4, alpha=4, rank_pattern={}, alpha_pattern={}, rslora=True),
    "lora_hf": dict(base="hf", targets=("q_proj", "k_proj", "down_proj"), r=5, alpha=10, rank_pattern={}, alpha_pattern={}, rslora=False),
}
# Several at once, each with a scale.
TOGETHER = {"lora_tiny_both": {"lora_tiny": 0.5, "lora_tiny_q_v": 1.25}}


def load(base: str):
    path = manifest.DATA / BASES[base]
    if path.suffix == ".gguf":
        return hf_llama.load(GGUFReader(path))
    return AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32, attn_implementation="eager").eval()


def tokenizer(base: str) -> tuple[Tokenizer, str, int]:
    path = manifest.DATA / BASES[base]
    if path.suffix == ".gguf":
        reader = GGUFReader(path)
        return bpe_tokenizer(reader), field(reader, "tokenizer.chat_template"), field(reader, "llama.context_length")
    config = json.loads((path / "tokenizer_config.json").read_text())
    template = config.get("chat_template") or (path / "chat_template.jinja").read_text()
    return Tokenizer.from_file(str(path / "tokenizer.json")), template, 256


def made(spec: dict, seed: int) -> dict[str, tuple[torch.Tensor, torch.Tensor, float]]:
    """A, B and the scale of each module."""
    rng = np.random.default_rng([11, seed])
    found = {}
    for name, module in load(spec["base"]).named_modules():
        kind = name.rsplit(".", 1)[-1]
        if kind not in spec["targets"]:
            continue
        rows, cols = module.weight.shape
        rank = spec["rank_pattern"].get(kind, spec["r"])
        alpha = spec["alpha_pattern"].get(kind, spec["alpha"])
        a = torch.from_numpy(rng.normal(0, 1 / np.sqrt(cols), (rank, cols)).astype(np.float32))
        b = torch.from_numpy(rng.normal(0, 0.5 / np.sqrt(rank), (rows, rank)).astype(np.float32))
        found[name] = (a, b, alpha / (np.sqrt(rank) if spec["rslora"] else rank))
    return found


def merged(base: str, adapters: list[tuple[dict, float]]):
    model = load(base)
    modules = dict(model.named_modules())
    with torch.no_grad():
        for adapter, scale in adapters:
            for name, (a, b, own) in adapter.items():
                modules[name].weight += (scale * own * (b.double() @ a.double())).float()
    return model


def write_peft(out: Path, spec: dict, adapter: dict):
    tensors = {}
    for name, (a, b, _) in adapter.items():
        tensors[f"base_model.model.{name}.lora_A.weight"] = a.contiguous()
        tensors[f"base_model.model.{name}.lora_B.weight"] = b.contiguous()
    save_file(tensors, out / "adapter_model.safetensors", metadata={"format": "pt"})
    jsonio.write(out / "adapter_config.json", {
        "alpha_pattern": spec["alpha_pattern"], "auto_mapping": None, "base_model_name_or_path": spec["base"], "bias": "none",
        "fan_in_fan_out": False, "inference_mode": True, "init_lora_weights": True, "layers_pattern": None,
        "layers_to_transform": None, "lora_alpha": spec["alpha"], "lora_dropout": 0.05, "megatron_config": None,
        "megatron_core": "megatron.core", "modules_to_save": None, "peft_type": "LORA", "r": spec["r"],
        "rank_pattern": spec["rank_pattern"], "revision": None, "target_modules": list(spec["targets"]),
        "task_type": "CAUSAL_LM", "use_dora": False, "use_rslora": spec["rslora"],
    })


def write_gguf(path: Path, spec: dict, adapter: dict):
    """As convert_lora_to_gguf.py does, whose one alpha stands for all; what differs from it goes into B."""
    config = load(spec["base"]).config
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
    w = GGUFWriter(path, "llama")
    w.add_type("adapter")
    w.add_name(path.parent.name)
    w.add_string("adapter.type", "lora")
    w.add_float32("adapter.lora.alpha", float(spec["alpha"]))
    for name, (a, b, scale) in sorted(adapter.items()):
        layer, kind = name.split(".")[2], name.rsplit(".", 1)[-1]
        b = b.numpy() * np.float32(scale * a.shape[0] / spec["alpha"])
        if kind in heads:
            b = permute(b, heads[kind])
        key = f"blk.{layer}.{NAMES[kind]}.weight"
        w.add_tensor(f"{key}.lora_a", np.ascontiguousarray(a.numpy()))
        w.add_tensor(f"{key}.lora_b", np.ascontiguousarray(b, dtype=np.float32))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def results(base: str, adapters: list[tuple[dict, float]]):
    tok, template, n_ctx = tokenizer(base)
    return golden.run(lambda: merged(base, adapters), tok, template, n_ctx, MIN_MARGIN)


def make(out: Path):
    adapters = {}
    for name, spec in ADAPTERS.items():
        for seed in range(MAX_SEEDS):
            adapter = made(spec, seed)
            prompts, rows, flaw = results(spec["base"], [(adapter, 1.0)])
            wrong = flaw or next((f"{both}: {flaw}" for both, parts in TOGETHER.items() if list(parts)[-1] == name for flaw in
                                  [results(spec["base"], [(({**adapters, name: adapter})[n], s) for n, s in parts.items()])[2]] if flaw), None)
            if not wrong:
                break
        assert not wrong, f"{name}: seed {seed}, the last one tried, gives {wrong}"
        adapters[name] = adapter
        folder = out / name
        folder.mkdir()
        write_peft(folder, spec, adapter)
        write_gguf(folder / "adapter.gguf", spec, adapter)
        golden.write(out, name, {"base": BASES[spec["base"]], "seed": seed, "adapters": {name: 1.0}}, prompts, rows)
    for name, parts in TOGETHER.items():
        base = ADAPTERS[next(iter(parts))]["base"]
        prompts, rows, flaw = results(base, [(adapters[n], scale) for n, scale in parts.items()])
        assert not flaw, (name, flaw)
        golden.write(out, name, {"base": BASES[base], "adapters": parts}, prompts, rows)
