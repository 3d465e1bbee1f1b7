"""What `tokenizer.ggml.pre` stands for: each family's normalizer and pre-tokenizer, as its tokenizer.json has them.

Facts of the models, not of llama.cpp, which knows some names by other rules; README.md says where.
"""

from typing import NamedTuple

from tokenizers import Regex, normalizers
from tokenizers import pre_tokenizers as pre


class Spec(NamedTuple):
    names: tuple[str, ...]
    steps: list
    nfc: bool = False
    # Names that cut alike; whether their models normalise was not looked up.
    also: tuple[str, ...] = ()

    def normalizer(self):
        return normalizers.NFC() if self.nfc else None

    def pre_tokenizer(self):
        return pre.Sequence(self.steps)


def split(pattern: str, behavior="isolated"):
    return pre.Split(Regex(pattern), behavior=behavior)


DIGITS = pre.Digits(individual_digits=True)
# Spell bytes as characters: the latter cuts by GPT-2's pattern first.
SPELL = pre.ByteLevel(add_prefix_space=False, use_regex=False)
GPT2 = pre.ByteLevel(add_prefix_space=False, use_regex=True)

SUFFIX = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
WORD = r"[^\r\n\p{L}\p{N}]?\p{L}+"
REST = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
REST_SLASH = REST.replace(r"[\r\n]*", r"[\r\n/]*")


def cl100k(digits: str) -> str:
    """GPT-4's pattern; families differ in the digits."""
    return f"{SUFFIX}|{WORD}|{digits}|{REST}"


def cased(suffix: str, but="") -> str:
    """A run of upper case and then lower case is a word."""
    upper = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}" + but + "]"
    lower = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}" + but + "]"
    runs = (f"{upper}*{lower}+", f"{upper}+{lower}*")
    return "|".join(r"[^\r\n\p{L}\p{N}]?" + run + suffix for run in runs)


O200K = cased(SUFFIX + "?") + r"|\p{N}{1,3}|" + REST_SLASH
NOT_HAN = r"&&[^\p{Han}]"
KANA_HAN = "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"
V3_WORD = r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"""
# Latin, Greek, Cyrillic and their likes, as DeepSeek lists them.
ALPHABETS = (
    "A-Za-z\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u01ba\u01bc-\u01bf\u01c4-\u0293\u0295-\u02af\u0370-\u0373\u0376"
    "\u0377\u037b-\u037d\u037f\u0386\u0388-\u038a\u038c\u038e-\u03a1\u03a3-\u03f5\u03f7-\u0481\u048a-\u052f\u0531-"
    "\u0556\u10a0-\u10c5\u13a0-\u13f5\u13f8-\u13fd\u1c90-\u1cba\u1cbd-\u1cbf\u1d00-\u1d2b\u1d6b-\u1d77\u1d79-\u1d9a"
    "\u1e00-\u1f15\u1f18-\u1f1d\u1f20-\u1f45\u1f48-\u1f4d\u1f50-\u1f57\u1f59\u1f5b\u1f5d\u1f5f-\u1f7d\u1f80-\u1fb4"
    "\u1fb6-\u1fbc\u1fbe\u1fc2-\u1fc4\u1fc6-\u1fcc\u1fd0-\u1fd3\u1fd6-\u1fdb\u1fe0-\u1fec\u1ff2-\u1ff4\u1ff6-\u1ffc"
    "\u2102\u2107\u210a-\u2113\u2115\u2119-\u211d\u2124\u2126\u2128\u212a-\u212d\u212f-\u2134\u2139\u213c-\u213f"
    "\u2145-\u2149\u214e\u2183\u2184\u2c00-\u2c7b\u2c7e-\u2ce4\u2ceb-\u2cee\u2cf2\u2cf3\ua640-\ua66d\ua680-\ua69b"
    "\ua722-\ua76f\ua771-\ua787\ua78b-\ua78e\uab70-\uabbf\ufb00-\ufb06\ufb13-\ufb17\uff21-\uff3a\uff41-\uff5a"
    "\U00010400-\U0001044f\U000104b0-\U000104d3\U000104d8-\U000104fb\U00010c80-\U00010cb2\U00010cc0-\U00010cf2"
    "\U000118a0-\U000118df\U0001e900-\U0001e943"
)
CJK = "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+"
MARKS = "\\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+"
# Hangul, punctuation of the East, Bopomofo, and Han with kana.
YOUTU_EAST = (
    "[\uac00-\ud7a3\u3131-\u318e]+|[\uff01\u2026\u201c\u201d\u2018\u2019\u2014\uff1a\uff1b\uff0c\u3001-\u303f\ufe30-\ufe4f]+"
    "|[\u3105-\u312f]+|" + KANA_HAN
)
BLOOM = " ?[^(\\s|[.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c])]+"
BLANKS = "|".join(rf"\s{{{2**i}}}(?!\S)" for i in range(9, 1, -1)) + r"|\s{1,2}(?!\S)|\s{1}"

SPECS = [
    Spec(("gpt-2",), [GPT2], also=("phi-2", "roberta-bpe", "jina-v2-es", "jina-v2-de", "jina-v2-code", "a.x-4.0", "mellum",
                                   "exaone4", "trillion", "granite-docling")),
    Spec(("olmo", "mpt"), [GPT2], nfc=True, also=("modern-bert",)),
    Spec(("smollm", "starcoder", "refact"), [DIGITS, GPT2], also=("codeshell", "mellum2")),
    Spec(("command-r",), [DIGITS, GPT2], nfc=True),
    Spec(("llama-bpe", "smaug-bpe", "dbrx"), [split(cl100k(r"\p{N}{1,3}")), SPELL],
         also=("llama3", "llama-v3", "pixtral", "midm-2.0", "lfm2", "jina-v5-nano", "chatglm-bpe", "glm4")),
    Spec(("qwen2",), [split(cl100k(r"\p{N}")), SPELL], nfc=True,
         also=("deepseek-r1-qwen", "stablelm2", "megrez", "hunyuan", "kormo", "f2llmv2", "grok-2", "solar-open")),
    Spec(("qwen35",), [split(rf"{SUFFIX}|[^\r\n\p{{L}}\p{{N}}]?[\p{{L}}\p{{M}}]+|\p{{N}}|" + REST.replace(
        r"\p{L}\p{N}", r"\p{L}\p{M}\p{N}")), SPELL], nfc=True),
    Spec(("tekken",), [split(cased("") + r"|\p{N}|" + REST_SLASH), SPELL]),
    Spec(("gpt-4o",), [split(O200K), SPELL],
         also=("llama4", "kanana2", "minimax-m2", "talkie", "gigachat", "granite-embed-multi-97m")),
    Spec(("seed-coder",), [split(rf"{SUFFIX}|{WORD}|\p{{N}}{{1}}| ?[^\s\p{{L}}\p{{N}}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+"), SPELL]),
    Spec(("youtu",), [split(YOUTU_EAST), split(O200K.replace(r"\p{N}{1,3}", r"\p{N}")), SPELL]),
    Spec(("deepseek-llm",), [split("[\r\n]"), split(rf"\s?[{ALPHABETS}]+"), split(MARKS), split(r"\s+$"),
                             split(CJK), DIGITS, SPELL]),
    Spec(("deepseek-coder",), [split("[\r\n]"), split(r"\s?\p{L}+"), split(r"\s?\p{P}+"), split(CJK), DIGITS, SPELL]),
    Spec(("deepseek-v3",), [split(r"\p{N}{1,3}"), split(KANA_HAN), split(
        V3_WORD + r"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"), SPELL], also=("hunyuan-dense", "joyai-llm", "hy_v4")),
    Spec(("spark2_5",), [split(r"\p{N}{1,3}"), split(KANA_HAN), split(
        V3_WORD + r"| ?[\p{P}\p{S}]+|[\r\n]|\s+(?!\S)|\s+"), DIGITS, SPELL]),
    # Behind the byte-level step "²" and "½" may be halves of other characters, and are numbers all the same.
    Spec(("falcon",), [pre.Punctuation("contiguous"), GPT2, pre.Digits(individual_digits=False), split("[0-9][0-9][0-9]")]),
    Spec(("falcon3",), [pre.Punctuation("contiguous"), GPT2, DIGITS]),
    Spec(("poro-chat",), [split(BLOOM), SPELL], also=("bloom", "gpt3-finnish")),
    Spec(("viking",), [split(BLOOM), DIGITS, SPELL]),
    Spec(("superbpe",), [pre.Digits(individual_digits=False), split(r"(?=(\d{3})+(?!\d))"), SPELL]),
    Spec(("bailingmoe",), [split(r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]"
                                 r"|\s+(?!\S)|\s+"), SPELL], also=("bailingmoe2", "llada-moe")),
    Spec(("minicpm5",), [split(r"\p{N}{1,3}"), split(cl100k(r"\p{N}+")), SPELL]),
    Spec(("exaone-moe",), [split(rf"{SUFFIX}|[^\r\n\p{{L}}\p{{N}}]?(?:\p{{L}}\p{{M}}*(?: \p{{L}}\p{{M}}*)*)+|\p{{N}}"
                                 r"| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+"), SPELL]),
    Spec(("jais-2",), [split(cl100k(r"\p{N}{1,3}").removesuffix(r"\s+(?!\S)|\s+") + BLANKS), SPELL]),
    Spec(("tiny_aya",), [split(r"\d{1,3}(?=(?:\d{3})*\b)"), split(O200K), SPELL], also=("cohere2moe",)),
    Spec(("laguna",), [split(r"(?:\r?\n)+(?!\r?\n)", "merged_with_next"), split(cl100k(r"\p{N}")), SPELL]),
    Spec(("kimi-k2",), [split(rf"[\p{{Han}}]+|{cased(SUFFIX + '?', NOT_HAN)}|\p{{N}}{{1,3}}|{REST}"), SPELL]),
    Spec(("ufakzeka",), [split(rf"{WORD}|\p{{N}}|{REST}"), SPELL]),
]


def find(name: str) -> Spec:
    return next(spec for spec in SPECS if name in spec.names + spec.also)
