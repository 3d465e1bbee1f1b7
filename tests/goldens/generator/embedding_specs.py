"""One entry per embedding model: transformers' configuration, the GGUF keys, the types of the tensors."""

from dataclasses import dataclass, field
from typing import Callable

import gguf
import transformers as hf
from gguf import GGMLQuantizationType as T, PoolingType

import jina_bert
import wordpiece


@dataclass(frozen=True)
class Embedding:
    name: str
    arch: str
    pooling: PoolingType
    config: Callable
    args: dict
    # GGUFWriter.add_<key>(value), beside the tokenizer's.
    keys: dict
    types: list
    # Tokens beyond this many are cut off, as sentence-transformers does.
    max_length: int
    # The tokenizer's keys as converters wrote them before 2025.
    old_tokenizer: bool = False
    file_type: gguf.LlamaFileType = gguf.LlamaFileType.MOSTLY_F16
    # Widths before and after each projection behind the pooling.
    dense: tuple = ()
    # Instead of family_weights.GAINS; with CLS pooling, attention is all that tells texts apart.
    gains: dict = field(default_factory=dict)
    # No two texts have a cosine as high: more where biases bring them together.
    alike: float = 0.97

    @property
    def wordpiece(self) -> bool:
        return self.arch in ("bert", "nomic-bert", "nomic-bert-moe", "jina-bert-v2", "jina-bert-v3")

    def make_config(self):
        return self.config(**self.args)


def bert_keys(n_ctx: int, width: int, d_ff: int, heads: int, pooling: PoolingType, eps=1e-12, **more) -> dict:
    return {
        "block_count": 2, "context_length": n_ctx, "embedding_length": width, "feed_forward_length": d_ff,
        "head_count": heads, "layer_norm_eps": eps, "causal_attention": False, "pooling_type": pooling,
    } | more


def bert(name: str, pooling: PoolingType, n_ctx: int, width: int, d_ff: int, heads: int, eps=1e-12, **more) -> Embedding:
    args = dict(
        vocab_size=wordpiece.N_VOCAB, hidden_size=width, num_hidden_layers=2, num_attention_heads=heads,
        intermediate_size=d_ff, max_position_embeddings=n_ctx, type_vocab_size=2, hidden_act="gelu", layer_norm_eps=eps,
        pad_token_id=0)
    return Embedding(
        name, "bert", pooling, hf.BertConfig, args, bert_keys(n_ctx, width, d_ff, heads, pooling, eps), max_length=n_ctx,
        **more)


# nomic-embed-text rounds its vocabulary up to a multiple of 64.
NOMIC_VOCAB = 448


def flash(d_ff: int, layers: int, base: float, eps: float) -> dict:
    """Jina's encoder."""
    return dict(
        vocab_size=NOMIC_VOCAB, hidden_size=64, num_hidden_layers=layers, num_attention_heads=4, intermediate_size=d_ff,
        max_position_embeddings=256, type_vocab_size=1, layer_norm_eps=eps, pad_token_id=0,
        rope_parameters={"rope_type": "default", "rope_theta": base})


# Of the three layers, those that slide see 8 tokens on either side.
GEMMA = dict(
    vocab_size=320, hidden_size=64, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2, head_dim=16,
    intermediate_size=64, max_position_embeddings=256, rms_norm_eps=1e-6, query_pre_attn_scalar=16, sliding_window=16,
    layer_types=["sliding_attention", "full_attention", "sliding_attention"], use_bidirectional_attention=True,
    rope_parameters={"full_attention": {"rope_type": "default", "rope_theta": 1e6},
                     "sliding_attention": {"rope_type": "default", "rope_theta": 1e4}},
    bos_token_id=None, eos_token_id=None, pad_token_id=None)

# Of the four layers, the first and the last attend to everything; the others see 8 tokens on either side.
MODERN_BERT = dict(
    vocab_size=320, hidden_size=64, num_hidden_layers=4, num_attention_heads=4, intermediate_size=64,
    max_position_embeddings=256, norm_eps=1e-5, local_attention=16, hidden_activation="gelu",
    rope_parameters={"full_attention": {"rope_type": "default", "rope_theta": 160000.0},
                     "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0}},
    bos_token_id=1, eos_token_id=0, cls_token_id=1, sep_token_id=0, pad_token_id=0)


def modern_bert_keys(pooling: PoolingType) -> dict:
    """As llama.cpp's converter writes them."""
    return {"block_count": 4, "context_length": 256, "embedding_length": 64, "feed_forward_length": 64, "head_count": 4,
            "rope_freq_base": 160000.0, "rope_freq_base_swa": 10000.0, "layer_norm_eps": 1e-5, "sliding_window": 16,
            "sliding_window_pattern": 3, "causal_attention": False, "pooling_type": pooling}


EMBEDDINGS = [
    bert("embed_bert", PoolingType.MEAN, n_ctx=64, width=64, d_ff=128, heads=4, types=[T.Q8_0, T.F16, T.F16],
         file_type=gguf.LlamaFileType.MOSTLY_Q8_0),
    # No row is a multiple of 32 long, so nothing can be quantised. An epsilon far above the real ones, so that it bites.
    bert("embed_bert_cls", PoolingType.CLS, n_ctx=72, width=48, d_ff=80, heads=3, eps=1e-3, types=[T.F16],
         old_tokenizer=True, gains={"attn_v": 3.0, "attn_output": 3.0}),
    Embedding(
        "embed_nomic", "nomic-bert", PoolingType.MEAN, hf.NomicBertConfig,
        dict(vocab_size=NOMIC_VOCAB, hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=96,
             max_position_embeddings=2048, type_vocab_size=2, layer_norm_eps=1e-12, pad_token_id=0,
             rope_parameters={"rope_type": "default", "rope_theta": 1000.0}),
        bert_keys(2048, 64, 96, 4, PoolingType.MEAN, rope_freq_base=1000.0),
        types=[T.F16, T.Q8_0, T.F32], max_length=2048,
    ),
    # Layers 1 and 3 of four have experts.
    Embedding(
        "embed_nomic_moe", "nomic-bert-moe", PoolingType.MEAN, hf.JinaEmbeddingsV3Config, flash(32, 4, 10000.0, 1e-5),
        bert_keys(256, 64, 32, 4, PoolingType.MEAN, 1e-5, rope_freq_base=10000.0) | {
            "block_count": 4, "moe_every_n_layers": 2, "expert_count": 8, "expert_used_count": 2},
        types=[T.F16, T.Q8_0, T.Q4_0], max_length=256, alike=0.995,
    ),
    # Six heads: the last two have slopes between those of the first four.
    Embedding(
        "embed_jina_v2", "jina-bert-v2", PoolingType.MEAN, jina_bert.Config,
        dict(vocab_size=wordpiece.N_VOCAB, hidden_size=96, num_hidden_layers=2, num_attention_heads=6, intermediate_size=32,
             max_position_embeddings=256, layer_norm_eps=1e-12),
        bert_keys(256, 96, 32, 6, PoolingType.MEAN), types=[T.F16, T.Q8_0], max_length=256,
    ),
    Embedding(
        "embed_jina_v3", "jina-bert-v3", PoolingType.MEAN, hf.JinaEmbeddingsV3Config, flash(128, 2, 20000.0, 1e-5),
        bert_keys(256, 64, 128, 4, PoolingType.MEAN, 1e-5, rope_freq_base=20000.0), types=[T.F16, T.Q8_0], max_length=256,
        alike=0.995,
    ),
    Embedding(
        "embed_qwen3", "qwen3", PoolingType.LAST, hf.Qwen3Config,
        dict(vocab_size=320, hidden_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=32,
             intermediate_size=96, max_position_embeddings=256, rms_norm_eps=1e-6, tie_word_embeddings=True,
             rope_parameters={"rope_type": "default", "rope_theta": 1e6}, bos_token_id=None, eos_token_id=None,
             pad_token_id=None),
        {"block_count": 2, "context_length": 256, "embedding_length": 64, "feed_forward_length": 96, "head_count": 4,
         "head_count_kv": 2, "rope_freq_base": 1e6, "layer_norm_rms_eps": 1e-6, "key_length": 32, "value_length": 32,
         "pooling_type": PoolingType.LAST},
        types=[T.Q8_0, T.F16], max_length=256, file_type=gguf.LlamaFileType.MOSTLY_Q8_0,
    ),
    # The real one's projections end as wide as they begin.
    Embedding(
        "embed_gemma", "gemma-embedding", PoolingType.MEAN, hf.Gemma3TextConfig, GEMMA,
        {"block_count": 3, "context_length": 256, "embedding_length": 64, "feed_forward_length": 64, "head_count": 4,
         "head_count_kv": 2, "rope_freq_base": 1e6, "rope_freq_base_swa": 1e4, "layer_norm_rms_eps": 1e-6, "key_length": 16,
         "value_length": 16, "sliding_window": 16, "sliding_window_pattern": [True, False, True],
         "causal_attention": False, "pooling_type": PoolingType.MEAN},
        types=[T.Q8_0, T.F16, T.F32], max_length=256, dense=((64, 96), (96, 48)),
    ),
    Embedding(
        "embed_modern_bert", "modern-bert", PoolingType.CLS, hf.ModernBertConfig, MODERN_BERT,
        modern_bert_keys(PoolingType.CLS), types=[T.Q8_0, T.F16], max_length=256,
        gains={"attn_v": 3.0, "attn_output": 3.0}),
]
