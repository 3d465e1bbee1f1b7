"""gemma270.json: what transformers computes from the Gemma 3 270M GGUF, and sentencepiece from its vocabulary."""

from pathlib import Path

import hf_families
import hf_llama
import jsonio
import real_model
import spm_models
import texts
import transformers as hf
from family_specs import Family
from gguf import GGUFReader
from gguf_io import field
from sentencepiece import sentencepiece_model_pb2 as pb
from spm_models import Piece

# A base model: it goes on with a text. The second is longer than nothing slides; the third is longer than its window of 512.
PROMPTS = [
    {"name": "raw", "text": "The history of the lighthouse begins in the ancient city of Alexandria, where"},
    {"name": "list", "text": "The planets of the solar system, in order from the sun:\n1. Mercury\n2. Venus\n3."},
    {"name": "long", "text": texts.PROSE + texts.MORE_PROSE},
]


def family(reader: GGUFReader) -> Family:
    """What the file says; 10,000 and one layer in six are Gemma 3's own, which it does not."""
    get = lambda key: field(reader, "gemma3." + key)
    head_dim = get("attention.key_length")
    rope = lambda theta: {"rope_type": "default", "rope_theta": theta}
    return Family("gemma270", "gemma3", hf.Gemma3TextConfig, dict(
        vocab_size=len(field(reader, "tokenizer.ggml.tokens")), hidden_size=get("embedding_length"),
        intermediate_size=get("feed_forward_length"), num_hidden_layers=get("block_count"),
        num_attention_heads=get("attention.head_count"), num_key_value_heads=get("attention.head_count_kv"),
        head_dim=head_dim, query_pre_attn_scalar=head_dim, sliding_window=get("attention.sliding_window"),
        rms_norm_eps=get("attention.layer_norm_rms_epsilon"), max_position_embeddings=get("context_length"),
        tie_word_embeddings=True, rope_parameters={
            "full_attention": rope(get("rope.freq_base")), "sliding_attention": rope(10000.0)}))


def processor(reader: GGUFReader):
    """sentencepiece with the file's pieces."""
    proto = pb.ModelProto()
    proto.trainer_spec.model_type = proto.trainer_spec.BPE
    proto.trainer_spec.byte_fallback = True
    proto.normalizer_spec.name = "identity"
    proto.normalizer_spec.add_dummy_prefix = False
    proto.normalizer_spec.remove_extra_whitespaces = False
    parts = (field(reader, f"tokenizer.ggml.{key}") for key in ("tokens", "scores", "token_type"))
    for text, score, kind in zip(*parts):
        # The converter spells runs of blanks as blanks.
        text = text.replace(" ", "\u2581") if kind == Piece.USER_DEFINED else text
        proto.pieces.append(Piece(piece=text, score=score, type=kind))
    return spm_models.processor(proto)


def make(out: Path, model_path: Path):
    reader = GGUFReader(model_path)
    spm = processor(reader)
    bos, eos = (field(reader, f"tokenizer.ggml.{key}_token_id") for key in ("bos", "eos"))
    model = hf_families.load(family(reader), reader)
    prompts = []
    for spec in PROMPTS:
        ids = [bos] + spm.encode(spec["text"])
        prompts.append(spec | real_model.prompt(model, ids, spm.decode, eos)[0])
    forced = prompts[-1]["ids"][: real_model.N_FORCED]
    assert len(forced) == real_model.N_FORCED < len(prompts[-1]["ids"])
    jsonio.write(out / "gemma270.json", {
        "model": {"file": model_path.name, "bytes": model_path.stat().st_size, "sha256": jsonio.sha256(model_path)},
        "prompts": prompts,
        "forced": real_model.forced(forced, hf_llama.logits(model, forced)),
        "tokens": [{"text": text, "ids": spm.encode(text)} for text in texts.NASTY + texts.SPM],
    })
