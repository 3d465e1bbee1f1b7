/** The texts about trust, in both languages. They are fetched with the dialog. */
import { language } from "./index.js";

const en = {
  title: "What leaves this device",
  sent: (count: number) => `Messages sent: ${String(count)}`,
  sentTo: (host: string, count: number) => `${String(count)} to ${host}, as you chose`,
  stays: "The model answers on this device. What you type stays here.",
  offline: "You are offline, and it still works.",
  since: "Requests since this page was opened",
  none: "None: nothing was asked of the network.",
  unwatched:
    "This list begins when the page’s service worker watches, which it does not yet. Reload the page to have it watch from the beginning.",
  cannotWatch:
    "This browser, or this address, has no service worker for the page, so its requests cannot be listed here. The network tools of the browser show them.",
  host: "Host",
  requests: "Requests",
  up: "Sent",
  refused: "Refused",
  strict: "Strict mode: refuse all requests",
  strictNote:
    "The page’s service worker then refuses every request of the page and its workers, downloads included, until you turn it off. Only the program itself, which is on this device, is read.",
  strictUnavailable: "It needs the page’s service worker to watch.",
  kept: "What is kept here",
  keptNote:
    "Models, chats, documents, drafts and settings, in this browser’s storage for this address. Nobody else can read them, but anyone who uses this browser can.",
  seen: "What others see",
  seenNote:
    "The host of this page sees that it was opened, and its own model’s download. Hugging Face sees your network address and the file’s name when you download a model from there. A server that you name gets the chats that you hold with it. There are no cookies, no counters and no accounts.",
  open: "The program is open source: what it says here can be checked in its code, and with the network tools of your browser.",
  erase: "Delete everything",
  eraseSure: "Delete everything?",
  eraseNote:
    "All models, chats, documents and settings of this page are deleted from this browser. This cannot be undone.",
};

const zh: typeof en = {
  title: "哪些内容离开了本机",
  sent: (count) => `已发送的消息：${String(count)}`,
  sentTo: (host, count) => `其中 ${String(count)} 条按您的选择发送到 ${host}`,
  stays: "模型在本机回答，您输入的内容不会离开本机。",
  offline: "您已断网，它仍可使用。",
  since: "打开本页以来的网络请求",
  none: "无：没有向网络请求任何内容。",
  unwatched: "页面的 Service Worker 尚未开始监看，列表从它开始时记录。刷新页面即可从头监看。",
  cannotWatch: "此浏览器或此网址没有页面的 Service Worker，无法在这里列出请求。可用浏览器的网络工具查看。",
  host: "主机",
  requests: "请求",
  up: "已发送",
  refused: "已拒绝",
  strict: "严格模式：拒绝所有请求",
  strictNote:
    "开启后，页面的 Service Worker 会拒绝页面及其工作线程的一切请求（包括下载），直到您关闭。只读取本机上的程序本身。",
  strictUnavailable: "需要页面的 Service Worker 开始监看。",
  kept: "本机保存的内容",
  keptNote: "模型、对话、文档、草稿和设置，保存在此浏览器中本网址的存储里。其他网站无法读取，但使用此浏览器的人可以。",
  seen: "其他方能看到什么",
  seenNote:
    "本页的主机会看到页面被打开，以及其自带模型的下载。从 Hugging Face 下载模型时，它会看到您的网络地址和文件名。您指定的服务器会收到您与它的对话。没有 Cookie，没有统计，无需账号。",
  open: "程序是开源的：这里所说的都可以在代码中、或用浏览器的网络工具核实。",
  erase: "删除全部数据",
  eraseSure: "要删除全部数据吗？",
  eraseNote: "本页的所有模型、对话、文档和设置都将从此浏览器中删除，无法撤销。",
};

/** Returns the texts in the page's language. */
export const trustTexts = (): typeof en => (language.value === "zh-CN" ? zh : en);
