"""One entry per kind of model that sees: configuration, tokens, processor, keys of its GGUF files."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

import numpy as np
import torch
import transformers as hf
import vision_pictures as pictures
import vision_texts as texts
from vision_pictures import Prepared
from vision_texts import Tokens

N_CTX = 512
WIDTH = 64
# Of the text model, unless a kind says otherwise.
TEXT = dict(
    hidden_size=WIDTH, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1,
    max_position_embeddings=N_CTX, rms_norm_eps=1e-5, rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
    attention_dropout=0.0)
HEAD = {"key_length": 32, "value_length": 32}
# Of floats with fewer digits: rotation by columns uses the slow frequencies, which have to turn visibly within a few rows.
MROPE_THETA = 100.0
SIDE = {"wide": (40, 28), "high": (20, 40), "square": (24, 36)}


@dataclass(frozen=True)
class Kind:
    name: str
    model: type
    # From the ids of tokens by their names and the size of the vocabulary.
    config: Callable
    tokens: Tokens
    processor: object
    # From the processor, the picture and its side of a patch (and options).
    prepare: Callable
    patch: int
    # (name, width, height, options of `prepare`); and which of them are the first, second, third of vision_texts.cases.
    pictures: list
    order: tuple[int, int, int]
    placeholder: str
    image_token: str
    # What a placeholder becomes.
    expand: Callable[[Prepared], str]
    # What the model takes of pictures.
    inputs: Callable
    write_processor: Callable[[Path, object], None]
    # Of text tensors in the folder's file, instead of "model.".
    text_prefix: str
    arch: str
    keys: dict
    projector: str
    # GGUFWriter.add_<key>(value) beyond the common ones.
    clip_keys: dict
    # Instead of vision_weights.GAINS, by the last part of a parameter's name.
    gains: dict = field(default_factory=dict)
    # ffn_up and ffn_down exchanged in the projector's file, as old converters wrote them.
    swapped: bool = False
    # Positions have three dimensions.
    mrope: bool = False
    # Tensors of the text model's GGUF that no parameter has.
    tables: dict = field(default_factory=dict)
    # From config.json as transformers 5 writes it to that of files on the hub.
    hub_config: Callable[[dict], dict] | None = None
    # From names of tensors as transformers 5 saves a new model's to those of files on the hub.
    hub_name: Callable[[str], str] | None = None


def write_json(path: Path, value: dict):
    path.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", encoding="ascii")


def preprocessor(name: str, processor_class: str, of_pictures: dict | None = None, **more) -> Callable:
    """preprocessor_config.json and processor_config.json as on the hub; `of_pictures` is for the former, `more` for the latter."""

    def write(folder: Path, processor):
        write_json(folder / "preprocessor_config.json", of_processor(name, processor_class, processor) | (of_pictures or {}))
        write_json(folder / "processor_config.json", {"processor_class": processor_class} | more)

    return write


def of_processor(name: str, processor_class: str, processor) -> dict:
    """What transformers writes of a processor, without what only says that nothing is set."""
    found = {key: value for key, value in json.loads(processor.to_json_string()).items() if value is not None}
    return found | {"image_processor_type": name, "processor_class": processor_class}


def stacked(prepared: list[Prepared]) -> torch.Tensor:
    return torch.from_numpy(np.concatenate([p.values for p in prepared]))


def vision(**more) -> dict:
    return dict(hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=2) | more


# SmolVLM: tiles of 32 pixels, 16 patches each, four of which become one row.
SMOLVLM_TOKENS = Tokens(
    "smollm", "smollm", (
        "<fake_token_around_image>", "<image>", "<global-img>", *(f"<row_{r}_col_{c}>" for r in (1, 2) for c in (1, 2)),
        "<end_of_utterance>"),
    bos="<|im_start|>", eos="<end_of_utterance>", pad="<|im_end|>", template=texts.SMOLVLM)
SMOLVLM = Kind(
    name="smolvlm", model=hf.SmolVLMForConditionalGeneration,
    config=lambda ids, n_vocab: hf.SmolVLMConfig(
        text_config=TEXT | dict(
            model_type="llama", vocab_size=n_vocab, head_dim=32, tie_word_embeddings=True, bos_token_id=ids["<|im_start|>"],
            eos_token_id=ids["<end_of_utterance>"], pad_token_id=ids["<|im_end|>"]),
        vision_config=vision(image_size=32, patch_size=8), scale_factor=2, image_token_id=ids["<image>"], tie_word_embeddings=True,
        pad_token_id=ids["<|im_end|>"]),
    tokens=SMOLVLM_TOKENS, processor=pictures.smolvlm(side=32, longest=64), prepare=pictures.prepare_smolvlm, patch=8,
    # 2 x 2 tiles, 2 x 1 tiles, none.
    pictures=[("wide", *SIDE["wide"], {}), ("high", *SIDE["high"], {}), ("low", *SIDE["square"], {"split": False})], order=(0, 2, 1),
    placeholder="<image>", image_token="<image>", expand=lambda p: texts.expand_smolvlm(p, 4),
    inputs=lambda prepared: {"pixel_values": stacked(prepared)[None]},
    write_processor=preprocessor("SmolVLMImageProcessor", "SmolVLMProcessor", image_seq_len=4),
    text_prefix="model.text_model.", arch="llama", keys=HEAD | {"rope_dimension_count": 32},
    projector="idefics3",
    clip_keys={"image_size": 32, "patch_size": 8, "attention_layernorm_eps": 1e-6, "projector_scale_factor": 2, "use_gelu": True,
               "preproc_image_size": 64},
    gains={"proj": 0.7},
)

# Gemma 3: 64 patches, 16 rows, which are more than a window. The sixth layer does not slide; its mask matters to one behind it, if a
# picture is within the last position's window.
GEMMA3_WINDOW = 14
GEMMA3_TOKENS = Tokens(
    "smollm", "smollm", ("<bos>", "<eos>", "<pad>", "<start_of_turn>", "<end_of_turn>", "<start_of_image>", "<end_of_image>",
                         "<image_soft_token>"),
    bos="<bos>", eos="<eos>", pad="<pad>", template=texts.GEMMA3)
GEMMA3 = Kind(
    name="gemma3", model=hf.Gemma3ForConditionalGeneration,
    config=lambda ids, n_vocab: hf.Gemma3Config(
        text_config=TEXT | dict(
            vocab_size=n_vocab, hidden_size=32, intermediate_size=64, num_hidden_layers=7, head_dim=32, query_pre_attn_scalar=32,
            sliding_window=GEMMA3_WINDOW, rms_norm_eps=1e-6, bos_token_id=ids["<bos>"], eos_token_id=ids["<eos>"],
            pad_token_id=ids["<pad>"], rope_parameters={
                "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
                "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0}}),
        vision_config=vision(model_type="siglip_vision_model", image_size=32, patch_size=4, vision_use_head=False), mm_tokens_per_image=16,
        boi_token_index=ids["<start_of_image>"], eoi_token_index=ids["<end_of_image>"], image_token_index=ids["<image_soft_token>"],
        bos_token_id=ids["<bos>"], eos_token_id=[ids["<eos>"], ids["<end_of_turn>"]], pad_token_id=ids["<pad>"]),
    tokens=GEMMA3_TOKENS, processor=pictures.gemma3(side=32), prepare=pictures.prepare_gemma3, patch=4,
    pictures=[("wide", *SIDE["wide"], {}), ("square", *SIDE["square"], {})], order=(0, 1, 0),
    placeholder="<start_of_image>", image_token="<image_soft_token>", expand=lambda p: texts.expand_gemma3(16),
    inputs=lambda prepared: {"pixel_values": stacked(prepared)},
    write_processor=preprocessor("Gemma3ImageProcessor", "Gemma3Processor", of_pictures={"image_seq_length": 16}, image_seq_length=16),
    text_prefix="language_model.model.", arch="gemma3",
    keys=HEAD | {"sliding_window": GEMMA3_WINDOW, "rope_freq_base_swa": 10000.0, "rope_scaling_type": "linear",
                 "rope_scaling_factor": 8.0},
    projector="gemma3",
    clip_keys={"image_size": 32, "patch_size": 4, "attention_layernorm_eps": 1e-6, "use_gelu": True, "projector_scale_factor": 2},
    gains={"mm_input_projection_weight": 4.0, "post_attention_layernorm": 16.0, "post_feedforward_layernorm": 16.0}, swapped=True,
    hub_name=lambda name: name.replace("vision_tower.", "vision_tower.vision_model."),
)

QWEN_TOKENS = Tokens(
    "qwen2", "qwen2", ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"),
    bos="<|endoftext|>", eos="<|im_end|>", pad="<|endoftext|>", template=texts.QWEN)
QWEN_IDS = {"image_token_id": "<|image_pad|>", "video_token_id": "<|video_pad|>", "vision_start_token_id": "<|vision_start|>",
            "vision_end_token_id": "<|vision_end|>"}
# 8 x 10, 8 x 6 and 4 x 8 patches.
QWEN_PICTURES = [("wide", *SIDE["wide"], {}), ("square", *SIDE["square"], {}), ("small", 33, 17, {})]


def qwen_inputs(prepared: list[Prepared]) -> dict:
    return {"pixel_values": stacked(prepared), "image_grid_thw": torch.tensor([[1, *p.grids[0]] for p in prepared])}


def min_max_pixels(folder: Path, processor):
    """As on the hub before transformers 5."""
    value = of_processor("Qwen2VLImageProcessor", "Qwen2VLProcessor", processor)
    size = value.pop("size")
    write_json(folder / "preprocessor_config.json", value | {"min_pixels": size["shortest_edge"], "max_pixels": size["longest_edge"]})


def nested(folder: Path, processor):
    """As transformers 5 writes it: one file."""
    image = of_processor("Qwen2VLImageProcessor", "Qwen3VLProcessor", processor)
    del image["processor_class"]
    write_json(folder / "processor_config.json", {"image_processor": image, "processor_class": "Qwen3VLProcessor"})


def qwen(name: str, model: type, config: type, tower: dict, text: dict, sections: list[int], processor, write: Callable, **more) -> Kind:
    def make_config(ids, n_vocab):
        rope = {"rope_type": "default", "rope_theta": MROPE_THETA, "mrope_section": sections} | more_rope
        return config(
            text_config=TEXT | dict(
                vocab_size=n_vocab, rope_parameters=rope, rms_norm_eps=1e-6, bos_token_id=ids["<|endoftext|>"],
                eos_token_id=ids["<|im_end|>"], pad_token_id=ids["<|endoftext|>"], tie_word_embeddings=True) | text,
            vision_config=tower, tie_word_embeddings=True, **{key: ids[token] for key, token in QWEN_IDS.items()})

    more_rope = more.pop("rope", {})
    return Kind(
        name=name, model=model, config=make_config, tokens=QWEN_TOKENS, processor=processor, prepare=pictures.prepare_qwen, patch=4,
        pictures=QWEN_PICTURES, order=(0, 1, 2), placeholder="<|image_pad|>", image_token="<|image_pad|>",
        expand=lambda p: "<|image_pad|>" * (len(p.pixels) // 4), inputs=qwen_inputs, write_processor=write, mrope=True, **more)


QWEN_TOWER = dict(num_heads=2, patch_size=4, spatial_merge_size=2, temporal_patch_size=2)
QWEN2_VL = qwen(
    "qwen2_vl", hf.Qwen2VLForConditionalGeneration, hf.Qwen2VLConfig,
    QWEN_TOWER | dict(depth=2, embed_dim=32, hidden_size=WIDTH, mlp_ratio=3), dict(use_sliding_window=False), [4, 6, 6],
    pictures.qwen(patch=4, merge=2, fewest=64, most=4096), min_max_pixels, text_prefix="model.", arch="qwen2vl",
    keys={"rope_dimension_sections": [4, 6, 6, 0]}, projector="qwen2vl_merger",
    clip_keys={"image_size": 560, "patch_size": 4, "attention_layernorm_eps": 1e-6},
)
QWEN2_5_VL = qwen(
    "qwen2_5_vl", hf.Qwen2_5_VLForConditionalGeneration, hf.Qwen2_5_VLConfig,
    # Windows of two by two merged patches; the grids have odd numbers of those.
    QWEN_TOWER | dict(depth=3, hidden_size=32, intermediate_size=68, out_hidden_size=WIDTH, window_size=16, fullatt_block_indexes=[1]),
    dict(use_sliding_window=False), [4, 6, 6], pictures.qwen(patch=4, merge=2, fewest=64, most=4096),
    preprocessor("Qwen2VLImageProcessor", "Qwen2_5_VLProcessor"), text_prefix="model.", arch="qwen2vl",
    keys={"rope_dimension_sections": [4, 6, 6, 0]}, projector="qwen2.5vl_merger",
    clip_keys={"image_size": 560, "patch_size": 4, "attention_layernorm_eps": 1e-6, "use_silu": True, "n_wa_pattern": 2, "window_size": 16},
)
QWEN3_VL = qwen(
    "qwen3_vl", hf.Qwen3VLForConditionalGeneration, hf.Qwen3VLConfig,
    QWEN_TOWER | dict(depth=3, hidden_size=32, intermediate_size=64, out_hidden_size=WIDTH, num_position_embeddings=36,
                      deepstack_visual_indexes=[0, 2]),
    # One more than layers that something is added to.
    dict(num_hidden_layers=3, head_dim=32), [6, 5, 5],
    pictures.qwen(patch=4, merge=2, fewest=64, most=4096, image_mean=[0.5] * 3, image_std=[0.5] * 3), nested,
    rope={"mrope_interleaved": True}, text_prefix="model.language_model.", arch="qwen3vl",
    keys=HEAD | {"rope_dimension_sections": [6, 5, 5, 0], "num_deepstack_layers": 2}, projector="qwen3vl_merger",
    clip_keys={"image_size": 24, "patch_size": 4, "attention_layernorm_eps": 1e-6, "use_gelu": True, "spatial_merge_size": 2,
               "is_deepstack_layers": [True, False, True]},
)

KINDS = [SMOLVLM, GEMMA3, QWEN2_5_VL, QWEN2_VL, QWEN3_VL]
