/** The texts about documents, in both languages. They are fetched with the panel. */
import { language } from "./index.js";

const en = {
  about: "PDF, Word, HTML, Markdown, text and code. They are kept, read and searched, by their words, on this device.",
  add: "Drop documents here, or choose them",
  askThem: "Answer questions from these documents",
  none: "No documents yet.",
  list: "Your documents",
  reading: "Reading…",
  readingPage: (page: number, pages: number) => `Reading page ${String(page)} of ${String(pages)}`,
  searchable: "Searchable",
  pages: (count: number) => (count === 1 ? "1 page" : `${String(count)} pages`),
  pictures: "Pages are pictures: nothing to search",
  failed: "Not read",
  remove: (name: string) => `Remove ${name}`,
  removeAll: "Remove all",
  removeAllSure: (count: number) => (count === 1 ? "Remove this document?" : `Remove all ${String(count)} documents?`),
  removeNote: "Only what was read of them is removed from this page; your files stay where they are.",
  removeNow: "Remove",
  password: (name: string) => `Password of ${name}`,
  unlock: "Open",
  readingCount: (count: number) => (count === 1 ? "Reading 1 document" : `Reading ${String(count)} documents`),
  searchableCount: (count: number) => {
    if (count === 0) return "No documents";
    return count === 1 ? "1 document is searchable" : `${String(count)} documents are searchable`;
  },
  notKept: "This browser has no room to keep them: they are forgotten when the page is closed.",

  sources: (count: number) => (count === 1 ? "1 passage was given" : `${String(count)} passages were given`),
  noSources: "No passage of your documents matches this question.",
  page: (page: string) => `Page ${page}`,
  passage: "Passage in the document",
  gone: "This document is no longer in the list; this is the passage as the answer was given it.",
  earlierText: "Show earlier text",
  laterText: "Show later text",
  previousSource: "Previous passage",
  nextSource: "Next passage",
  passageOf: (number: number, count: number) => `Passage ${String(number)} of ${String(count)}`,
};

const zh: typeof en = {
  about: "支持 PDF、Word、HTML、Markdown、文本和代码。文档保存在这台设备上，读取和按词搜索也都在这台设备上进行。",
  add: "把文档拖到这里，或点击选择",
  askThem: "根据这些文档回答问题",
  none: "还没有文档。",
  list: "您的文档",
  reading: "正在读取…",
  readingPage: (page, pages) => `正在读取第 ${String(page)} 页，共 ${String(pages)} 页`,
  searchable: "可搜索",
  pages: (count) => `${String(count)} 页`,
  pictures: "页面是图片，没有可搜索的文字",
  failed: "未能读取",
  remove: (name) => `移除 ${name}`,
  removeAll: "全部移除",
  removeAllSure: (count) => `移除全部 ${String(count)} 份文档？`,
  removeNote: "只从本页移除读取的内容，您的文件不受影响。",
  removeNow: "移除",
  password: (name) => `${name} 的密码`,
  unlock: "打开",
  readingCount: (count) => `正在读取 ${String(count)} 份文档`,
  searchableCount: (count) => (count === 0 ? "没有文档" : `${String(count)} 份文档可搜索`),
  notKept: "浏览器没有空间保存文档：关闭页面后将丢失。",

  sources: (count) => `提供了 ${String(count)} 个段落`,
  noSources: "您的文档中没有与此问题相符的段落。",
  page: (page) => `第 ${page} 页`,
  passage: "文档中的段落",
  gone: "该文档已不在列表中；这是生成回答时所用的段落。",
  earlierText: "显示前文",
  laterText: "显示后文",
  previousSource: "上一段落",
  nextSource: "下一段落",
  passageOf: (number, count) => `第 ${String(number)} 个段落，共 ${String(count)} 个`,
};

/** Returns the texts in the visitor's language. */
export const d = (): typeof en => (language.value === "zh-CN" ? zh : en);
