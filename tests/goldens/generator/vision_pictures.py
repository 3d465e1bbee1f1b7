"""Pictures by a formula, and the frames and patches of bytes that transformers' processors (those that use Pillow) make of them."""

from typing import NamedTuple

import numpy as np
from PIL import Image
from transformers.models.gemma3.image_processing_pil_gemma3 import Gemma3ImageProcessorPil
from transformers.models.gemma4.image_processing_pil_gemma4 import Gemma4ImageProcessorPil
from transformers.models.pixtral.image_processing_pil_pixtral import PixtralImageProcessorPil
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
from transformers.models.smolvlm.image_processing_pil_smolvlm import SmolVLMImageProcessorPil


class Prepared(NamedTuple):
    """What a tower is given of one picture."""

    # Of tiles; 0 and 0 for a picture that was not cut.
    tiles_high: int
    tiles_wide: int
    # Height and width of each frame in patches, the whole picture last.
    grids: list[tuple[int, int]]
    # u8 [patches, 3, patch, patch] of all frames.
    pixels: np.ndarray
    # By transformers' processor, in its own shape.
    values: np.ndarray


def picture(width: int, height: int, n: int) -> np.ndarray:
    """u8 [height, width, 3]: slopes and waves of integers, other ones in each channel."""
    x, y, c = np.meshgrid(np.arange(width), np.arange(height), np.arange(3), indexing="xy")
    waves = x * (5 + 3 * c) + y * (11 - 2 * c) + x * y // (3 + c) + 37 * c + 53 * n
    return (np.abs(waves % 512 - 256) * 255 // 256).astype(np.uint8)


def bytes_of(values: np.ndarray, mean, std) -> np.ndarray:
    """The u8 pixels, [..., 3, height, width], that normalised ones come from."""
    mean, std = (np.array(v, np.float64)[:, None, None] for v in (mean, std))
    raw = (values * std + mean) * 255
    pixels = np.rint(raw)
    assert np.abs(raw - pixels).max() < 1e-3 and pixels.min() >= 0 and pixels.max() <= 255
    return pixels.astype(np.uint8)


def patches(frame: np.ndarray, patch: int, merge: int = 1) -> np.ndarray:
    """[3, height, width] to [patches, 3, patch, patch]: rows of the grid, or blocks of `merge` by `merge`."""
    high, wide = frame.shape[1] // patch, frame.shape[2] // patch
    cut = frame.reshape(3, high // merge, merge, patch, wide // merge, merge, patch)
    return cut.transpose(1, 4, 2, 5, 0, 3, 6).reshape(high * wide, 3, patch, patch)


def of_frames(processor, frames: list[np.ndarray], patch: int, tiles: tuple[int, int], values: np.ndarray) -> Prepared:
    frames = [bytes_of(frame, processor.image_mean, processor.image_std) for frame in frames]
    grids = [(f.shape[1] // patch, f.shape[2] // patch) for f in frames]
    return Prepared(*tiles, grids, np.concatenate([patches(f, patch) for f in frames]), values)


def smolvlm(side: int, longest: int) -> SmolVLMImageProcessorPil:
    return SmolVLMImageProcessorPil(size={"longest_edge": longest}, max_image_size={"longest_edge": side})


def prepare_smolvlm(processor, rgb: np.ndarray, patch: int, split: bool = True) -> Prepared:
    out = processor(Image.fromarray(rgb), do_image_splitting=split, return_row_col_info=True)
    values = np.asarray(out["pixel_values"], np.float32)[0]
    return of_frames(processor, list(values), patch, (out["rows"][0][0], out["cols"][0][0]), values)


def gemma3(side: int) -> Gemma3ImageProcessorPil:
    return Gemma3ImageProcessorPil(size={"height": side, "width": side}, do_pan_and_scan=False)


def prepare_gemma3(processor, rgb: np.ndarray, patch: int) -> Prepared:
    values = np.asarray(processor(Image.fromarray(rgb))["pixel_values"], np.float32)
    return of_frames(processor, list(values), patch, (0, 0), values)


def qwen(patch: int, merge: int, fewest: int, most: int, **more) -> Qwen2VLImageProcessorPil:
    return Qwen2VLImageProcessorPil(
        patch_size=patch, merge_size=merge, temporal_patch_size=2, size={"shortest_edge": fewest, "longest_edge": most}, **more)


def prepare_qwen(processor, rgb: np.ndarray, patch: int) -> Prepared:
    out = processor(Image.fromarray(rgb))
    values = np.asarray(out["pixel_values"], np.float32)
    twice = values.reshape(len(values), 3, 2, patch, patch)
    assert (twice[:, :, 0] == twice[:, :, 1]).all()
    pixels = bytes_of(twice[:, :, 0], processor.image_mean, processor.image_std)
    _, high, wide = np.asarray(out["image_grid_thw"])[0].tolist()
    # The order is the one that is promised.
    size = high * patch, wide * patch
    resized = Image.fromarray(rgb).resize(size[::-1], Image.Resampling.BICUBIC)
    assert (patches(np.asarray(resized).transpose(2, 0, 1), patch, processor.merge_size) == pixels).all()
    return Prepared(0, 0, [(high, wide)], pixels, values)


def pixtral(patch: int, merge: int, longest: int) -> PixtralImageProcessorPil:
    return PixtralImageProcessorPil(patch_size={"height": patch * merge, "width": patch * merge}, size={"longest_edge": longest})


def prepare_pixtral(processor, rgb: np.ndarray, patch: int) -> Prepared:
    values = np.asarray(processor(Image.fromarray(rgb))["pixel_values"], np.float32)
    return of_frames(processor, list(values), patch, (0, 0), values)


def gemma4(patch: int, merge: int, tokens: int) -> Gemma4ImageProcessorPil:
    return Gemma4ImageProcessorPil(patch_size=patch, pooling_kernel_size=merge, max_soft_tokens=tokens)


def prepare_gemma4(processor, rgb: np.ndarray, patch: int) -> Prepared:
    out = processor(Image.fromarray(rgb))
    values = np.asarray(out["pixel_values"], np.float32)[0]
    places = np.asarray(out["image_position_ids"])[0]
    values, places = values[places[:, 0] >= 0], places[places[:, 0] >= 0]
    wide, high = (places.max(axis=0) + 1).tolist()
    assert len(values) == high * wide == out["num_soft_tokens_per_image"][0] * processor.pooling_kernel_size**2
    # Channels last within a patch.
    pixels = np.rint(values * 255).astype(np.uint8).reshape(-1, patch, patch, 3).transpose(0, 3, 1, 2)
    resized = Image.fromarray(rgb).resize((wide * patch, high * patch), Image.Resampling.BICUBIC)
    assert (patches(np.asarray(resized).transpose(2, 0, 1), patch) == pixels).all()
    return Prepared(0, 0, [(high, wide)], pixels, values)


class Lfm2:
    """Rules of LFM2-VL's processor, which has no version with Pillow: for pictures whose sides need no change."""

    image_mean = image_std = [0.5, 0.5, 0.5]

    def __init__(self, patch: int, factor: int, tile: int, fewest: int, most: int, tiles: tuple[int, int]):
        self.block, self.tile, self.fewest, self.most, self.tiles = patch * factor, tile, fewest, most, tiles


def prepare_lfm2(processor: Lfm2, rgb: np.ndarray, patch: int) -> Prepared:
    height, width = rgb.shape[:2]
    block = processor.block
    tokens = height // block * (width // block)
    assert height % block == width % block == 0 and tokens >= processor.fewest
    tiles, frames = (0, 0), [rgb]
    if tokens > processor.most * 2:
        # It is as large as its tiles.
        tiles = height // processor.tile, width // processor.tile
        assert (height, width) == (tiles[0] * processor.tile, tiles[1] * processor.tile) and tiles[0] * tiles[1] <= processor.tiles[1]
        frames = [band[:, x : x + processor.tile] for band in np.split(rgb, tiles[0]) for x in range(0, width, processor.tile)]
        shrink = (tokens / processor.most) ** 0.5
        small = tuple(int(side / shrink / block) * block for side in (width, height))
        frames.append(np.asarray(Image.fromarray(rgb).resize(small, Image.Resampling.BILINEAR)))
    else:
        assert tokens <= processor.most
    frames = [frame.transpose(2, 0, 1) for frame in frames]
    grids = [(f.shape[1] // patch, f.shape[2] // patch) for f in frames]
    pixels = np.concatenate([patches(f, patch) for f in frames])
    values = (pixels.astype(np.float32) / 255 - 0.5) / 0.5
    return Prepared(*tiles, grids, pixels, values)
