"""Tiny seeded models that compare pictures with texts, as Hugging Face folders: CLIP, SigLIP and SigLIP 2, with tokenizers like theirs."""

import json
import string
import zlib
from pathlib import Path
from typing import Callable, NamedTuple

import gemma_tokenizer
import numpy as np
import spm_models
import texts
import torch
import transformers as hf
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

SIDE, PATCH, WIDTH = 24, 8, 64
TOWER = {"hidden_size": WIDTH, "intermediate_size": 96, "num_attention_heads": 2, "num_hidden_layers": 2}
TEXT = {"hidden_size": WIDTH, "intermediate_size": 128, "num_attention_heads": 2, "num_hidden_layers": 2}
BOS, EOS = "<|startoftext|>", "<|endoftext|>"


class Kind(NamedTuple):
    name: str
    model: type
    # From the number of tokens.
    config: Callable
    # Writes the tokenizer's files; returns the ids of a text with those at its ends, and the number of tokens.
    tokenizer: Callable
    processor: object
    # What the hub's preprocessor_config.json has beside the processor's own keys.
    rules: dict
    n_ctx: int
    # The token that texts are filled with, and its side; none for texts that are not.
    padding: int | None = None
    pads_left: bool = False


def dump(path: Path, value: dict):
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def clip_tokenizer(folder: Path) -> tuple[Callable, int]:
    """CLIP's: small letters, byte-level pieces of words, the last of which ends with a mark."""
    plain = hf.CLIPTokenizer()._tokenizer
    tok = Tokenizer(models.BPE(end_of_word_suffix="</w>", continuing_subword_prefix=""))
    tok.normalizer, tok.pre_tokenizer = plain.normalizer, plain.pre_tokenizer
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=700, end_of_word_suffix="</w>", initial_alphabet=alphabet, show_progress=False)
    tok.train_from_iterator(texts.TRAINING.split("\n"), trainer)
    merges = [tuple(pair) for pair in json.loads(tok.to_str())["model"]["merges"]]
    vocab = [*alphabet, *(f"{c}</w>" for c in alphabet), *("".join(pair) for pair in merges), BOS, EOS]
    vocab = {token: i for i, token in enumerate(dict.fromkeys(vocab))}
    own = hf.CLIPTokenizer(vocab=vocab, merges=merges, model_max_length=24)
    own.save_pretrained(folder)
    assert own("a cat").input_ids[0] == vocab[BOS] and own("a cat").input_ids[-1] == vocab[EOS]
    return lambda text: own(text).input_ids, len(vocab)


def siglip_tokenizer(folder: Path) -> tuple[Callable, int]:
    """SigLIP's: SentencePiece's pieces of small letters without punctuation; the folder has both forms."""
    proto = spm_models.train(
        texts.TRAINING.lower(), model_type="unigram", vocab_size=270, normalization_rule_name="identity", add_dummy_prefix=True,
        remove_extra_whitespaces=True, pad_id=-1, eos_id=1, unk_id=2, bos_id=-1)
    (folder / "spiece.model").write_bytes(proto.SerializeToString())
    slow = hf.SiglipTokenizer(str(folder / "spiece.model"), model_max_length=64)
    slow.save_pretrained(folder)
    tok = Tokenizer(models.Unigram([(p.piece, p.score) for p in proto.pieces], unk_id=2, byte_fallback=False))
    tok.normalizer = normalizers.Sequence([
        normalizers.Lowercase(), normalizers.Replace(Regex("[" + "".join("\\" + c for c in string.punctuation) + "]"), ""),
        normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip()])
    tok.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    tok.decoder = decoders.Metaspace(prepend_scheme="always")
    tok.post_processor = processors.TemplateProcessing(single=["$A", "</s>"], pair=["$A", "</s>", "$B", "</s>"], special_tokens=[("</s>", 1)])
    tok.add_special_tokens(["</s>", "<unk>"])
    tok.save(str(folder / "tokenizer.json"))

    def ids(text: str) -> list[int]:
        found = slow(text).input_ids
        assert found == tok.encode(text).ids, text
        return found

    return ids, len(proto.pieces)


def siglip2_tokenizer(folder: Path) -> tuple[Callable, int]:
    """SigLIP 2's: Gemma's of small letters, without a token at the beginning."""
    tok, config = gemma_tokenizer.files(merges_as_strings=False)
    tok["normalizer"] = {"type": "Sequence", "normalizers": [{"type": "Lowercase"}, tok["normalizer"]]}
    end, a, b = {"SpecialToken": {"id": "<eos>", "type_id": 0}}, *({"Sequence": {"id": s, "type_id": 0}} for s in "AB")
    tok["post_processor"] |= {
        "single": [a, end], "pair": [a, end, b, end], "special_tokens": {"<eos>": {"id": "<eos>", "ids": [1], "tokens": ["<eos>"]}}}
    dump(folder / "tokenizer.json", tok)
    dump(folder / "tokenizer_config.json", {k: v for k, v in config.items() if k not in ("chat_template", "added_tokens_decoder")}
         | {"add_bos_token": False, "add_eos_token": True, "model_max_length": 64, "padding_side": "left"})
    own = Tokenizer.from_file(str(folder / "tokenizer.json"))
    return lambda text: own.encode(text).ids, gemma_tokenizer.N_VOCAB


def siglip_config(n_vocab: int):
    return hf.SiglipConfig(
        text_config=TEXT | {"vocab_size": n_vocab, "max_position_embeddings": 64},
        vision_config=TOWER | {"image_size": SIDE, "patch_size": PATCH})


SQUARE = {"height": SIDE, "width": SIDE}
KINDS = [
    Kind(
        "captions_clip", hf.CLIPModel,
        lambda n_vocab: hf.CLIPConfig(
            # As in OpenAI's own files, whose number of this token is wrong.
            text_config=TEXT | {"vocab_size": n_vocab, "max_position_embeddings": 24, "eos_token_id": 2},
            vision_config=TOWER | {"image_size": SIDE, "patch_size": PATCH}, projection_dim=48),
        clip_tokenizer, CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size=SQUARE), {"crop_size": SIDE, "size": SIDE}, 24),
    Kind(
        "captions_siglip", hf.SiglipModel, siglip_config, siglip_tokenizer, SiglipImageProcessorPil(size=SQUARE), {"size": SQUARE}, 64,
        padding=1),
    Kind(
        "captions_siglip2", hf.SiglipModel, siglip_config, siglip2_tokenizer, SiglipImageProcessorPil(size=SQUARE, resample=2),
        {"size": SQUARE}, 64, padding=0, pads_left=True),
]


def draw(name: str, shape: tuple, rng) -> np.ndarray:
    *_, module, role = name.split(".") if "." in name else (name, "weight")
    if name == "logit_scale":
        return np.full(shape, 2.3)
    if name == "logit_bias":
        return np.full(shape, -1.25)
    if role in ("bias", "in_proj_bias"):
        return rng.normal(0, 0.2, shape)
    if "norm" in module or "layrnorm" in module:
        return rng.uniform(0.5, 1.5, shape)
    if "embedding" in module or role in ("class_embedding", "probe"):
        return rng.normal(0, 0.7, shape)
    # (of queries and keys, so that a text's padding does not drown its words)
    gain = 4.0 if module in ("q_proj", "k_proj") else 1.5
    return rng.normal(0, gain / np.sqrt(np.prod(shape[1:])), shape)


def write(kind: Kind, folder: Path):
    """Writes the folder; returns the model in F32 and the function of ids."""
    ids, n_vocab = kind.tokenizer(folder)
    config = kind.config(n_vocab)
    torch.manual_seed(0)
    model = kind.model._from_config(config, attn_implementation="eager", dtype=torch.float32)
    rng = np.random.default_rng(zlib.crc32(kind.name.encode()))
    state = {name: torch.from_numpy(np.asarray(draw(name, tuple(p.shape), rng))).half() for name, p in model.named_parameters()}
    left = model.load_state_dict(state, strict=False)
    assert not left.unexpected_keys and all(name.endswith("position_ids") for name in left.missing_keys), left
    model.half().save_pretrained(folder)
    found = {key: value for key, value in json.loads(kind.processor.to_json_string()).items() if value is not None}
    dump(folder / "preprocessor_config.json", found | kind.rules)
    return kind.model.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval(), ids
