"""pictures.json: pictures resized by Pillow, and prepared by transformers' image processors on PIL.

Pictures are made from integers, so that Rust makes the same ones. Of the results it has hashes and some values; pixels are compared as
bytes, before normalisation, which is undone exactly here. LFM2-VL has no processor on PIL: sizes and order are those of
transformers' own class, values Pillow's.
"""

import contextlib
import hashlib
import importlib
import io
import sys
import types
from pathlib import Path

import numpy as np
from PIL import Image

import jsonio

SIZES = [
    (1, 1), (7, 300), (300, 7), (64, 64), (512, 512), (513, 512), (640, 480), (480, 640), (1023, 767), (896, 896), (1000, 200), (30, 31),
]  # fmt: skip
FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC, "lanczos": Image.Resampling.LANCZOS}
CLIP = {"mean": [0.48145466, 0.4578275, 0.40821073], "std": [0.26862954, 0.26130258, 0.27577711]}
HALF = {"mean": [0.5] * 3, "std": [0.5] * 3}
ABSENT = dict.fromkeys(("side", "longest_edge", "min_pixels", "max_pixels", "min_tiles", "max_tiles"), 0)
# As the models' own files have them.
PROCESSORS = {
    "SmolVLM-256M": {"kind": "idefics3", "patch": 16, "merge": 4, "side": 512, "longest_edge": 2048, **HALF},
    "SmolVLM2-2.2B": {"kind": "idefics3", "patch": 14, "merge": 3, "side": 384, "longest_edge": 1536, **HALF},
    "gemma-3-4b": {"kind": "gemma3", "patch": 14, "merge": 4, "side": 896, **HALF},
    "Qwen2-VL": {"kind": "qwen", "patch": 14, "merge": 2, "min_pixels": 3136, "max_pixels": 12845056, **CLIP},
    "Qwen3-VL": {"kind": "qwen", "patch": 16, "merge": 2, "min_pixels": 65536, "max_pixels": 16777216, **HALF},
    "LFM2-VL": {
        "kind": "lfm2", "patch": 16, "merge": 2, "side": 512, "min_pixels": 65536, "max_pixels": 262144, "min_tiles": 2, "max_tiles": 10,
        **HALF,
    },  # fmt: skip
    "gemma-4-E2B": {"kind": "gemma4", "patch": 16, "merge": 3, "max_pixels": 280 * 48 * 48, **HALF},
    "pixtral-12b": {"kind": "pixtral", "patch": 16, "merge": 1, "side": 1024, "longest_edge": 1024, **CLIP},
    "Mistral-3": {"kind": "pixtral", "patch": 14, "merge": 2, "side": 1540, "longest_edge": 1540, **CLIP},
    "clip-vit-base-patch32": {"kind": "clip", "patch": 32, "merge": 1, "side": 224, **CLIP},
    "siglip-base-patch16-224": {"kind": "siglip", "patch": 16, "merge": 1, "side": 224, **HALF},
}
# Hearth's own bounds of Qwen's tokens, and of Pixtral's cells a side.
TOKENS = {"auto": 1024, "high": 4096, "low": 64}
LOW_CELLS = 8


def picture(width: int, height: int) -> np.ndarray:
    """Noise, ramps and hard edges as u8 [height, width, 3]."""
    y, x, c = np.meshgrid(*(np.arange(n, dtype=np.uint32) for n in (height, width, 3)), indexing="ij")
    noise = ((x * np.uint32(73856093)) ^ (y * np.uint32(19349663)) ^ (c * np.uint32(83492791))) >> np.uint32(11) & np.uint32(63)
    value = (x * 3 + y * 5 + c * 40) % 192 + noise
    block = (x // 16 + y // 16 + c) % 5
    return np.where(block == 0, 255, np.where(block == 1, 0, value)).astype(np.uint8)


def summed(values: np.ndarray, samples=8) -> dict:
    flat = np.ascontiguousarray(values).reshape(-1)
    assert flat.dtype == np.uint8
    sha256 = hashlib.sha256(flat.tobytes()).hexdigest()
    return {"sha256": sha256, "values": [int(flat[i * len(flat) // samples]) for i in range(samples)]}


def composite() -> dict:
    y, x = np.meshgrid(np.arange(256, dtype=np.uint8), np.arange(256, dtype=np.uint8), indexing="ij")
    rgba = np.stack([x, x ^ y, 255 - x, y], axis=-1)
    from transformers.image_transforms import convert_to_rgb

    rgb = convert_to_rgb(Image.fromarray(rgba, "RGBA"), return_numpy=True)
    return summed(rgb)


def resizes():
    pairs = [
        ((1, 1), (5, 3)), ((7, 5), (7, 5)), ((7, 5), (7, 50)), ((7, 5), (70, 5)), ((37, 23), (11, 61)), ((64, 64), (63, 65)),
        ((100, 3), (3, 100)), ((640, 480), (224, 224)), ((801, 601), (1, 1)), ((33, 900), (512, 17)), ((3000, 2), (2, 3000)),
    ]  # fmt: skip
    for name, resample in FILTERS.items():
        for source, to in pairs:
            resized = Image.fromarray(picture(*source)).resize(to, resample)
            yield {"filter": name, "from": list(source), "to": list(to), **summed(np.asarray(resized))}


def undone(values, rules) -> np.ndarray:
    """The bytes [..., 3, height, width] that normalisation made these floats of."""
    values = np.asarray(values, dtype=np.float64)
    shape = (3, 1, 1)
    mean, std = (np.array(rules[key]).reshape(shape) for key in ("mean", "std"))
    floats = (values * std + mean) * 255
    found = np.rint(floats)
    assert np.abs(floats - found).max() < 0.01 and found.min() >= 0 and found.max() <= 255
    return found.astype(np.uint8)


def cut(frame: np.ndarray, patch: int) -> np.ndarray:
    """Patches [rows * columns, 3, patch, patch] of [3, height, width], by rows."""
    high, wide = frame.shape[1] // patch, frame.shape[2] // patch
    whole = frame[:, : high * patch, : wide * patch].reshape(3, high, patch, wide, patch)
    return whole.transpose(1, 3, 0, 2, 4).reshape(-1, 3, patch, patch)


def grid(frame: np.ndarray, patch: int) -> list[int]:
    return [frame.shape[1] // patch, frame.shape[2] // patch]


def framed(frames, tiles, rules) -> dict:
    patches = np.concatenate([cut(frame, rules["patch"]) for frame in frames])
    return {"tiles": tiles, "grids": [grid(frame, rules["patch"]) for frame in frames], **summed(patches)}


def idefics3(image, rules, detail):
    from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil
    from transformers.models.smolvlm.image_processing_pil_smolvlm import SmolVLMImageProcessorPil

    side = {"longest_edge": rules["side"]}
    size = {"longest_edge": rules["longest_edge"]}
    options = {"size": size, "max_image_size": side, "image_mean": rules["mean"], "image_std": rules["std"]}
    made = [
        kind(**options, do_image_splitting=detail != "low")(image, return_row_col_info=True, return_tensors="np")
        for kind in (Idefics3ImageProcessorPil, SmolVLMImageProcessorPil)
    ]
    assert np.array_equal(made[0]["pixel_values"], made[1]["pixel_values"])
    out = made[0]
    assert np.all(out["pixel_attention_mask"] == 1)
    tiles = [int(np.asarray(out[key])[0][0]) for key in ("rows", "cols")]
    return framed(undone(out["pixel_values"][0], rules), tiles, rules)


def gemma3(image, rules, detail):
    from transformers.models.gemma3.image_processing_pil_gemma3 import Gemma3ImageProcessorPil

    size = {"height": rules["side"], "width": rules["side"]}
    processor = Gemma3ImageProcessorPil(size=size, image_mean=rules["mean"], image_std=rules["std"])
    return framed(undone(processor(image, return_tensors="np")["pixel_values"], rules), [0, 0], rules)


def qwen(image, rules, detail):
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    cell = rules["patch"] * rules["merge"]
    most = max(min(rules["max_pixels"], TOKENS[detail] * cell**2), rules["min_pixels"])
    processor = Qwen2VLImageProcessorPil(
        patch_size=rules["patch"], merge_size=rules["merge"], temporal_patch_size=2, image_mean=rules["mean"], image_std=rules["std"],
        size={"shortest_edge": rules["min_pixels"], "longest_edge": most},
    )  # fmt: skip
    out = processor(image, return_tensors="np")
    both = out["pixel_values"].reshape(-1, 3, 2, rules["patch"], rules["patch"])
    assert np.array_equal(both[:, :, 0], both[:, :, 1])
    _, high, wide = (int(n) for n in out["image_grid_thw"][0])
    return {"tiles": [0, 0], "grids": [[high, wide]], **summed(undone(both[:, :, 0], rules))}


def pixtral(image, rules, detail):
    from transformers.models.pixtral.image_processing_pil_pixtral import PixtralImageProcessorPil

    cell = rules["patch"] * rules["merge"]
    longest = min(rules["longest_edge"], LOW_CELLS * cell) if detail == "low" else rules["longest_edge"]
    processor = PixtralImageProcessorPil(
        size={"longest_edge": longest}, patch_size={"height": cell, "width": cell}, image_mean=rules["mean"], image_std=rules["std"]
    )
    return framed(undone(processor(image, return_tensors="np")["pixel_values"], rules), [0, 0], rules)


def lfm2_class():
    """transformers' class without torchvision, which only its resizing needs."""
    for name in ("torchvision", "torchvision.transforms", "torchvision.transforms.v2", "torchvision.transforms.v2.functional"):
        sys.modules[name] = types.ModuleType(name)
    sys.modules["torchvision.transforms.v2"].functional = sys.modules["torchvision.transforms.v2.functional"]
    try:
        return importlib.import_module("transformers.models.lfm2_vl.image_processing_lfm2_vl").Lfm2VlImageProcessor
    finally:
        for name in [name for name in sys.modules if name.startswith("torchvision")]:
            del sys.modules[name]


def lfm2(image, rules, detail):
    own = lfm2_class()
    processor = object.__new__(own)
    height, width = image.height, image.width
    tokens = (rules["patch"] * rules["merge"]) ** 2
    bounds = {"encoder_patch_size": rules["patch"], "downsample_factor": rules["merge"], "max_image_tokens": rules["max_pixels"] // tokens}
    is_large = processor._is_image_too_large(height, width, max_pixels_tolerance=own.max_pixels_tolerance, **bounds)
    size = processor.smart_resize(height, width, min_image_tokens=rules["min_pixels"] // tokens, **bounds)
    resized = lambda to: np.asarray(image.resize(to, Image.Resampling.BILINEAR)).transpose(2, 0, 1)
    frames, tiles, side = [], [0, 0], rules["side"]
    if is_large and detail != "low":
        wide, high, target_width, target_height, _ = processor._get_grid_layout(
            height, width, min_tiles=rules["min_tiles"], max_tiles=rules["max_tiles"], tile_size=side
        )
        whole = resized((target_width, target_height))
        tiles = [high, wide]
        # In the order of split_to_tiles.
        frames = [whole[:, r * side : (r + 1) * side, c * side : (c + 1) * side] for r in range(high) for c in range(wide)]
    return framed([*frames, resized(size)], tiles, rules)


def gemma4(image, rules, detail):
    from transformers.models.gemma4.image_processing_pil_gemma4 import Gemma4ImageProcessorPil

    patch, merge = rules["patch"], rules["merge"]
    tokens = {"auto": rules["max_pixels"] // (patch * merge) ** 2, "low": 70, "high": 560}[detail]
    made = Gemma4ImageProcessorPil(patch_size=patch, pooling_kernel_size=merge, max_soft_tokens=tokens)(image)
    places = np.asarray(made["image_position_ids"])[0]
    values = np.asarray(made["pixel_values"])[0][places[:, 0] >= 0]
    wide, high = (places.max(axis=0) + 1).tolist()
    frame = values.reshape(high, wide, patch, patch, 3).transpose(4, 0, 2, 1, 3).reshape(3, high * patch, wide * patch)
    # (the tower takes twice that, less 1)
    return framed([undone(2 * frame - 1, rules)], [0, 0], rules)


def clip(image, rules, detail):
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    side = rules["side"]
    processor = CLIPImageProcessorPil(
        size={"shortest_edge": side}, crop_size={"height": side, "width": side}, image_mean=rules["mean"], image_std=rules["std"]
    )
    return framed(undone(processor(image, return_tensors="np")["pixel_values"], rules), [0, 0], rules)


def siglip(image, rules, detail):
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

    size = {"height": rules["side"], "width": rules["side"]}
    processor = SiglipImageProcessorPil(size=size, image_mean=rules["mean"], image_std=rules["std"])
    return framed(undone(processor(image, return_tensors="np")["pixel_values"], rules), [0, 0], rules)


KINDS = {
    "idefics3": idefics3, "gemma3": gemma3, "gemma4": gemma4, "qwen": qwen, "lfm2": lfm2, "pixtral": pixtral, "clip": clip, "siglip": siglip,
}  # fmt: skip
# Sizes and details beside those that all have.
MORE = {
    "SmolVLM-256M": [((64, 64), "low"), ((1000, 200), "low"), ((1023, 767), "high")],
    "SmolVLM2-2.2B": [((480, 640), "low")],
    "gemma-3-4b": [((640, 480), "low")],
    "Qwen2-VL": [((1600, 1200), "auto"), ((1600, 1200), "high"), ((640, 480), "low"), ((7, 300), "low"), ((41, 43), "auto")],
    "Qwen3-VL": [((1600, 1200), "auto"), ((640, 480), "low"), ((16, 3000), "auto")],
    "LFM2-VL": [
        ((1023, 767), "low"), ((1600, 1200), "auto"), ((1280, 1024), "auto"), ((700, 3000), "high"), ((2900, 301), "auto"), ((10, 1900), "auto"),
        ((16, 3000), "low"),
    ],
    "gemma-4-E2B": [
        ((1600, 1200), "auto"), ((1600, 1200), "high"), ((640, 480), "low"), ((16, 3000), "auto"), ((3000, 7), "high"), ((3000, 7), "low"),
    ],
    "pixtral-12b": [((1600, 1200), "auto"), ((640, 480), "low")],
    "Mistral-3": [((1600, 1200), "auto"), ((640, 480), "low")],
    "clip-vit-base-patch32": [((1600, 1200), "auto"), ((41, 43), "low")],
    "siglip-base-patch16-224": [((1600, 1200), "auto"), ((640, 480), "low")],
}  # fmt: skip


def prepared():
    for name, rules in PROCESSORS.items():
        for size, detail in [*((size, "auto") for size in SIZES), *MORE[name]]:
            image = Image.fromarray(picture(*size))
            made = KINDS[rules["kind"]](image, ABSENT | rules, detail)
            yield {"processor": name, "size": list(size), "detail": detail, **made}


def files():
    """Heads of files as Pillow writes them; HEIC is AVIF's boxes with other brands."""
    saved = [
        ("png", {}), ("jpeg", {}), ("jpeg", {"progressive": True, "exif": b"Exif\0\0" + bytes(100)}), ("gif", {}), ("bmp", {}),
        ("webp", {}), ("webp", {"lossless": True}), ("webp", {"exif": b"Exif\0\0" + bytes(4)}), ("avif", {}),
    ]  # fmt: skip
    for (kind, options), size in zip(saved, [(3, 5), (300, 2), (17, 19), (70, 1), (9, 11), (33, 31), (21, 5), (6, 8), (40, 24)], strict=True):
        out = io.BytesIO()
        Image.fromarray(picture(*size)).save(out, kind, **options)
        # PNG's first chunk, a JPEG's tables, an AVIF's properties.
        whole = out.getvalue()
        end = {"png": 24, "gif": 10, "bmp": 26, "webp": 30, "avif": 320}.get(kind, len(whole))
        if kind == "jpeg":
            end = next(whole.index(mark) for mark in (b"\xff\xc0", b"\xff\xc2") if mark in whole) + 9
        yield {"format": kind, "size": list(size), "head": whole[:end].hex()}
        if kind == "avif":
            heic = whole[:end].replace(b"avif", b"heic").replace(b"avis", b"hevc")
            yield {"format": "heic", "size": list(size), "head": heic.hex()}


def make(out: Path):
    with contextlib.redirect_stderr(io.StringIO()):
        found = {
            "composite": composite(),
            "resizes": list(resizes()),
            "processors": {name: ABSENT | rules for name, rules in PROCESSORS.items()},
            "pictures": list(prepared()),
            "files": list(files()),
        }
    jsonio.write(out / "pictures.json", found)
