//! The patterns of pre-tokenisers.
//!
//! They are facts of each model family, from the `pre_tokenizer` of its `tokenizer.json` on Hugging Face; the names are
//! those that llama.cpp's converter writes to `tokenizer.ggml.pre` (`convert_hf_to_gguf_update.py`,
//! `src/llama-vocab.cpp`). Where llama.cpp's rule differs from the model's own (falcon3, gigachat), this is the model's.

/// Pre-tokeniser that a name in `tokenizer.ggml.pre` denotes.
pub(super) struct Family {
    pub(super) names: &'static [&'static str],
    /// Applied one after the other; the text between matches is a piece too.
    pub(super) splits: &'static [&'static str],
    /// Applied to the words after their bytes are spelled as characters.
    pub(super) mapped_splits: &'static [&'static str],
    /// Text is normalised to Unicode form C first.
    pub(super) nfc: bool,
    /// A word that is in the vocabulary is one token, regardless of the merges.
    pub(super) ignore_merges: bool,
    /// Default of `tokenizer.ggml.add_bos_token`.
    pub(super) add_bos: bool,
}

const fn family(names: &'static [&'static str], splits: &'static [&'static str]) -> Family {
    Family {
        names,
        splits,
        mapped_splits: &[],
        nfc: false,
        ignore_merges: false,
        add_bos: false,
    }
}

impl Family {
    const fn nfc(self) -> Self {
        Family { nfc: true, ..self }
    }

    const fn whole_words(self) -> Self {
        Family {
            ignore_merges: true,
            ..self
        }
    }

    const fn mapped(self, mapped_splits: &'static [&'static str]) -> Self {
        Family {
            mapped_splits,
            ..self
        }
    }

    const fn bos(self) -> Self {
        Family {
            add_bos: true,
            ..self
        }
    }
}

const DIGIT: &str = r"\p{N}";
const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN35: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const TEKKEN: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const GPT4O: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const YOUTU: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const SEED_CODER: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+";
const DEEPSEEK3: &str = r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"##;

const BLOOM: &str = r" ?[^(\s|[.,!?…。，、।۔،])]+";

pub(super) const FAMILIES: &[Family] = &[
    // Converters write "default" for a pre-tokeniser that they do not know; GPT-2's is the common root.
    family(
        &[
            "default",
            "gpt-2",
            "gpt2",
            "phi-2",
            "jais",
            "roberta-bpe",
            "jina-v2-es",
            "jina-v2-de",
            "jina-v2-code",
            "a.x-4.0",
            "mellum",
            "exaone4",
            "trillion",
            "granite-docling",
        ],
        &[GPT2],
    ),
    family(&["olmo", "mpt", "modern-bert"], &[GPT2]).nfc(),
    family(
        &[
            "smollm",
            "starcoder",
            "refact",
            "codeshell",
            "mellum2",
            "exaone",
            "minerva-7b",
        ],
        &[DIGIT, GPT2],
    ),
    family(&["command-r"], &[DIGIT, GPT2]).nfc(),
    family(
        &[
            "llama-bpe",
            "llama3",
            "llama-v3",
            "falcon-h1",
            "pixtral",
            "midm-2.0",
            "lfm2",
            "jina-v5-nano",
        ],
        &[LLAMA3],
    )
    .whole_words()
    .bos(),
    family(&["dbrx", "smaug-bpe", "chatglm-bpe"], &[LLAMA3]),
    family(&["glm4", "glm5"], &[LLAMA3]).whole_words(),
    family(&["qwen2"], &[QWEN2]).nfc(),
    family(
        &[
            "deepseek-r1-qwen",
            "stablelm2",
            "megrez",
            "hunyuan",
            "kormo",
            "grok-2",
            "f2llmv2",
            "solar-open",
        ],
        &[QWEN2],
    ),
    family(&["qwen35"], &[QWEN35]).nfc(),
    family(&["tekken"], &[TEKKEN]).whole_words().bos(),
    family(&["gpt-4o", "llama4", "minimax-m2", "kanana2", "gigachat", "talkie"], &[GPT4O]),
    family(&["granite-embed-multi-97m"], &[GPT4O]).whole_words(),
    family(&["seed-coder"], &[SEED_CODER]),
    // Scripts of the East and their punctuation apart, then GPT-4o's words with single digits.
    family(&["youtu"], &["[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|[一-龥぀-ゟ゠-ヿ]+", YOUTU]).whole_words(),
    family(
        &["deepseek-coder"],
        &[
            r"[\r\n]",
            r"\s?\p{L}+",
            r"\s?\p{P}+",
            "[一-龥ࠀ-一가-퟿]+",
            DIGIT,
        ],
    ),
    family(
        &["deepseek-v3", "hunyuan-dense", "joyai-llm", "hy_v4"],
        &[r"\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+", DEEPSEEK3],
    ),
    // Falcon looks for digits after the byte-level step, where "²" can be half of another character.
    family(&["falcon"], &[r"[\p{P}$+<=>^~|`]+", GPT2]).mapped(&[r"\p{N}+", "[0-9][0-9][0-9]"]),
    // Single digits, cut after the byte-level step as in Falcon.
    family(&["falcon3"], &[r"[\p{P}$+<=>^~|`]+", GPT2]).mapped(&[DIGIT]),
    family(&["deepseek-llm"], &[r"[\r\n]", r"\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-ώᾀ-ᾴᾶ-ᾼιῂ-ῄῆ-ῌῐ-ΐῖ-Ίῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+", r"\s?[!-/:-~！-／：-～‘-‟\u{3000}-。]+", r"\s+$", r"[一-龥ࠀ-一가-\u{d7ff}]+", DIGIT]),
    family(&["spark2_5"], &[r"\p{N}{1,3}", r"[一-龥぀-ゟ゠-ヿ]+", r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+|[\r\n]|\s+(?!\S)|\s+"##, DIGIT]),
    family(&["poro-chat", "bloom", "gpt3-finnish"], &[BLOOM]),
    family(&["viking"], &[BLOOM, DIGIT]),
    family(&["superbpe"], &[r"\p{N}+", r"(?=(\d{3})+(?!\d))"]),
    family(&["bailingmoe", "bailingmoe2", "llada-moe"], &[r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"]),
    family(&["minicpm5"], &[r"\p{N}{1,3}", r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}+| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"]).whole_words(),
    family(&["exaone-moe"], &[r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+"]),
    family(&["jais-2"], &[r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s{512}(?!\S)|\s{256}(?!\S)|\s{128}(?!\S)|\s{64}(?!\S)|\s{32}(?!\S)|\s{16}(?!\S)|\s{8}(?!\S)|\s{4}(?!\S)|\s{1,2}(?!\S)|\s{1}"]),
    // (\b, with that library's word characters: all numbers)
    family(&["tiny_aya", "cohere2moe"], &[r"\d{1,3}(?=(?:\d{3})*(?![\p{L}\p{M}\p{N}\p{Pc}]))", GPT4O]),
    family(&["kimi-k2"], &[r"[\p{Han}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"]),
    family(&["ufakzeka"], &[r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"]),
];
