"""tokenizer_options.json: tokenizer.json files whose options matter, and the ids that Hugging Face's tokenizers gives."""

import json
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

import gold_rerank_xlmr
import gold_unigram
import jsonio
import texts

SPECIAL = ["<|im_start|>", "<|im_end|>"]
TEXTS = [
    "Hello world", " leading", "  two", "trailing ", "a", "", " ", "  \n  \n", "a\tb", "▁x", " ▁x", "é è", "CAFÉ cafe\u0301", "caf\u00e9s",
    "<|im_start|>user\nHi<|im_end|>\n", "<|im_start|> user <|im_end|>  \n x", "a <mask>b", "  <mask>  ", "a  <|im_end|>  b", "<mask><mask>",
    "x<|im_end|>", "<|im_end|>x", "foo barfoo foo_ foobar foo", "foo", "(foo)", "foofoo foo", "xfoo", "foo1 1foo", "éfoo fooé", "  foo  ",
    "foo<|im_end|>foo", "<sep> a <sep>b", "a<sep>", "the quick brown fox", "ids <|im_start|>  <|im_end|> end",
]


def byte_level(normalizer=None) -> Tokenizer:
    tok = Tokenizer(models.BPE())
    if normalizer:
        tok.normalizer = normalizer
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tok.decoder = decoders.ByteLevel()
    train(tok, pre_tokenizers.ByteLevel.alphabet())
    return tok


def metaspace(scheme: str | None) -> Tokenizer:
    """`None`: LlamaTokenizer's older form, in which normalisers put the blank in front."""
    tok = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    if scheme:
        tok.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=False)
    else:
        tok.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    train(tok, ["▁"], ["<unk>"] + [f"<0x{b:02X}>" for b in range(256)])
    return tok


def unigram(steps: list, words: list) -> Tokenizer:
    """The forms that SentencePiece's unigram models have on the hub: XLM-R's and T5's, and later ones."""
    proto = gold_rerank_xlmr.vocabulary()
    pieces = [(piece, score) for piece, score, _ in gold_unigram.vocabulary(proto, len(proto.pieces))]
    tok = Tokenizer(models.Unigram(pieces, unk_id=3, byte_fallback=False))
    table = normalizers.Precompiled(proto.normalizer_spec.precompiled_charsmap)
    tok.normalizer = normalizers.Sequence([table, *steps])
    tok.pre_tokenizer = pre_tokenizers.Sequence([*words, pre_tokenizers.Metaspace(prepend_scheme="always")])
    return tok


def train(tok: Tokenizer, alphabet: list[str], first: list[str] = []):
    trainer = trainers.BpeTrainer(vocab_size=380, initial_alphabet=alphabet, special_tokens=first, show_progress=False)
    words = tok.pre_tokenizer
    if first:
        # As SentencePiece: merges do not cross the beginning of a word.
        tok.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=True)
    tok.train_from_iterator(texts.TRAINING.split("\n"), trainer)
    if first:
        tok.pre_tokenizer = words if words else pre_tokenizers.Sequence([])


def added(content: str, special: bool = True, **options) -> AddedToken:
    return AddedToken(content, special=special, normalized=options.pop("normalized", not special), **options)


def variants() -> dict[str, Tokenizer]:
    plain = [added(text) for text in SPECIAL]
    out = {
        "bytelevel_strip": (byte_level(), [
            added(SPECIAL[0]), added(SPECIAL[1], rstrip=True), added("<mask>", lstrip=True), added("<sep>", special=False, lstrip=True, rstrip=True)]),
        "bytelevel_single_word": (byte_level(), [*plain, added("foo", special=False, single_word=True), added("<mask>", single_word=True)]),
        "bytelevel_normalized": (byte_level(normalizers.NFC()), [*plain, added("caf\u00e9", special=False), added("foo", special=False)]),
    }
    for scheme in ("first", "always", "never", None):
        out[f"metaspace_{scheme or 'normalizer'}"] = (metaspace(scheme), plain)
    runs = normalizers.Replace(Regex(" {2,}"), "\u2581")
    out["unigram_words"] = (unigram([], [pre_tokenizers.WhitespaceSplit()]), plain)
    out["unigram_runs"] = (unigram([runs], []), plain)
    out["unigram_runs_stripped"] = (unigram([normalizers.Strip(left=False, right=True), runs], []), plain)
    for tok, tokens in out.values():
        tok.add_tokens(tokens)
    return {name: tok for name, (tok, _) in out.items()}


def make(out: Path):
    made = []
    for name, tok in variants().items():
        file = json.loads(tok.to_str())
        if file.get("pre_tokenizer") == {"type": "Sequence", "pretokenizers": []}:
            file["pre_tokenizer"] = None
        # The trainer makes added tokens of them; in SentencePiece's vocabularies they are ordinary ones.
        file["added_tokens"] = [token for token in file["added_tokens"] if not token["content"].startswith("<0x")]
        again = Tokenizer.from_str(json.dumps(file))
        made.append({"name": name, "tokenizer": file, "ids": [again.encode(text, add_special_tokens=False).ids for text in TEXTS]})
    jsonio.write(out / "tokenizer_options.json", {
        "about": "tokenizer.json with options that few files use; ids: of each text, special tokens parsed, none added",
        "texts": TEXTS,
        "variants": made,
    })
