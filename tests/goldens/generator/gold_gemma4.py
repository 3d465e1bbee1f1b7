"""tokenizer_gemma4.gguf, .json: BPE by merge rank over characters, as Gemma 4's tokenizer.json has it, whose tokens have several
derivations each."""

import json
from collections import Counter
from pathlib import Path

import jsonio
import spm_models
import texts
from gguf import TokenType
from gold_tokenizers import case
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

SPECIAL = ["<pad>", "<eos>", "<bos>", "<unk>", "<|turn>", "<turn|>"]
BYTES = [f"<0x{b:02X}>" for b in range(256)]
N_VOCAB = 700
N_CHARACTERS = 70
LINES = ["a\nb", "a\n\nb", "x\n\n\ny", "\n\n\n\n", "\n\n\n\n\n\n\nz", " \n\n \n", "the\n the\n\nthe"]


def trained() -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Vocabulary and merges as trained: one derivation of each token."""
    tok = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    tok.normalizer = normalizers.Replace(" ", "\u2581")
    # Words begin with blanks, as in SentencePiece's training, and runs of line ends are words.
    tok.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(r"\n+"), "isolated"), pre_tokenizers.Split(Regex("\u2581*[^\u2581]*"), "isolated")])
    # The trainer's own limit cuts characters of one count at random.
    counts = Counter(texts.TRAINING).most_common()
    common = {char for char, _ in sorted(counts, key=lambda item: (-item[1], item[0]))[:N_CHARACTERS]}
    training = "".join(char for char in texts.TRAINING if char in common)
    lines = [training.replace("\n", "\n" * n) for n in (1, 2, 3)]
    tok.train_from_iterator([*lines, " " * 8, "  x"], trainers.BpeTrainer(
        vocab_size=N_VOCAB, special_tokens=SPECIAL + BYTES, show_progress=False))
    model = json.loads(tok.to_str())["model"]
    return model["vocab"], [tuple(pair) for pair in model["merges"]]


def merges() -> tuple[dict[str, int], list[tuple[str, str]]]:
    """The other derivations too, spread among the first ones by a rule that depends on nothing."""
    vocab, first = trained()
    every = [(text[:i], text[i:]) for text in vocab for i in range(1, len(text))]
    others = [pair for pair in every if pair not in set(first) and all(part in vocab for part in pair)]
    spread = [(rank * 3, pair) for rank, pair in enumerate(first)]
    spread += [((i * 7919) % (2 * len(first)), pair) for i, pair in enumerate(others)]
    return vocab, [pair for _, pair in sorted(spread)]


def make(out: Path):
    vocab, pairs = merges()
    plain = models.BPE(vocab=vocab, merges=pairs, byte_fallback=True, unk_token="<unk>", fuse_unk=True)
    tok = Tokenizer(plain)
    tok.normalizer = normalizers.Replace(" ", "\u2581")
    tok.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tok.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()])
    cases = []
    for text in texts.NASTY + texts.SPM + LINES:
        ids = tok.encode(text).ids
        cases.append(case(text, ids, tok.decode(ids, skip_special_tokens=False)))
    tok.add_special_tokens(SPECIAL)

    tokens = sorted(vocab, key=vocab.get)
    kind = lambda t: TokenType.CONTROL if t in SPECIAL else TokenType.BYTE if t in BYTES else TokenType.NORMAL
    spm_models.write(out / "tokenizer_gemma4.gguf", "gemma4", "gemma4", [(t, -1000.0, kind(t)) for t in tokens], {
        "token_merges": [" ".join(pair) for pair in pairs], "bos_token_id": vocab["<bos>"], "eos_token_id": vocab["<eos>"],
        "unk_token_id": vocab["<unk>"], "pad_token_id": vocab["<pad>"], "add_bos_token": False, "add_space_prefix": False})
    jsonio.write(out / "tokenizer_gemma4.json", {
        "about": "ids: Hugging Face's tokenizers, no BOS, special tokens not parsed. decoded: only where it differs from text. "
                 "tokenizer: the same as tokenizer.json, which parses special tokens",
        "gguf": "tokenizer_gemma4.gguf", "n_vocab": len(tokens), "cases": cases, "tokenizer": json.loads(tok.to_str()),
    })
