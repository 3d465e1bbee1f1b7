/** The texts about translation, in both languages. They are fetched with the first use of it. */
import { language } from "../text/index.js";

const en = {
  about: (model: string) => `Translated by ${model}, on this device, while you type.`,
  aboutServer: (model: string, place: string) =>
    `Translated by ${model}, ${place}: the text goes there when you ask for it.`,
  noModel: "There is no model yet that could translate.",
  chooseModel: "Choose a model",
  from: "From",
  to: "Into",
  found: "The model finds out",
  choose: "Choose…",
  swap: "Swap the languages",
  input: "Text to translate",
  placeholder: "Type or paste text here",
  output: "Translation",
  translate: "Translate",
  copy: "Copy translation",
  copied: "Copied.",
  notCopied: "The browser did not let the page copy.",
  clear: "Clear",
  stop: "Stop",
  states: {
    empty: "",
    asks: "Choose the language of the text: this model does not find it out.",
    ready: "Ctrl+Enter translates.",
    waiting: "",
    translating: "Translating…",
    done: "Translated.",
    cut: "The translation is not complete: the model stopped too early, or began to repeat itself.",
    stopped: "Stopped.",
    failed: "Not translated.",
  },
};

const zh: typeof en = {
  about: (model) => `由 ${model} 在这台设备上翻译，边输入边翻译。`,
  aboutServer: (model, place) => `由 ${model} 翻译（${place}）：点击翻译时，文字才会发送过去。`,
  noModel: "还没有可以翻译的模型。",
  chooseModel: "选择模型",
  from: "源语言",
  to: "目标语言",
  found: "由模型判断",
  choose: "请选择…",
  swap: "交换语言",
  input: "要翻译的文字",
  placeholder: "在此输入或粘贴文字",
  output: "译文",
  translate: "翻译",
  copy: "复制译文",
  copied: "已复制。",
  notCopied: "浏览器不允许本页复制。",
  clear: "清空",
  stop: "停止",
  states: {
    empty: "",
    asks: "请选择文字的语言：此模型不会自行判断。",
    ready: "按 Ctrl+Enter 翻译。",
    waiting: "",
    translating: "正在翻译…",
    done: "已翻译。",
    cut: "译文不完整：模型过早停止，或开始重复。",
    stopped: "已停止。",
    failed: "未能翻译。",
  },
};

/** Returns the texts in the visitor's language. */
export const w = (): typeof en => (language.value === "zh-CN" ? zh : en);
