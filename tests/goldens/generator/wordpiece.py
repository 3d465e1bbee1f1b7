"""A tiny WordPiece vocabulary, as a Hugging Face tokenizer and as llama.cpp's converter writes it to a GGUF file."""

import texts
from gguf import GGUFWriter, TokenType
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

N_VOCAB = 400
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
# WordPiece's own limit; a longer word is one [UNK]. No key of a GGUF file holds it.
MAX_WORD = 100


def normalizer(lowercase=True, strip_accents=None) -> normalizers.Normalizer:
    """BERT's: `strip_accents` None means as `lowercase`."""
    return normalizers.BertNormalizer(
        clean_text=True, handle_chinese_chars=True, strip_accents=strip_accents, lowercase=lowercase)


def tokenizer(vocab: list[str], lowercase=True, strip_accents=None) -> Tokenizer:
    ids = {token: i for i, token in enumerate(vocab)}
    tok = Tokenizer(models.WordPiece(vocab=ids, unk_token="[UNK]", max_input_chars_per_word=MAX_WORD))
    tok.normalizer = normalizer(lowercase, strip_accents)
    tok.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tok.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(t, ids[t]) for t in ("[CLS]", "[SEP]")])
    tok.decoder = decoders.WordPiece(prefix="##", cleanup=True)
    tok.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in SPECIAL])
    assert tok.get_vocab_size(with_added_tokens=True) == len(vocab)
    return tok


def train() -> list[str]:
    tok = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tok.normalizer = normalizer()
    tok.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    words = [w for w, _ in tok.pre_tokenizer.pre_tokenize_str(tok.normalizer.normalize_str(texts.TRAINING))]
    # The trainer gives inner characters their ids in the order of a hash table, another one in each run, unless they are
    # in its table from the start.
    inner = sorted({"##" + c for word in words for c in word[1:]})
    trainer = trainers.WordPieceTrainer(
        vocab_size=N_VOCAB, min_frequency=1, limit_alphabet=1000, special_tokens=SPECIAL + inner, show_progress=False)
    tok.train_from_iterator([texts.TRAINING], trainer)
    vocab = tok.get_vocab()
    tokens = sorted(vocab, key=vocab.get)
    assert len(tokens) == N_VOCAB and tokens[: len(SPECIAL)] == SPECIAL
    return tokens


def phantom(token: str) -> str:
    """How the file spells a token: what begins a word has U+2581 in front, what continues one has nothing."""
    if token in SPECIAL:
        return token
    return token[2:] if token.startswith("##") else "\u2581" + token


def add_to(w: GGUFWriter, vocab: list[str], n_vocab: int, old: bool):
    """The tokenizer's keys, for a model with room for `n_vocab` tokens.

    `old` as in files from before 2025: the beginning and the end are only known as CLS and SEP, and nothing is said of
    upper case and accents.
    """
    padding = [f"[PAD{i}]" for i in range(len(vocab), n_vocab)]
    types = [TokenType.CONTROL if t in SPECIAL else TokenType.NORMAL for t in vocab]
    w.add_token_type_count(2)
    w.add_tokenizer_model("bert")
    w.add_tokenizer_pre("bert-bge" if old else "jina-v2-en")
    w.add_token_list([phantom(t) for t in vocab + padding])
    w.add_token_types(types + [TokenType.UNUSED] * len(padding))
    pad, unk, cls, sep, mask = range(len(SPECIAL))
    if not old:
        w.add_bos_token_id(cls)
        w.add_eos_token_id(sep)
    w.add_unk_token_id(unk)
    w.add_sep_token_id(sep)
    w.add_pad_token_id(pad)
    if old:
        w.add_uint32("tokenizer.ggml.cls_token_id", cls)
    w.add_mask_token_id(mask)
    if not old:
        w.add_add_bos_token(True)
        w.add_add_eos_token(True)
        w.add_add_sep_token(False)
        w.add_bool("tokenizer.ggml.normalizer.lowercase", True)
