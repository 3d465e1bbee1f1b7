"""hf_rank_xlmr/ with .json: XLM-R with a classifier as a Hugging Face folder, as bge-reranker-v2-m3 is published."""

import tempfile
from pathlib import Path

import torch
import transformers as hf
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

import gold_rerank
import gold_unigram
import spm_models
from embedding_folders import dump

N_CTX = gold_rerank.N_CTX
# One of those with scores that differ enough.
SEED = 1
# A normalisation table of a few entries; the real one has 240 kB.
RULES = {"\t": " ", "\n": " ", "\u3000": " ", "\ufb01": "fi", "\uff11": "1", "\u2026": "...", "E\u0301": "\u00c9"}


def vocabulary():
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as rules:
        hexes = lambda text: " ".join(f"{ord(c):X}" for c in text)
        rules.write("".join(f"{hexes(a)}\t{hexes(b)}\n" for a, b in RULES.items()))
        rules.flush()
        return spm_models.train(
            model_type="unigram", vocab_size=300, normalization_rule_tsv=rules.name, add_dummy_prefix=True,
            remove_extra_whitespaces=True, bos_id=0, pad_id=1, eos_id=2, unk_id=3, bos_piece="<s>", eos_piece="</s>")


def tokenizer(proto) -> Tokenizer:
    """As transformers' converter made those on the hub."""
    pieces = [(piece, score) for piece, score, _ in gold_unigram.vocabulary(proto, len(proto.pieces))]
    tok = Tokenizer(models.Unigram(pieces, unk_id=3, byte_fallback=False))
    tok.normalizer = normalizers.Sequence([
        normalizers.Precompiled(proto.normalizer_spec.precompiled_charsmap), normalizers.Replace(Regex(" {2,}"), " ")])
    tok.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(prepend_scheme="always")])
    tok.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    tok.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in ("<s>", "<pad>", "</s>", "<unk>")])
    return tok


def make(out: Path):
    name, proto = "hf_rank_xlmr", vocabulary()
    folder = out / name
    folder.mkdir()
    tok = tokenizer(proto)
    config = hf.XLMRobertaConfig(
        vocab_size=len(proto.pieces), hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=96, num_labels=1,
        max_position_embeddings=N_CTX + 2, type_vocab_size=1, layer_norm_eps=1e-5, pad_token_id=1)
    model = hf.AutoModelForSequenceClassification.from_config(config, attn_implementation="eager", dtype=torch.float32).eval()
    names = gold_rerank.xlmr_names({key: None for key, _ in model.named_parameters()})
    made = gold_rerank.weights(name, {names[key]: tuple(p.shape) for key, p in model.named_parameters()}, SEED)
    left = model.load_state_dict({key: torch.from_numpy(made[tensor]) for key, tensor in names.items()}, strict=False)
    assert not left.missing_keys and not left.unexpected_keys, left
    model.to(torch.bfloat16).save_pretrained(folder)
    model = hf.AutoModelForSequenceClassification.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()
    tok.save(str(folder / "tokenizer.json"))
    dump(folder / "tokenizer_config.json", {
        "bos_token": "<s>", "eos_token": "</s>", "cls_token": "<s>", "sep_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>",
        "model_max_length": N_CTX, "tokenizer_class": "XLMRobertaTokenizer"})
    tok.encode_special_tokens = True
    # (tokenizers finds the pieces of special tokens in plain text too, which is what Hearth does not do)
    pairs = [(query, document.replace(" </s>", "")) for query, document in gold_rerank.PAIRS]
    pairs += [("\ufb01re  and\tfire", " \u3000 a \uff11st fire\u2026  ")]
    cases = []
    for query, document in pairs:
        ids = tok.encode(query, document).ids
        cases.append({"query": query, "document": document, "ids": ids, "score": gold_rerank.sigmoid_of(model, ids)})
    gold_rerank.write(out, name, {"folder": name, "arch": "bert"}, cases)
