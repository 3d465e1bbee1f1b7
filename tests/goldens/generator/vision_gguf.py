"""The pair of GGUF files that llama.cpp's converter makes of a folder: the text model, and what sees (`mmproj`)."""

from pathlib import Path

import gguf
import gguf_io
import numpy as np
from family_layout import RENAMED, gguf_arch
from gguf import GGMLQuantizationType as T
from gold_families import common_keys
from safetensors.numpy import load_file

SUFFIXES = (".weight", ".bias", ".input_min", ".input_max", ".output_min", ".output_max")
F32 = ("v.patch_embd", "v.position_embd", "shortconv.conv", "ssm_conv1d")


def stored(name: str, values: np.ndarray) -> tuple[str, np.ndarray, T]:
    small = values.ndim == 1 or any(part in name for part in F32)
    return name, np.ascontiguousarray(values, np.float32 if small else np.float16), T.F32 if small else T.F16


def text_tensors(kind, config, tensors: dict) -> list:
    names = gguf.get_tensor_name_map(gguf_arch(kind.arch), config.num_hidden_layers)
    found = []
    for name, values in tensors.items():
        if name.startswith(kind.text_prefix) and not name.startswith("model.visual."):
            name = "model." + name.removeprefix(kind.text_prefix)
        elif not name.endswith("lm_head.weight"):
            continue
        name = name.removeprefix("language_model.")
        for theirs, mapped in RENAMED.items():
            name = name.replace(theirs, mapped)
        if name.endswith("layer_scalar"):
            name += ".weight"
        # (the bias of a projection, to the map)
        name = name.replace("linear_attn.dt_bias", "linear_attn.dt_proj.bias")
        key = names.get_name(name, (".weight", ".bias"))
        assert key, name
        if (kind.arch == "gemma3" and "norm" in key) or (kind.arch == "qwen35" and "norm" in key and "ssm_norm" not in key):
            values = values.astype(np.float32) + 1
        if key.endswith("ssm_a"):
            values = -np.exp(values.astype(np.float32))
        if kind.arch in ("llama", "mistral3") and ".attn_q." in key:
            values = gguf_io.permute(values, config.num_attention_heads)
        if kind.arch in ("llama", "mistral3") and ".attn_k." in key:
            values = gguf_io.permute(values, config.num_key_value_heads)
        taps = "shortconv.conv" in key or "ssm_conv1d" in key
        found.append(stored(key, values[:, 0] if taps else values))
    return found


def write_text(path: Path, kind, config, meta: dict, tensors: dict):
    text = config.get_text_config()
    w = gguf_io.start(path, kind.arch, f"vision_{kind.name}")
    more = {"vocab_size": text.vocab_size} if kind.arch in ("llama", "mistral3", "lfm2") else {}
    for key, value in (common_keys(text) | more | kind.keys).items():
        if key == "rope_scaling_type":
            value = gguf.RopeScalingType(value)
        if value is not None:
            getattr(w, f"add_{key}")(value)
    w.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    gguf_io.finish(w, meta, [*((name, values, T.F32) for name, values in kind.tables.items()), *text_tensors(kind, text, tensors)])


def halves(name: str, values: np.ndarray, part: str, names: tuple[str, ...]) -> list:
    return [(name.replace(part, new), cut) for new, cut in zip(names, np.split(values, len(names)))]


def as_converted(kind, config, name: str, values: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """Names that gguf-py's tensor map knows, or those of the file, and what becomes of the values; nothing for a text's tensor."""
    deepstack = "visual.deepstack_merger_list."
    if kind.name == "smolvlm":
        return [(name, values)] if name.startswith(("model.vision_model.", "model.connector.")) else []
    if kind.name == "gemma3":
        if not name.startswith(("vision_tower.", "multi_modal_projector.")):
            return []
        values = values.astype(np.float32) + 1 if "soft_emb_norm" in name else values
        return [(name.replace("_weight", ".weight"), values)]
    if kind.name.startswith("qwen"):
        name = name.removeprefix("model.")
        if not name.startswith("visual."):
            return []
        if name == "visual.patch_embed.proj.weight":
            return [("v.patch_embd.weight", values[:, :, 0]), ("v.patch_embd.weight.1", values[:, :, 1])]
        if kind.name not in ("qwen3_vl", "qwen3_5"):
            return halves(name, values, "qkv", ("q", "k", "v")) if ".qkv." in name else [(name, values)]
        if name.startswith(deepstack):
            which, rest = name.removeprefix(deepstack).split(".", 1)
            layer = config.vision_config.deepstack_visual_indexes[int(which)]
            return [(f"v.deepstack.{layer}.{rest.replace('linear_', '')}", values)]
        for theirs, ours in (("merger.linear_fc1", "mm.0"), ("merger.linear_fc2", "mm.2"), ("merger.norm", "v.post_ln")):
            if name.startswith(f"visual.{theirs}."):
                return [(name.replace(f"visual.{theirs}", ours), values)]
        return [(name, values)]
    if kind.name == "gemma4":
        return of_gemma4(name, values, kind.patch)
    name = name.replace("model.vision_tower.", "vision_tower.").replace("model.multi_modal_projector.", "multi_modal_projector.")
    if kind.projector == "pixtral" and name.endswith("embed_tokens.weight"):
        return [("v.token_embd.img_break", values[kind.tokens.meta()["tokens"].index("[IMG_BREAK]")])]
    if not name.startswith(("vision_tower.", "multi_modal_projector.")):
        return []
    if kind.projector == "pixtral" and name.endswith(("q_proj.weight", "k_proj.weight")):
        values = gguf_io.permute(values, config.vision_config.num_attention_heads)
    if kind.name == "lfm2_vl":
        name = name.replace("vision_tower.", "vision_tower.vision_model.")
    if kind.name == "lfm2_vl" and "patch_embedding.weight" in name:
        values = values.reshape(len(values), kind.patch, kind.patch, 3).transpose(0, 3, 1, 2)
    return [(name, values)]


def of_gemma4(name: str, values: np.ndarray, patch: int) -> list[tuple[str, np.ndarray]]:
    """As the converter renames them for gguf-py's map."""
    if not name.startswith(("model.vision_tower.", "model.embed_vision.")):
        return []
    if "input_proj" in name:
        values = values.reshape(len(values), patch, patch, 3).transpose(0, 3, 1, 2)
    name = name.replace("model.vision_tower.encoder.", "vision_model.model.").replace(".linear.weight", ".weight")
    return [(name + ".weight" * name.endswith("position_embedding_table"), np.atleast_1d(values))]


def exchanged(name: str) -> str:
    up, down = ".ffn_up.", ".ffn_down."
    return name.replace(up, down) if up in name else name.replace(down, up)


def tower_dims(vision) -> dict:
    get = lambda *names: next(getattr(vision, name) for name in names if hasattr(vision, name))
    # (the converter takes Qwen 2 VL's width of the text for that of the block)
    qwen2 = hasattr(vision, "embed_dim")
    return {
        "embedding_length": vision.embed_dim if qwen2 else vision.hidden_size,
        "feed_forward_length": vision.hidden_size if qwen2 else vision.intermediate_size,
        "block_count": get("depth", "num_hidden_layers"), "head_count": get("num_heads", "num_attention_heads"),
    }


def write_mmproj(path: Path, kind, config, tensors: dict):
    vision = config.vision_config
    w = gguf.GGUFWriter(path, "clip")
    w.add_type("mmproj")
    w.add_name(f"vision_{kind.name}")
    w.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    w.add_clip_has_vision_encoder(True)
    w.add_clip_projector_type(kind.projector)
    w.add_vision_projection_dim(config.get_text_config().hidden_size)
    dims = tower_dims(vision)
    mean, std = ([float(v) for v in values] for values in (kind.processor.image_mean, kind.processor.image_std))
    for key, value in (dims | {"image_mean": mean, "image_std": std} | kind.clip_keys).items():
        getattr(w, f"add_vision_{key}")(value)
    # (it counts parts of projectors as blocks)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.MMPROJ, max(dims["block_count"], 4))
    made = []
    for name, values in tensors.items():
        for mapped, new in as_converted(kind, config, name, values):
            key = mapped if mapped.startswith(("v.", "mm.")) else names.get_name(mapped, SUFFIXES)
            assert key, name
            made.append(stored(exchanged(key) if kind.swapped else key, new))
    gguf_io.write(w, made)


def write(folder: Path, saved: Path, kind, config, meta: dict):
    """`saved`: the folder of transformers."""
    tensors = load_file(saved / "model.safetensors")
    write_text(folder / "model.gguf", kind, config, meta, tensors)
    write_mmproj(folder / "mmproj.gguf", kind, config, tensors)
