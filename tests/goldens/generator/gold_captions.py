"""captions_<name>/ with captions_<name>.json and .bin files: tiny models that compare pictures with texts, and what transformers makes of
both: normalised embeddings, and the logits of each picture.
"""

from pathlib import Path

import caption_models
import jsonio
import numpy as np
import torch
import vision_pictures
from caption_models import PATCH, Kind
from PIL import Image

# One that is cut at both sides, one at top and bottom, one that is enlarged, and one that fits.
SIZES = [[40, 28], [20, 41], [9, 7], [24, 24]]
TEXTS = [
    "a photo of a cat", "A photo of a DOG!", "two lighthouses, at night.", "", "don't  look\tback", "naïve café", "Ünïcode 東京", "3 ships in 1848",
    "a photo of a cat ",
]


def padded(kind: Kind, ids: list[int]) -> list[int]:
    if kind.padding is None:
        return ids
    more = [kind.padding] * (kind.n_ctx - len(ids))
    return more + ids if kind.pads_left else ids + more


def unit(x: torch.Tensor) -> np.ndarray:
    return (x / x.norm(dim=-1, keepdim=True)).numpy()


@torch.no_grad()
def make_one(out: Path, kind: Kind):
    folder = out / kind.name
    folder.mkdir(parents=True)
    model, ids_of = caption_models.write(kind, folder)
    sources = [vision_pictures.picture(width, height, n) for n, (width, height) in enumerate(SIZES)]
    values = [np.asarray(kind.processor(Image.fromarray(rgb))["pixel_values"], np.float32)[0] for rgb in sources]
    rules = kind.processor
    pixels = [vision_pictures.patches(vision_pictures.bytes_of(v, rules.image_mean, rules.image_std), PATCH) for v in values]
    ids = [ids_of(text) for text in TEXTS]
    assert all(len(one) <= kind.n_ctx for one in ids), [len(one) for one in ids]
    images = torch.from_numpy(np.stack(values))
    outs = [model(input_ids=torch.tensor([padded(kind, one)]), pixel_values=images) for one in ids]
    pictures = unit(model.get_image_features(pixel_values=images).pooler_output)
    texts = np.concatenate([unit(model.get_text_features(input_ids=torch.tensor([padded(kind, one)])).pooler_output) for one in ids])
    logits = torch.cat([out.logits_per_image for out in outs], dim=1).numpy()
    scale = float(model.logit_scale.exp().reshape(()))
    bias = float(model.logit_bias.reshape(())) if hasattr(model, "logit_bias") else 0.0
    assert np.abs(pictures @ texts.T * scale + bias - logits).max() < 1e-4
    for found, first in ((pictures, len(pictures)), (texts, 3)):
        alike = found[:first] @ found[:first].T - 2 * np.eye(first)
        assert alike.max() < 0.98, (kind.name, alike.max())
    files = {"pictures": pictures, "texts": texts, "logits": logits}
    for key, found in files.items():
        found.astype("<f4").tofile(out / f"{kind.name}_{key}.bin")
    np.concatenate([p.reshape(-1) for p in pixels]).tofile(out / f"{kind.name}_pixels.bin")
    np.concatenate([s.reshape(-1) for s in sources]).tofile(out / f"{kind.name}_sources.bin")
    jsonio.write(out / f"{kind.name}.json", {
        "folder": kind.name, "n_ctx": kind.n_ctx, "scale": scale, "bias": bias, "function": "sigmoid" if bias else "softmax",
        "sizes": SIZES, "grid": [caption_models.SIDE // PATCH] * 2, "texts": [{"text": t, "ids": i} for t, i in zip(TEXTS, ids)],
    } | {
        f"{key}_bin": {"file": f"{kind.name}_{key}.bin", "shape": list(found.shape), "dtype": "f32le"} for key, found in files.items()
    } | {
        f"{key}_bin": {"file": f"{kind.name}_{key}.bin", "dtype": "u8"} for key in ("pixels", "sources")
    })
    print(kind.name, "width", pictures.shape[1])


def make(out: Path):
    for kind in caption_models.KINDS:
        make_one(out, kind)
