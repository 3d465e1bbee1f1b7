"""tokenizer_smollm2.json, tokenizer_spm.json and tokenizer_spm.gguf: token ids of the nasty texts."""

import io
import tempfile
from pathlib import Path

import sentencepiece as spm
from gguf import GGUFReader, GGUFWriter, TokenType
from transformers import AutoTokenizer, LlamaTokenizer

import jsonio
import texts
from gguf_io import bpe_tokenizer, encode, field


def case(text: str, ids: list[int], decoded: str, **extra) -> dict:
    out = {"text": text, "ids": ids}
    # Only where decoding does not give the text back (bytes without a token).
    if decoded != text:
        out["decoded"] = decoded
    return out | extra


def make_smollm2(out: Path, model: Path):
    reader = GGUFReader(model)
    tok = bpe_tokenizer(reader)
    auto = AutoTokenizer.from_pretrained(str(model.parent), gguf_file=model.name)
    cases, auto_differs = [], []
    for i, text in enumerate(texts.NASTY):
        ids = encode(tok, text, parse_special=False)
        special = encode(tok, text, parse_special=True)
        extra = {"ids_special": special} if special != ids else {}
        cases.append(case(text, ids, tok.decode(ids, skip_special_tokens=False), **extra))
        if auto.encode(text, add_special_tokens=False, split_special_tokens=True) != ids:
            auto_differs.append(i)
    jsonio.write(out / "tokenizer_smollm2.json", {
        "about": "ids: special tokens not parsed; ids_special: parsed (only where it differs); "
                 "decoded: only where it differs from text",
        "pre": field(reader, "tokenizer.ggml.pre"),
        "transformers_gguf_conversion_differs_at": auto_differs,
        "cases": cases,
    })


def make_spm(out: Path):
    model = io.BytesIO()
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(texts.TRAINING.split("\n")), model_writer=model, model_type="bpe", vocab_size=600,
        byte_fallback=True, character_coverage=0.98, normalization_rule_name="identity", split_digits=True,
        remove_extra_whitespaces=False, allow_whitespace_only_pieces=True, add_dummy_prefix=True, num_threads=1,
        unk_id=0, bos_id=1, eos_id=2, pad_id=-1, unk_surface=" \u2047 ", minloglevel=2,
    )
    sp = spm.SentencePieceProcessor(model_proto=model.getvalue())

    tokens, scores, types = [], [], []
    for i in range(sp.vocab_size()):
        tokens.append(sp.id_to_piece(i).encode())
        scores.append(sp.get_score(i))
        if sp.is_unknown(i):
            types.append(TokenType.UNKNOWN)
        elif sp.is_control(i):
            types.append(TokenType.CONTROL)
        elif sp.is_byte(i):
            types.append(TokenType.BYTE)
        else:
            types.append(TokenType.NORMAL)
    w = GGUFWriter(out / "tokenizer_spm.gguf", "llama")
    w.add_type("vocab")
    w.add_name("tiny spm")
    w.add_vocab_size(len(tokens))
    w.add_tokenizer_model("llama")
    w.add_tokenizer_pre("default")
    w.add_token_list(tokens)
    w.add_token_scores(scores)
    w.add_token_types(types)
    w.add_bos_token_id(1)
    w.add_eos_token_id(2)
    w.add_unk_token_id(0)
    w.add_add_bos_token(True)
    w.add_add_eos_token(False)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.close()

    with tempfile.TemporaryDirectory() as d:
        (Path(d) / "tokenizer.model").write_bytes(model.getvalue())
        hf = LlamaTokenizer.from_pretrained(d, legacy=False)
    cases = []
    for text in texts.NASTY:
        ids = sp.encode(text)
        hf_ids = hf.encode(text, add_special_tokens=False, split_special_tokens=True)
        extra = {"hf_ids": hf_ids} if hf_ids != ids else {}
        cases.append(case(text, ids, sp.decode(ids), **extra))
    jsonio.write(out / "tokenizer_spm.json", {
        "about": "ids: sentencepiece, no BOS, special tokens not parsed; hf_ids: transformers' LlamaTokenizer, "
                 "only where it differs; decoded: sentencepiece's, only where it differs from text",
        "n_vocab": len(tokens),
        "cases": cases,
    })
