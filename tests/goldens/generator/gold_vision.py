"""vision_<name>/ with vision_<name>.json and .bin files: tiny seeded models that see, as Hugging Face folders and as pairs of GGUF
files, and what transformers makes of pictures and texts.
"""

import itertools
import json
from pathlib import Path

import jsonio
import numpy as np
import torch
import vision_gguf
import vision_more_specs
import vision_pictures
import vision_texts
import vision_weights
from hf_llama import f32
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, GenerationConfig
from transformers.utils import logging
from vision_specs import KINDS, Kind

logging.disable_progress_bar()

N_GREEDY = 24
MIN_DISTINCT = 10
MIN_MARGIN = 0.03
MAX_SEEDS = 400


def new_model(kind: Kind, config):
    torch.manual_seed(0)
    return kind.model._from_config(config, attn_implementation="eager", dtype=torch.float32).eval()


def load(kind: Kind, folder: Path, dtype=torch.float32):
    return kind.model.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").to(dtype).eval()


def runs(kind: Kind, ids: list[int], image_id: int, shown: list[int], n_rows: list[int]) -> list[dict]:
    """Where rows of pictures stand, as runs of neighbours; `shown`: the pictures in the order of the prompt."""
    rows = [(picture, row) for picture in shown for row in range(n_rows[picture])]
    places = [i for i, token in enumerate(ids) if token == image_id]
    assert len(places) == len(rows), (len(places), len(rows))
    found = []
    for place, (picture, row) in zip(places, rows):
        last = found[-1] if found else None
        if last and last["picture"] == picture and last["start"] + last["count"] == place:
            last["count"] += 1
        else:
            found.append({"start": place, "count": 1, "picture": picture, "row": row})
    return found


class Sight:
    """A model and what it is asked about."""

    def __init__(self, kind: Kind, model, image_id: int):
        self.kind, self.model, self.image_id = kind, model, image_id
        # What the tower made of lists of pictures, with these lists.
        self.seen: list[tuple[list, dict]] = []

    @torch.no_grad()
    def seen_once(self, prepared: list) -> dict:
        """What the tower makes of pictures, for a model that takes it: it is not run again for each token."""
        for pictures, found in self.seen:
            if len(pictures) == len(prepared) and all(a is b for a, b in zip(pictures, prepared)):
                return found
        extras = self.kind.inputs(prepared)
        extras["pixel_values"] = extras["pixel_values"].to(next(self.model.parameters()).dtype)
        found = {"mm_encoder_outputs": {"image": self.model.get_image_features(**extras, return_dict=True)}}
        self.seen.append((list(prepared), found))
        return found

    def extras(self, ids: torch.Tensor, prepared: list, whole: bool = False) -> dict:
        """What the model takes beside ids; `whole`: pixels in any case."""
        if not prepared:
            return {}
        if self.kind.name == "gemma4" and not whole:
            return self.seen_once(prepared)
        extras = self.kind.inputs(prepared)
        extras["pixel_values"] = extras["pixel_values"].to(next(self.model.parameters()).dtype)
        seen = (ids == self.image_id).int()
        if self.kind.name == "gemma3":
            extras["token_type_ids"] = seen
        if self.kind.mrope:
            extras["position_ids"], _ = self.model.model.get_rope_index(ids, seen, image_grid_thw=extras["image_grid_thw"])
        return extras

    @torch.no_grad()
    def logits(self, ids: list[int], prepared: list) -> torch.Tensor:
        """Of the last position; the whole sequence anew, without a cache."""
        ids = torch.tensor([ids])
        return self.model(input_ids=ids, use_cache=False, **self.extras(ids, prepared)).logits[0, -1]

    @torch.no_grad()
    def rows(self, prepared: list) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """Of each picture, and the same that are added behind each of the first layers, [layers, rows, width]."""
        extras = self.kind.inputs(prepared)
        extras["pixel_values"] = extras["pixel_values"].to(next(self.model.parameters()).dtype)
        out = self.model.get_image_features(**extras, return_dict=True)
        # Gemma 3's are in one tensor, SmolVLM's are those of the only text.
        rows = torch.cat([part.flatten(0, -2) for part in out.pooler_output])
        added = [torch.cat(list(layer)) for layer in getattr(out, "deepstack_features", None) or []]
        return rows, added

    def positions(self, ids: list[int], prepared: list) -> dict:
        if not self.kind.mrope:
            return {}
        if prepared:
            positions = self.extras(torch.tensor([ids]), prepared)["position_ids"][:, 0]
        else:
            positions = torch.arange(len(ids)).expand(3, -1)
        return {"positions": positions.tolist(), "next_position": int(positions.max()) + 1}


def prepare(kind: Kind) -> tuple[list, list]:
    sources = [vision_pictures.picture(width, height, n) for n, (_, width, height, _) in enumerate(kind.pictures)]
    prepared = [kind.prepare(kind.processor, rgb, kind.patch, **how) for rgb, (*_, how) in zip(sources, kind.pictures)]
    return sources, prepared


def prompts(kind: Kind, folder: Path, prepared: list, image_id: int, n_rows: list[int]) -> list[dict]:
    made = []
    for case in vision_texts.cases(*kind.order):
        parts = [part for message in case["messages"] for part in message["content"]]
        shown = [part["image"] for part in parts if part["type"] == "image"]
        rendered = kind.tokens.render(case["messages"])
        words = vision_texts.expand(rendered, kind.placeholder, [kind.expand(prepared[n]) for n in shown])
        ids = vision_texts.encode(folder, words)
        made.append(case | {"rendered": rendered, "ids": ids, "shown": shown, "image_rows": runs(kind, ids, image_id, shown, n_rows)})
    return made


def greedy(sight: Sight, case: dict, prepared: list, special: set[int]) -> tuple[dict, torch.Tensor, str | None]:
    shown = [prepared[n] for n in case["shown"]]
    new, margins, first, flaw = [], [], None, None
    for _ in range(N_GREEDY):
        row = sight.logits(case["ids"] + new, shown)
        first = row if first is None else first
        best = torch.topk(row, 2)
        new.append(int(best.indices[0]))
        margins.append(f32(best.values[0] - best.values[1]))
        if margins[-1] <= MIN_MARGIN:
            flaw = f"a margin of {margins[-1]:.2g}, not above {MIN_MARGIN}"
        elif new[-1] in special:
            flaw = "a special token"
        if flaw:
            break
    if not flaw and len(set(new)) < MIN_DISTINCT:
        flaw = f"{len(set(new))} distinct ids, not {MIN_DISTINCT}"
    return {"greedy_ids": new, "greedy_margins": margins, "min_margin": min(margins)}, first, flaw


@torch.no_grad()
def check_cache(sight: Sight, case: dict, prepared: list):
    """transformers' own generation, with a cache, says the same."""
    ids = torch.tensor([case["ids"]])
    extras = sight.extras(ids, [prepared[n] for n in case["shown"]], whole=True)
    if extras.pop("position_ids", None) is not None:
        extras["mm_token_type_ids"] = (ids == sight.image_id).int()
    out = sight.model.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=N_GREEDY, **extras)
    assert out[0, ids.shape[1] :].tolist() == case["greedy_ids"], case["name"]


def write_folder(kind: Kind, folder: Path, meta: dict, config, weights: dict):
    model = new_model(kind, config)
    left = model.load_state_dict(weights, strict=False)
    assert not left.unexpected_keys and left.missing_keys == ["lm_head.weight"] * config.tie_word_embeddings, left
    model.tie_weights()
    ids = {name: i for i, name in enumerate(meta["tokens"])}
    ends = [ids[t] for t in {kind.tokens.eos, "<end_of_turn>"} if t in ids]
    model.generation_config = GenerationConfig(bos_token_id=meta["bos"], eos_token_id=sorted(ends), pad_token_id=meta["pad"])
    model.half().save_pretrained(folder)
    if kind.hub_config:
        path = folder / "config.json"
        jsonio.write(path, kind.hub_config(json.loads(path.read_text())))
    if kind.hub_name:
        path = folder / "model.safetensors"
        save_file({kind.hub_name(name): tensor for name, tensor in load_file(path).items()}, path, metadata={"format": "pt"})


def attempt(kind: Kind, folder: Path, meta: dict, config, prepared: list, seed: int):
    ids = {name: i for i, name in enumerate(meta["tokens"])}
    special = kind.tokens.specials(meta)
    weights = vision_weights.weights(kind, new_model(kind, config), special, seed)
    write_folder(kind, folder, meta, config, weights)
    sight = Sight(kind, load(kind, folder), ids[kind.image_token])
    each = [sight.rows([p])[0] for p in prepared]
    cases, logits, flaw = [], [], None
    for case in prompts(kind, folder, prepared, sight.image_id, [len(rows) for rows in each]):
        found, first, flaw = greedy(sight, case, prepared, set(special))
        if flaw:
            break
        shown = [prepared[n] for n in case["shown"]]
        cases.append(case | sight.positions(case["ids"], shown) | found)
        logits.append(first)
    if not flaw and len({tuple(case["greedy_ids"][:6]) for case in cases}) < len(cases):
        flaw = "two prompts with one answer"
    return sight, cases, logits, flaw


def blind(sight: Sight, case: dict, prepared: list) -> float:
    """By how much the logits change if the pictures become darker: a model that does not look at them shows nothing."""
    shown = [prepared[n] for n in case["shown"]]
    dark = [p._replace(values=p.values - 0.25) for p in shown]
    return float((sight.logits(case["ids"], shown) - sight.logits(case["ids"], dark)).abs().max())


def dims(config) -> dict:
    text = config.get_text_config()
    return {
        "n_layers": text.num_hidden_layers, "d_model": text.hidden_size, "n_heads": text.num_attention_heads,
        "n_kv_heads": text.num_key_value_heads, "d_ff": text.intermediate_size, "n_vocab": text.vocab_size,
        "n_ctx": text.max_position_embeddings,
        "tower": {key: value for key, value in vision_gguf.tower_dims(config.vision_config).items() if key != "feed_forward_length"},
    }


def make_one(out: Path, kind: Kind):
    name = f"vision_{kind.name}"
    folder, pair = out / name / "hf", out / name / "gguf"
    folder.mkdir(parents=True)
    pair.mkdir()
    meta = kind.tokens.meta()
    ids = {token: i for i, token in enumerate(meta["tokens"])}
    kind.tokens.write(folder, meta)
    kind.write_processor(folder, kind.processor)
    config = kind.config(ids, len(meta["tokens"]))
    sources, prepared = prepare(kind)
    for seed in range(MAX_SEEDS):
        sight, cases, logits, flaw = attempt(kind, folder, meta, config, prepared, seed)
        if not flaw:
            break
    assert not flaw, f"{name}: seed {seed}, the last one tried, gives {flaw}"
    vision_gguf.write(pair, folder, kind, AutoConfig.from_pretrained(folder), meta)
    for case in cases:
        check_cache(sight, case, prepared)
        assert not case["shown"] or blind(sight, case, prepared) > 0.05, case["name"]

    wide = Sight(kind, load(kind, folder, torch.float64), sight.image_id)
    floats, doubles = ([found.rows([p]) for p in prepared] for found in (sight, wide))
    rows, added = ([pair[part] for pair in floats] for part in (0, 1))
    difference = lambda a, b: max(float((x.double() - y).abs().max()) for x, y in zip(a, b))
    files = {
        "sources": np.concatenate([rgb.reshape(-1) for rgb in sources]),
        "pixels": np.concatenate([p.pixels.reshape(-1) for p in prepared]),
        "rows": torch.cat(rows).numpy(), "logits": torch.stack(logits).numpy(),
    }
    if added[0]:
        files["deepstack"] = torch.stack([torch.cat(layer) for layer in zip(*added)]).numpy()
    for key, values in files.items():
        values.astype("u1" if values.dtype == np.uint8 else "<f4").tofile(out / f"{name}_{key}.bin")
    starts = lambda counts: [0, *itertools.accumulate(counts)]
    first_row, first_pixel, first_source = (
        starts(len(r) for r in rows), starts(p.pixels.size for p in prepared), starts(s.size for s in sources))
    jsonio.write(out / f"{name}.json", {
        "kind": kind.name, "folder": f"{name}/hf", "gguf": [f"{name}/gguf/model.gguf", f"{name}/gguf/mmproj.gguf"], "seed": seed,
        "dtype": "float16", "ffn_exchanged_in_gguf": kind.swapped, "dims": dims(config), "image_token": ids[kind.image_token],
        "placeholder": kind.placeholder,
    } | {
        f"{key}_bin": {"file": f"{name}_{key}.bin", "shape": list(values.shape), "dtype": "u8" if values.dtype == np.uint8 else "f32le"}
        for key, values in files.items()
    } | {
        "pictures": [{
            "name": about[0], "width": about[1], "height": about[2], "source_start": first_source[n],
            "tiles_high": p.tiles_high, "tiles_wide": p.tiles_wide, "grids": [list(grid) for grid in p.grids],
            "patch": kind.patch, "pixels_start": first_pixel[n], "pixels_length": p.pixels.size,
            "rows_start": first_row[n], "n_rows": len(rows[n]),
        } for n, (about, p) in enumerate(zip(kind.pictures, prepared))],
        "f32_vs_f64_max_abs_diff": {
            "rows": float(f"{difference(rows, [pair[0] for pair in doubles]):.2e}"),
            "logits": float(f"{difference(logits, [wide.logits(c['ids'], [prepared[n] for n in c['shown']]) for c in cases]):.2e}"),
        },
        "cases": cases,
    })
    print(name, "seed", seed, "margins", [case["min_margin"] for case in cases])


def make(out: Path, names: list[str] | None = None):
    for kind in [*KINDS, *vision_more_specs.KINDS]:
        if names is None or kind.name in names:
            make_one(out, kind)
