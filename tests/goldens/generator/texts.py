"""The texts every golden is made from: nothing here is read from outside this file."""

# Strings that break tokenisers. Kept short: one idea per string.
NASTY = [
    "", " ", "  ", "   ", "\n", "\n\n", "\n\n\n", "\t", "\t\t", "\r", "\r\n", "\r\n\r\n", " \n", "\n ", " \n \n ",
    "a", " a", "a ", " a ", "  a", "   a", "a  b", "a   b", "a \n b", "a\tb", "a\t\tb", "a \t b", "\ta", "\t a",
    "end with spaces   ", "end with newline\n", "end with newlines\n\n", "   \n\n   x",
    "Hello world", "Hello, world!", "hello WORLD HeLLo", "The quick brown fox jumps over the lazy dog.",
    "I'm you're he'd we'll they've it's DON'T I'M WE'LL 'tis 'S 's", "can’t won’t it’s", "'''", "a'b'c", "'s", " 's",
    "0", "7", "12", "123", "1234", "1234567890", "0000000000", " 1", "  1", "   12", "\n1", "3.14159", "-273.15",
    "1,000,000.00", "1e-10", "0x7fff_ffff", "192.168.0.1:8080", "2024-02-29T23:59:59Z", "a1b2c3", "x86_64", "v1.2.3",
    "１２３", "٠١٢٣٤٥", "१२३", "²³¹", "½ ¼ ¾", "Ⅷ ⅷ", "①②③", "  ½", "x²+y²", "三百二十一",
    "<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|im_start|>user\nhi<|im_end|>\n", "x<|im_end|>y", " <|im_end|> ",
    "<|im_end|", "|im_end|>", "<|im_end |>", "<|IM_END|>", "<|im_end|><|im_end|>", "<|<|im_end|>|>", "<repo_name>",
    "<filename>", "<issue_start>", "<jupyter_code>", "<empty_output>", "<s>", "</s>", "<unk>", "<0x0A>", "[INST] x [/INST]",
    "Ġ", "Ġhello", "Ċ", "ĠĠ", "▁", "▁hello", "▁▁", "Ā",
    "é", "e\u0301", "ñ vs n\u0303", "Å Å Å", "Z̵̛͕a̷͎͝l̸͉̈g̶̳͠o̵̧͝", "ﬁ ﬂ ﬀ", "ǅ ß ẞ İ ı", "naïve café résumé coöperate",
    "Привет, мир! Как дела?", "Καλημέρα κόσμε", "שלום עולם", "مرحبا بالعالم", "السَّلَامُ عَلَيْكُمْ", "abc שלום 123 مرحبا",
    "\u202eright to left\u202c", "नमस्ते दुनिया", "สวัสดีชาวโลก", "ខ្មែរ", "தமிழ்", "ქართული", "Tiếng Việt có dấu",
    "你好，世界！", "中文没有空格所以很难分词", "こんにちは、世界。カタカナ", "안녕하세요 세계", "漢字 と 한글 and latin", "𠀀𠮷 rare", "𝓗𝓮𝓵𝓵𝓸",
    "😀", "😀😃😄", "👩‍👩‍👧‍👦", "👨🏽‍💻 writes", "🏳️‍🌈🏴‍☠️", "🇩🇪🇫🇷", "❤️ ❤", "1️⃣2️⃣", "hi 👋🏿!", "🫠🪿",
    "\x00", "a\x00b", "\x01\x02\x03", "\x07\x08\x0b\x0c", "\x1b[31mred\x1b[0m", "\x7f", "\x80\x9f", "\u00a0", "a\u00a0b",
    "\u00ad", "\u200b", "a\u200bb", "\u2028\u2029", "\u3000全角", "\ufeffBOM", "\ufffd", "\uffff", "\U0010ffff", "\ue000",
    "a\x04b", "\x06\x13\x14\x16", "\U00040000 x",
    "\u2003em\u2003space", "\x85next", "\x1c\x1d\x1e\x1f", " \u00a0 ",
    "fn main() {\n    println!(\"{}\", 1 + 2);\n}\n", "def f(x):\n\treturn x ** 2  # square\n\n\nprint(f(3))\n",
    "for (int i=0;i<10;++i){a[i]+=b[i]&0xFF;}", "const f = async (x) => `${x ?? 'none'}`;", "SELECT * FROM t WHERE a<>'b' -- c",
    "<div class=\"a b\">&nbsp;<br/></div>", "#include <stdio.h>\r\nint main(){return 0;}\r\n", "{\"k\": [1, 2.5, null, true]}",
    "$\\frac{a}{b} \\leq \\sqrt{x^2}$", "a->b::c<d>(*e)&&!f||g", "if x:\n        y\n    else:\n  z", "~/.bashrc && ls -la | grep '^d'",
    "https://example.com/a/b?c=d&e=%20f#g", "user.name+tag@example.co.uk", "C:\\Users\\x\\file.txt",
    "!!!", "???!!!...", "---", "=====", "_____", "....", "“quotes” ‘single’ „low“ «fr»", "— – ‑ - −", "€ £ ¥ ₹ ₿ ¢", "…", "™©®",
    "CamelCaseIdentifierWithManyParts", "snake_case_identifier_with_many_parts", "SCREAMING", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
    "pneumonoultramicroscopicsilicovolcanoconiosis" * 8, "ab" * 200, " " * 100, "\n" * 40, "7" * 70, "=" * 90, "é" * 60, "😀" * 20,
    "  leading and   inner    runs     of      spaces", "line one\n  line two\n\tline three\r\nline four\n\n\n  ",
    "The 3 musketeers & 2 dogs ran 10km in 1h30m, i.e. 6.67km/h!", "Tokens: <|im_end|> or </s>? It's 50/50 :-)",
]

# More than 256 SmolLM2 tokens of plain English and a little code, for the teacher-forced run.
PROSE = """The lighthouse at Orrin Point was built in 1848, when the harbour still sent forty ships a year to the north. \
Its keeper, a quiet woman named Agnes Hale, wrote down the weather every evening in a thin blue notebook. She noted the \
wind, the height of the waves, the colour of the sky, and the number of gulls that slept on the rail. Nobody had asked \
her to do this. When people from the town wondered why she bothered, she said that a thing which is written down cannot \
be lost in the fog.

One winter the lamp failed. The oil had frozen in its pipe, and the storm was already close enough to hear. Agnes carried \
coals up the stairs in a bucket, one hundred and twelve steps, and held them under the pipe until the oil began to run. \
Then she lit the lamp and sat beside it until morning, because she did not trust it.

In the spring a young engineer arrived with a box of tools and a new kind of burner. He explained that the flow of oil \
depends on its temperature, and that a small loop of copper, warmed by the flame itself, would keep the pipe from \
freezing again. He drew the idea on the last page of her notebook:

def flow(temperature):
    if temperature < 5:
        return 0
    return 2 * (temperature - 5)

Agnes looked at it for a long time. "It is a good drawing," she said, "but you forgot the wind."
"""

# Goes on where PROSE ends; only SmolLM2 reads it.
MORE_PROSE = """
He turned the sheet over and drew the bay again, this time with the wind: long arrows out of the south-west, short ones \
where the cliff broke it. "How fast is it here?" he asked, with the pencil on the ledge below the lamp room.

"Ask the cups," said Agnes. They went up together. The anemometer stood on the rail, four brass cups on a cross, and a \
counter that moved on by one for every hundred turns. In 1911 somebody had scratched a rule into the paint beside it: \
*turns in a minute, less three, times two, is knots.* They counted 14 in a minute, so it blew at 22 knots, a fresh breeze, \
number five on the Beaufort scale.

The boy wrote it down. Then he wrote a list, because lists pleased him:

1. The sea is warmer than the air in October.
2. Warm air rises, so the wind comes in from the water by day.
3. At night it is the other way round, unless it rains.
4. Gulls know this; they leave the harbour at 6:40 and are back before dark.

"Number three is wrong," said Agnes, but she did not cross it out. "Or it is right on most nights, which is what people mean \
when they say that something is right." Outside the light came round, as it did every 7.5 seconds, and for a moment the \
whole room, the brass, the paper and the two faces above it, was as white as salt.
"""

# What the tiny tokenisers are trained on (with PROSE).
TRAINING = PROSE + """
A small fire keeps a whole house warm. The hearth is where people sit, read, cook and tell each other what happened.
User: What is the capital of France?
Assistant: The capital of France is Paris. It lies on the river Seine.
User: Write a function that adds two numbers.
Assistant: Here is one:
fn add(a: i32, b: i32) -> i32 {
    a + b
}
User: Thank you! How do I call it?
Assistant: You call it with add(1, 2), and it returns 3.
The numbers 0 1 2 3 4 5 6 7 8 9 10 20 30 100 1000 and 2024 are all integers; 3.14 and 2.72 are not.
Prices: 12.50 EUR, 7,99 kg, 50% off, #1 choice, a_b-c/d\\e, (x), [y], {z}, <w>, "q", 'r', `s`, x=1; y=2: z!
Les enfants jouent près de la rivière, où l'eau est très claire. Élève, garçon, naïve, cœur.
Der schnelle braune Fuchs springt über den faulen Hund. Größe, Straße, Übermut, schön.
Привет, мир. Как дела? Всё хорошо, спасибо. Мир, дом, огонь, вода.
你好，世界。今天天气很好。我们在家里看书。世界很大，家很小。
こんにちは、世界。今日はとても寒いです。家の中は暖かい。
"""

LONG_TINY = """The engineer arrived with 3 lamps: "The flow of oil depends on its temperature."
    def flow(t):
        return 2 * (t - 5)
Größe, naïve, 世界 😀."""

# What is embedded. The last but one is longer than the tiny BERTs' contexts.
EMBED = [
    "", "Hello, world!", "hello world",
    "A small fire keeps a whole house warm.", "The hearth is where people sit, read and cook.",
    "Instruct: Given a question, find what answers it\nQuery:What is the capital of France?",
    "  ÉLÈVE naïve,\tGRÖẞE & cœur…\n\n", "Привет, мир! 你好，世界。 こんにちは שלום 🔥",
    "[CLS] is not [MASK] </s> <|endoftext|>", "x = foo(a[1]) + 3.14e-5; // it's 50%",
    LONG_TINY + " " + PROSE[:400], "x" * 101 + " y",
]

# What the real MiniLM embeds: things that mean the same in other words, other languages, other lengths.
MINILM = [
    "", "Hello", "How do I reset my password?", "I forgot my login credentials, what should I do?",
    "A dog is playing in the garden.", "Ein Hund spielt im Garten.", "Un chien joue dans le jardin.", "犬が庭で遊んでいます。",
    "The stock market fell sharply on Tuesday, as investors feared another rise of interest rates.",
    "Café CRÈME brûlée — naïve façade; Ångström & İstanbul, Straße!", "[CLS] [SEP] [MASK] [PAD] [UNK] ##ing",
    "👩‍👩‍👧 🔥 ½ ① ﬁ €5 £6 ¥7 \u200b\u00ad\u0000 \ufffd", "def add(a, b):\n    return a + b  # x_1 != y2\n",
    "Привет, мир! Καλημέρα κόσμε. שלום עולם. مرحبا بالعالم. नमस्ते दुनिया. 안녕하세요 세계.",
    "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft " + "pneumono" * 13,
    PROSE[:900],
]

# Beside NASTY, for WordPiece: the word limit, pieces that spell the marks of pieces, characters that change their length.
WORDPIECE = [
    "x" * 100, "x" * 101, "é" * 100, "e\u0301" * 100, "e\u0301" * 51, "the" * 33 + "t", "the" * 34, "##ing ##the", "x▁the", "the▁",
    "▁ the", "theing ing thething", "ΟΔΥΣΣΕΥΣ Σ", "İSTANBUL ıŞık", "ﬁre ﬀ ẞ ǅ Ⅷ", "Ångström ÅÅ", "한글 각\u1100\u1161\u11a8", "ガ ガ か\u3099",
    "〇 一二 々 ㊀ ⺀ 豈 \u30a0 ｱ", "𠀀𪜀𫝀𫠠𬺰𰀀", "a$b^c`d|e~f<g>h=i+j", "€x £x ¢x ©x °x §x ¶x ·x ª º", "«¿¡x!?»…—", "a\u200db\u200cc\u2060d\ufe0fe",
    "\u0300\u0301 \u0302x", "a\u0488b\u20ddc\u0903d", "a\u1680b\u202fc\u205fd\u3000e", "a\x0bb\x0cc\x85d\u2028e\u2029f", "\ud7ff\ue000\ufdd0\u0378x",
    "U+1E9E ẞ ß SS", "[UNK] [unused0] [PAD]", "don't can't won't", "3.14 1,000 50% #1 @x", "Élève GARÇON cœur Größe Всё",
]

# Beside NASTY, for pre-tokenisers: suffixes, runs of digits of every length, line ends, scripts side by side.
PRE = [
    "I'M WE'LL THEY'Ve 'Re'd 'ſ it'ſ 'll'll''s", "don’T", "x's1's's", "HTTPServer's iPhone'S XMLHttpRequest2'll", "ǅungla ǆ Ǆ ʰx ªº",
    "1 12 123 1234 12345 123456 1234567 12345678 123456789 1234567890", "1234567,12345.678901", "v12345678b", "٠١٢٣ ١٢٣٤٥٦٧",
    "¼½¾ ²³ 1²2 Ⅷ2Ⅷ①1", "a/b//c/\n/\r\n/ d", "a:\n\nb :\n c;\r\n\r\n d", "\r\n\r\n\r\n", " \r\n \n\r", "x\r\ry", "a\n\n  b\n \n\n   c",
    "  \n  x", "\n  x", " \t x", "x \t\n\t y", "\u3000\u3000x\u3000", "漢字kanji漢字かなカナ한글ㄱㄴ", "中文，标点。「引用」…—", "日本語とEnglishと123と",
    "क्षत्रिय हिन्दी ภาษาไทย ខ្មែរ", "e\u0301le\u0301ve \u0301\u0301x y\u0301\u0302z", "!a #b $c %d _e ~f `g ^h |i", "—x …y «z» “q” ¡r", "+-*/=<>^~|`$ ++i--",
    "$5 €6 £7 ₿8", "😀a 😀1 a😀 1😀", "🇩🇪x👩‍💻y", "\ufe0f\u200dx", "a\u200bb\u00adc\ufeffd", "\x00a\x1fb\x7fc", "foo_bar__baz ___", "  '  \"  x", "(a)(b) [c] {d}",
    "the quick brown fox of the world", "ab cd ef, gh ij. kl", "🚀 (normal) 😶\u200d🌫️ (multiple emojis concatenated) ✅ 🦙🦙 3 33 333 3333 3.3 3..3 3...3",
    "ㄅㄆㄇabc 漢ㄅ漢 xㄆ1 ㄇ2", "好！x，y：z；w﹏v︰u〈a〉…b 、c〿 ﹏3",
]

# Beside NASTY, for SentencePiece: tags, runs of blanks beside words, what nmt_nfkc changes.
SPM = [
    "<b>bold</b> <b", "a<b>b", "<unused0>", "<start_of_turn>user\nHi<end_of_turn>\n", "x  y   z    w     v", "\n\n\n\n\n", " \n  \n   \n", "\t\tx\t y",
    "▁▁▁ x▁▁y", "  x  ", "x ▁ y", "ＡＢＣ１２３ｶﾞ", "ﬁ ﬂ ½ ² ™ ㎏ ℃ Ⅷ", "e\u0301 é \u1e9b\u0323", "a\u00a0b\u2003c\u3000d\u200be\u2028f\u0085g", "\x01\x08\x0ba\x0cb\x0e\x1f\x7fc",
    "a\u200cb\u200dc\u200ed\ufeffe\u2060f", "한글 \u1112\u1161\u11ab", "～ ﹏ … ‥ ﹕", "😀😀 a😀b", "\ufffd�", "the the  the", "Größe GRÖSSE", "¨ ´ ¸", "가\u11a8 각",
]
