"""Further kinds of models that see: LFM2-VL, Mistral 3, Pixtral, Qwen 3.5, Gemma 4."""

from pathlib import Path

import numpy as np
import saved_folders
import torch
import transformers as hf
import vision_pictures as pictures
import vision_texts as texts
from vision_pictures import Prepared
from vision_specs import HEAD, QWEN_TOWER, TEXT, WIDTH, Kind, min_max_pixels, of_processor, qwen, vision, write_json
from vision_texts import Tokens

LFM2_TOKENS = Tokens(
    "llama3", "llama-bpe", (
        "<|startoftext|>", "<|image_start|>", "<|image_end|>", "<image>", "<|img_thumbnail|>",
        *(f"<|img_row_{r}_col_{c}|>" for r in (1, 2) for c in (1, 2, 3))),
    bos="<|startoftext|>", eos="<|im_end|>", pad="<|endoftext|>", template=texts.LFM2)
LFM2_RULES = {
    "do_image_splitting": True, "downsample_factor": 2, "encoder_patch_size": 8, "tile_size": 32, "min_tiles": 2, "max_tiles": 4,
    "min_image_tokens": 2, "max_image_tokens": 4, "max_pixels_tolerance": 2.0, "use_thumbnail": True, "resample": 2,
    "image_mean": [0.5] * 3, "image_std": [0.5] * 3, "rescale_factor": 1 / 255}


def lfm2_inputs(prepared: list[Prepared]) -> dict:
    frames = []
    for p in prepared:
        ends = np.cumsum([high * wide for high, wide in p.grids])[:-1]
        # Channels last within a patch.
        frames += [cut.transpose(0, 2, 3, 1).reshape(len(cut), -1) for cut in np.split(p.values, ends)]
    longest = max(map(len, frames))
    mask = [[1] * len(frame) + [0] * (longest - len(frame)) for frame in frames]
    padded = [np.pad(frame, ((0, longest - len(frame)), (0, 0))) for frame in frames]
    return {
        "pixel_values": torch.from_numpy(np.stack(padded)), "pixel_attention_mask": torch.tensor(mask),
        "spatial_shapes": torch.tensor([grid for p in prepared for grid in p.grids])}


def lfm2_processor(folder: Path, processor):
    write_json(folder / "preprocessor_config.json", LFM2_RULES | {
        "image_processor_type": "Lfm2VlImageProcessor", "processor_class": "Lfm2VlProcessor"})
    write_json(folder / "processor_config.json", {"processor_class": "Lfm2VlProcessor"})


LFM2_VL = Kind(
    name="lfm2_vl", model=hf.Lfm2VlForConditionalGeneration,
    config=lambda ids, n_vocab: hf.Lfm2VlConfig(
        text_config={key: value for key, value in TEXT.items() if key not in ("rms_norm_eps", "attention_dropout")} | dict(
            model_type="lfm2", vocab_size=n_vocab, num_hidden_layers=3, layer_types=["conv", "full_attention", "conv"], conv_L_cache=3,
            block_auto_adjust_ff_dim=False, norm_eps=1e-5, tie_word_embeddings=True, bos_token_id=ids["<|startoftext|>"],
            eos_token_id=ids["<|im_end|>"], pad_token_id=ids["<|endoftext|>"]),
        vision_config=vision(model_type="siglip2_vision_model", patch_size=8, num_patches=16, vision_use_head=False),
        image_token_id=ids["<image>"], projector_hidden_size=96, downsample_factor=2, tie_word_embeddings=True),
    tokens=LFM2_TOKENS, processor=pictures.Lfm2(patch=8, factor=2, tile=32, fewest=2, most=4, tiles=(2, 4)),
    prepare=pictures.prepare_lfm2, patch=8,
    # 1 x 3 tiles and a thumbnail of 2 x 6 patches; 8 x 2 patches. Positions are those of 4 x 4.
    pictures=[("tiled", 96, 32, {}), ("plain", 16, 64, {})], order=(0, 1, 0), placeholder="<image>", image_token="<image>",
    expand=lambda p: texts.expand_lfm2(p, 2), inputs=lfm2_inputs, write_processor=lfm2_processor,
    text_prefix="model.language_model.", arch="lfm2", keys={"head_count_kv": [0, 1, 0], "shortconv_l_cache": 3}, projector="lfm2",
    clip_keys={"image_size": 256, "patch_size": 8, "attention_layernorm_eps": 1e-6, "projector_scale_factor": 2, "use_gelu": True},
    gains={"conv": 1.2, "linear_2": 1.0},
)

MISTRAL3_TOKENS = Tokens(
    "llama3", "llama-bpe", ("<s>", "</s>", "<pad>", "[INST]", "[/INST]", "[IMG]", "[IMG_BREAK]", "[IMG_END]"),
    bos="<s>", eos="</s>", pad="<pad>", template=texts.MISTRAL3)
YARN = {
    "rope_type": "yarn", "rope_theta": 10000.0, "factor": 8.0, "beta_fast": 32.0, "beta_slow": 1.0, "mscale": 1.0,
    "mscale_all_dim": 0.5, "llama_4_scaling_beta": 0.4, "original_max_position_embeddings": 64}


def mistral3_inputs(prepared: list[Prepared]) -> dict:
    sizes = [p.values.shape[2:] for p in prepared]
    high, wide = (max(side) for side in zip(*sizes))
    padded = [np.pad(p.values[0], ((0, 0), (0, high - h), (0, wide - w))) for p, (h, w) in zip(prepared, sizes)]
    return {"pixel_values": torch.from_numpy(np.stack(padded)), "image_sizes": torch.tensor(sizes)}


def mistral3_processor(folder: Path, processor):
    value = of_processor("PixtralImageProcessor", "PixtralProcessor", processor)
    # As on the hub: the side of a patch itself; the other file has the merging.
    write_json(folder / "preprocessor_config.json", value | {"patch_size": {"height": 4, "width": 4}})
    write_json(folder / "processor_config.json", {
        "processor_class": "PixtralProcessor", "patch_size": 4, "spatial_merge_size": 2, "image_token": "[IMG]",
        "image_break_token": "[IMG_BREAK]", "image_end_token": "[IMG_END]"})


MISTRAL3 = Kind(
    name="mistral3", model=hf.Mistral3ForConditionalGeneration,
    config=lambda ids, n_vocab: hf.Mistral3Config(
        text_config=TEXT | dict(
            model_type="ministral3", vocab_size=n_vocab, head_dim=32, rope_parameters=YARN, tie_word_embeddings=False,
            bos_token_id=ids["<s>"], eos_token_id=ids["</s>"], pad_token_id=ids["<pad>"]),
        vision_config=vision(model_type="pixtral", image_size=64, patch_size=4, hidden_act="silu"), image_token_index=ids["[IMG]"],
        spatial_merge_size=2, projector_hidden_act="gelu", vision_feature_layer=-1, multimodal_projector_bias=False,
        tie_word_embeddings=False),
    tokens=MISTRAL3_TOKENS, processor=pictures.pixtral(patch=4, merge=2, longest=48), prepare=pictures.prepare_pixtral, patch=4,
    # 5 x 4, 3 x 5 and 2 x 6 rows; the last is made smaller.
    pictures=[("high", 30, 37, {}), ("square", *(36, 24), {}), ("wide", 70, 21, {})], order=(0, 1, 2), placeholder="[IMG]",
    image_token="[IMG]", expand=lambda p: texts.expand_pixtral(p, 2), inputs=mistral3_inputs, write_processor=mistral3_processor,
    text_prefix="language_model.model.", arch="mistral3",
    keys=HEAD | {"rope_dimension_count": 32, "rope_scaling_type": "yarn", "rope_scaling_factor": 8.0, "rope_scaling_orig_ctx_len": 64,
                 "rope_scaling_yarn_beta_fast": 32.0, "rope_scaling_yarn_beta_slow": 1.0, "rope_scaling_yarn_log_mul": 0.5,
                 "attn_temperature_scale": 0.4},
    projector="pixtral",
    clip_keys={"image_size": 64, "patch_size": 4, "attention_layernorm_eps": 1e-5, "use_silu": True, "spatial_merge_size": 2},
    gains={"linear_2": 1.0},
)


def pixtral_processor(folder: Path, processor):
    write_json(folder / "preprocessor_config.json", of_processor("PixtralImageProcessor", "PixtralProcessor", processor))
    write_json(folder / "processor_config.json", {
        "processor_class": "PixtralProcessor", "patch_size": 4, "image_token": "[IMG]", "image_break_token": "[IMG_BREAK]",
        "image_end_token": "[IMG_END]"})


# Rows of patches are not merged; the projections have biases, and no norm is before them.
PIXTRAL = Kind(
    name="pixtral", model=hf.LlavaForConditionalGeneration,
    config=lambda ids, n_vocab: hf.LlavaConfig(
        text_config=TEXT | dict(
            model_type="mistral", vocab_size=n_vocab, head_dim=32, rope_parameters={"rope_type": "default", "rope_theta": 1e9},
            sliding_window=None, tie_word_embeddings=False, bos_token_id=ids["<s>"], eos_token_id=ids["</s>"], pad_token_id=ids["<pad>"]),
        vision_config=vision(model_type="pixtral", image_size=32, patch_size=4, hidden_act="silu"), image_token_index=ids["[IMG]"],
        image_seq_length=1, projector_hidden_act="gelu", vision_feature_layer=-1, vision_feature_select_strategy="full",
        tie_word_embeddings=False),
    tokens=MISTRAL3_TOKENS, processor=pictures.pixtral(patch=4, merge=1, longest=32), prepare=pictures.prepare_pixtral, patch=4,
    # 7 x 5, 3 x 5 and 3 x 8 rows; the last is made smaller.
    pictures=[("high", 18, 25, {}), ("odd", *(20, 12), {}), ("wide", 70, 21, {})], order=(0, 1, 2), placeholder="[IMG]",
    image_token="[IMG]", expand=lambda p: texts.expand_pixtral(p, 1), inputs=mistral3_inputs, write_processor=pixtral_processor,
    text_prefix="language_model.model.", arch="llama",
    keys=HEAD | {"rope_dimension_count": 32}, projector="pixtral",
    clip_keys={"image_size": 32, "patch_size": 4, "attention_layernorm_eps": 1e-5, "use_silu": True},
    # (rows of patches are as large as the layers made them)
    gains={"linear_1": 0.5, "linear_2": 1.0},
)

# Qwen 3 VL's tower without rows of layers in between; delta nets and attention take turns, and half of a head turns.
QWEN3_5 = qwen(
    "qwen3_5", hf.Qwen3_5ForConditionalGeneration, hf.Qwen3_5Config,
    QWEN_TOWER | dict(depth=2, hidden_size=32, intermediate_size=64, out_hidden_size=WIDTH, num_position_embeddings=36),
    dict(num_hidden_layers=4, head_dim=32, layer_types=["linear_attention", "full_attention"] * 2, linear_num_key_heads=4,
         linear_num_value_heads=4, linear_key_head_dim=16, linear_value_head_dim=16, linear_conv_kernel_dim=4),
    [3, 3, 2], pictures.qwen(patch=4, merge=2, fewest=64, most=4096, image_mean=[0.5] * 3, image_std=[0.5] * 3), min_max_pixels,
    rope={"mrope_interleaved": True, "partial_rotary_factor": 0.5}, text_prefix="model.language_model.", arch="qwen35",
    keys=HEAD | {
        "rope_dimension_count": 16, "rope_dimension_sections": [3, 3, 2, 0], "ssm_conv_kernel": 4, "ssm_state_size": 16,
        "ssm_group_count": 4, "ssm_time_step_rank": 4, "ssm_inner_size": 64, "full_attention_interval": 2},
    projector="qwen3vl_merger",
    clip_keys={"image_size": 24, "patch_size": 4, "attention_layernorm_eps": 1e-6, "use_gelu": True, "spatial_merge_size": 2,
               "is_deepstack_layers": [False, False]},
)

GEMMA4_TOKENS = Tokens(
    "smollm", "smollm", ("<bos>", "<eos>", "<pad>", "<|turn>", "<turn|>", "<|image>", "<image|>", "<|image|>"),
    bos="<bos>", eos="<turn|>", pad="<pad>", template=texts.GEMMA4)
GEMMA4_WINDOW = 40


def gemma4_inputs(prepared: list[Prepared]) -> dict:
    most = 70 * 9
    values, places = [], []
    for p in prepared:
        high, wide = p.grids[0]
        x, y = np.meshgrid(np.arange(wide), np.arange(high))
        of_patches, rest = np.stack([x, y], axis=-1).reshape(-1, 2), ((0, most - len(p.values)), (0, 0))
        values.append(np.pad(p.values, rest))
        places.append(np.pad(of_patches, rest, constant_values=-1))
    return {"pixel_values": torch.from_numpy(np.stack(values)), "image_position_ids": torch.from_numpy(np.stack(places))}


def gemma4_processor(folder: Path, processor):
    """As on the hub: in one file, which says that mean and deviation are not used."""
    image = of_processor("Gemma4ImageProcessor", "Gemma4Processor", processor)
    del image["processor_class"]
    write_json(folder / "processor_config.json", {"image_processor": image, "processor_class": "Gemma4Processor"})


def gemma4_config(ids, n_vocab):
    text = hf.Gemma4TextConfig(**TEXT | dict(
        vocab_size=n_vocab, vocab_size_per_layer_input=n_vocab, num_hidden_layers=4, num_kv_shared_layers=2,
        layer_types=["sliding_attention", "full_attention"] * 2, head_dim=16, global_head_dim=32, sliding_window=GEMMA4_WINDOW,
        hidden_size_per_layer_input=16, rms_norm_eps=1e-6, final_logit_softcapping=20.0, tie_word_embeddings=True,
        use_bidirectional_attention=None, rope_parameters=None, bos_token_id=ids["<bos>"], eos_token_id=ids["<turn|>"],
        pad_token_id=ids["<pad>"]))
    text.allow_global_per_layer_attribute_access = True
    tower = dict(
        hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=2, head_dim=16, patch_size=4,
        pooling_kernel_size=3, position_embedding_size=216, use_clipped_linears=True, standardize=True)
    return hf.Gemma4Config(
        text_config=text, vision_config=tower, audio_config=None, tie_word_embeddings=True, image_token_id=ids["<|image|>"],
        boi_token_id=ids["<|image>"], eoi_token_id=ids["<image|>"])


def gemma4_hub_config(config: dict) -> dict:
    return config | {"text_config": saved_folders.gemma4(config["text_config"])}


# E2B's kind: embeddings by layer, and bounds in the tower; what moves and scales columns is in the larger models only.
GEMMA4 = Kind(
    name="gemma4", model=hf.Gemma4ForConditionalGeneration, config=gemma4_config, tokens=GEMMA4_TOKENS,
    processor=pictures.gemma4(patch=4, merge=3, tokens=70), prepare=pictures.prepare_gemma4, patch=4,
    # 6 x 10, 10 x 6 and 1 x 70 rows: the last is too narrow for its shape.
    pictures=[("wide", *(60, 37), {}), ("high", *(37, 60), {}), ("strip", *(240, 3), {})], order=(0, 2, 1), placeholder="<|image|>",
    image_token="<|image|>", expand=lambda p: "<|image>" + "<|image|>" * (len(p.pixels) // 9) + "<image|>", inputs=gemma4_inputs,
    write_processor=gemma4_processor, text_prefix="model.language_model.", arch="gemma4",
    keys=HEAD | {
        "key_length_swa": 16, "value_length_swa": 16, "rope_dimension_count": 32, "rope_dimension_count_swa": 16,
        "rope_freq_base_swa": 10000.0, "sliding_window": GEMMA4_WINDOW, "sliding_window_pattern": [True, False] * 2, "shared_kv_layers": 2,
        "embedding_length_per_layer_input": 16, "final_logit_softcapping": 20.0},
    # A quarter of the pairs turns in layers that do not slide.
    tables={"rope_freqs.weight": np.array([1.0] * 4 + [1e30] * 12, np.float32)},
    projector="gemma4v", clip_keys={"image_size": 224, "patch_size": 4, "attention_layernorm_eps": 1e-6},
    gains={"post_attention_layernorm": 8.0, "post_feedforward_layernorm": 8.0, "post_per_layer_input_norm": 4.0, "q_norm": 0.3},
    hub_config=gemma4_hub_config,
)

KINDS = [LFM2_VL, MISTRAL3, PIXTRAL, QWEN3_5, GEMMA4]
