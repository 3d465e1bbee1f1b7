/** Prompts by which each family of chat models is asked for a translation, told by the model's facts, in this place alone. */
import type { ChatCompletionMessageParam } from "../api/openai.js";
import type { Backend } from "../backend/backend.js";
import { invalid } from "../core/errors.js";
import type { Pair } from "./interpreter.js";
import { among, isChinese, languageName, looksChinese } from "./languages.js";
import type { Sampling } from "./request.js";

/** Family of a chat model, as far as translations are concerned. */
export interface Family {
  /** Codes of its languages; undefined if it is asked for any. */
  languages?: readonly string[];
  needsSource: boolean;
  /** Sampling that its makers advise. Default: the likeliest token. */
  sampling: Sampling;
  /** Returns the languages as the family writes them, and refuses those that it lacks. */
  pair(pair: Pair, model: string): Pair;
  message(text: string, pair: Pair): ChatCompletionMessageParam;
}

/** Languages of TranslateGemma's evaluation (its technical report); its template knows more of them, and refuses the others itself. */
const GEMMA_LANGUAGES = (
  "ar bg bn ca cs da de el en es et fa fi fil fr gu he hi hr hu id is it ja kn ko lt lv ml mr nl no pa pl pt ro ru sk sl sr " +
  "sv sw ta te th tr uk ur vi zh-Hans zh-Hant zu"
).split(" ");

/** Languages of HY-MT's model card, with the Chinese names that its prompts have. */
const HUNYUAN_NAMES: Readonly<Record<string, string>> = {
  zh: "中文",
  "zh-Hant": "繁体中文",
  yue: "粤语",
  en: "英语",
  fr: "法语",
  pt: "葡萄牙语",
  es: "西班牙语",
  ja: "日语",
  tr: "土耳其语",
  ru: "俄语",
  ar: "阿拉伯语",
  ko: "韩语",
  th: "泰语",
  it: "意大利语",
  de: "德语",
  vi: "越南语",
  ms: "马来语",
  id: "印尼语",
  fil: "菲律宾语",
  hi: "印地语",
  pl: "波兰语",
  cs: "捷克语",
  nl: "荷兰语",
  km: "高棉语",
  my: "缅甸语",
  fa: "波斯语",
  gu: "古吉拉特语",
  ur: "乌尔都语",
  te: "泰卢固语",
  mr: "马拉地语",
  he: "希伯来语",
  bn: "孟加拉语",
  ta: "泰米尔语",
  uk: "乌克兰语",
  bo: "藏语",
  kk: "哈萨克语",
  mn: "蒙古语",
  ug: "维吾尔语",
};
const HUNYUAN_LANGUAGES = Object.keys(HUNYUAN_NAMES);

/** TranslateGemma: its template writes the prompt, and reads the languages beside the text in the message's only part. */
export const TRANSLATE_GEMMA: Family = {
  languages: GEMMA_LANGUAGES,
  needsSource: true,
  sampling: {},
  pair({ source, target }, model) {
    if (source === undefined) {
      throw invalid("source", `the code of the text's language: ${model} does not find it out`, source);
    }
    return { source: forGemma(source), target: target === undefined ? undefined : forGemma(target) };
  },
  message: (text, { source, target }) => ({
    role: "user",
    content: [{ type: "text", text, source_lang_code: source ?? "", target_lang_code: target ?? "" }],
  }),
};

/** HY-MT, and other models of Hunyuan's dense architecture: the prompts and the sampling of HY-MT's model card. */
export const HUNYUAN: Family = {
  languages: HUNYUAN_LANGUAGES,
  needsSource: false,
  sampling: { temperature: 0.7, top_p: 0.6, top_k: 20, repetition_penalty: 1.05 },
  pair: ({ source, target }, model) => ({
    source: source === undefined ? undefined : among("source", source, HUNYUAN_LANGUAGES, model),
    target: target === undefined ? undefined : among("target", target, HUNYUAN_LANGUAGES, model),
  }),
  message(text, { source, target = "en" }) {
    const isFromChinese = source === undefined ? looksChinese(text) : isChinese(source);
    const content =
      isFromChinese || isChinese(target)
        ? `将以下文本翻译为${HUNYUAN_NAMES[target] ?? target}，注意只需要输出翻译后的结果，不要额外解释：\n\n${text}`
        : `Translate the following segment into ${languageName(target)}, without additional explanation.\n\n${text}`;
    return { role: "user", content };
  },
};

/** Any other chat model: one plain instruction. */
export const PLAIN: Family = {
  needsSource: false,
  sampling: {},
  pair: (pair) => pair,
  message(text, { source, target = "en" }) {
    const from = source === undefined ? "" : ` from ${languageName(source)}`;
    return {
      role: "user",
      content: `Translate the following text${from} into ${languageName(target)}. Answer with the translation alone, without notes or quotation marks.\n\n${text}`,
    };
  },
};

/** Tells a model's family by its name, and by its architecture where it runs in this page. */
export function familyOf({ model: { name }, local }: Pick<Backend, "model" | "local">): Family {
  if (/translate[-_ ]?gemma/i.test(name)) return TRANSLATE_GEMMA;
  if (local?.model.architecture === "hunyuan-dense" || /\b(hy|hunyuan)[-_ ]?mt/i.test(name)) return HUNYUAN;
  return PLAIN;
}

/** Tells a template of TranslateGemma by its refusal of a plain message: files need not have the model's name. */
export function isGemmasRefusal(message: string): boolean {
  return message.includes("source_lang_code");
}

/** Returns a code as TranslateGemma's template has it: Chinese by its script. */
function forGemma(code: string): string {
  if (!/^zh(-|$)/.test(code)) return code;
  return `zh-${new Intl.Locale(code).maximize().script ?? "Hans"}`;
}
