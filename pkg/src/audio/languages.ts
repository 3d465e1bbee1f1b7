/** Whisper's languages: their codes and English names (openai/whisper, `tokenizer.py`). */

/** Codes and names in the order of the models' ids; the last one is known since large-v3. */
const TABLE =
  "en english zh chinese de german es spanish ru russian ko korean fr french ja japanese pt portuguese tr turkish " +
  "pl polish ca catalan nl dutch ar arabic sv swedish it italian id indonesian hi hindi fi finnish vi vietnamese " +
  "he hebrew uk ukrainian el greek ms malay cs czech ro romanian da danish hu hungarian ta tamil no norwegian " +
  "th thai ur urdu hr croatian bg bulgarian lt lithuanian la latin mi maori ml malayalam cy welsh sk slovak " +
  "te telugu fa persian lv latvian bn bengali sr serbian az azerbaijani sl slovenian kn kannada et estonian " +
  "mk macedonian br breton eu basque is icelandic hy armenian ne nepali mn mongolian bs bosnian kk kazakh " +
  "sq albanian sw swahili gl galician mr marathi pa punjabi si sinhala km khmer sn shona yo yoruba so somali " +
  "af afrikaans oc occitan ka georgian be belarusian tg tajik sd sindhi gu gujarati am amharic yi yiddish lo lao " +
  "uz uzbek fo faroese ht haitian_creole ps pashto tk turkmen nn nynorsk mt maltese sa sanskrit lb luxembourgish " +
  "my myanmar bo tibetan tl tagalog mg malagasy as assamese tt tatar haw hawaiian ln lingala ha hausa ba bashkir " +
  "jw javanese su sundanese yue cantonese";
/** Other names that openai/whisper takes, and the code that ISO 639 has for Javanese. */
const OTHERS =
  "burmese my valencian ca flemish nl haitian ht letzeburgesch lb pushto ps panjabi pa moldavian ro moldovan ro " +
  "sinhalese si castilian es mandarin zh jv jw";

/** Names by code: in English, in lower case, as OpenAI's `verbose_json` has them. */
export const LANGUAGES: ReadonlyMap<string, string> = new Map(
  pairs(TABLE).map(([code, name]) => [code, name.replaceAll("_", " ")]),
);
const CODES = new Map([...[...LANGUAGES].map(([code, name]) => [name, code] as const), ...pairs(OTHERS)]);

/** Returns the code of a language given by its code or name, also with a region such as `en-US`; undefined if it is unknown. */
export function codeOf(language: string): string | undefined {
  const plain = language.trim().toLowerCase();
  const [primary = ""] = plain.split(/[-_]/);
  return [plain, primary]
    .map((word) => (LANGUAGES.has(word) ? word : CODES.get(word)))
    .find((code) => code !== undefined);
}

function pairs(words: string): [string, string][] {
  const all = words.split(" ");
  return all.flatMap((word, i) => (i % 2 === 0 ? [[word, all[i + 1] ?? ""] as [string, string]] : []));
}
