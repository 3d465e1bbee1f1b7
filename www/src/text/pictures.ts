/** The texts about pictures, in both languages. They are fetched with the first picture. */
import type { PictureFault } from "../state/picture-failure.js";
import { language } from "./index.js";

/** A fault’s words: what happened, and what the visitor can do about it. */
type Words = readonly [what: string, help: string];

const en = {
  comma: ", ",
  ofMessage: "Pictures in your message",
  pictures: "Pictures",
  show: (name: string) => `Show ${name} larger`,
  remove: (name: string) => `Remove ${name}`,
  added: (names: string, count: number) =>
    `${names} added. ${count === 1 ? "1 picture" : `${String(count)} pictures`} in your message.`,
  removed: (name: string) => `${name} removed.`,
  missing: "This picture is not here",
  description: "Description, for those who do not see it",
  willBeLeftOut:
    "The running model reads text only: these pictures stay in the conversation, but it will not see them.",
  dismiss: "Dismiss",
  noModel: "To ask about pictures, first load a model that sees, such as SmolVLM, Gemma 3 4B or Qwen3-VL.",

  camera: "Camera",
  allow: "Waiting for the camera: the browser may ask you for it.",
  view: "What the camera sees",
  take: "Take the picture",
  use: "Use it",
  again: "Take another",
  byBrowser: "Chosen by the browser",
  unnamed: (number: number) => `Camera ${String(number)}`,
  isLive: "The camera is on.",
  isTaken: "The picture is taken.",
  takenPicture: "The picture that you took",

  failures: {
    blind: () => [
      "The model that runs reads text only.",
      "To ask about pictures, load one that sees, such as SmolVLM, Gemma 3 4B or Qwen3-VL. From files, choose its projector (mmproj-….gguf) along with it.",
    ],
    too_large: (names) => [`Larger than 20 MB: ${names}`, "Save it smaller, or as JPEG, and add it again."],
    too_many: (names) => [
      `A message has room for 10 pictures; not added: ${names}`,
      "Send the others in another message.",
    ],
    not_a_picture: (names) => [`Not a picture: ${names}`, "PNG, JPEG, WebP, GIF, AVIF and BMP are understood."],
    unreadable: (names) => [
      `This browser cannot read ${names}`,
      "It may be damaged, or of a format that the browser does not know, such as HEIC. Save it as JPEG or PNG.",
    ],
    insecure: () => [
      "This page’s address is not secure, so the browser gives it no camera.",
      "Open the page by its https address, or add a picture from a file.",
    ],
    unsupported: () => ["This browser gives pages no camera.", "Use another browser, or add a picture from a file."],
    denied: () => [
      "The browser does not let this page use the camera.",
      "Allow the camera in the browser’s settings for this page, next to its address, and try again.",
    ],
    denied_by_system: () => [
      "The operating system does not let the browser use the camera.",
      "Allow it in the system’s privacy settings, start the browser again, and try once more.",
    ],
    no_camera: () => ["No camera was found.", "Connect one, or add a picture from a file."],
    taken: () => [
      "The camera does not answer: another program may be using it.",
      "Close what else is filming, and try again.",
    ],
    unplugged: () => ["The camera was disconnected.", "Connect it again, or choose another one, and try again."],
    no_frame: () => ["The camera gave no picture.", "Wait until you see what it sees, and try again."],
    broken: () => ["A part of this page could not be loaded or failed.", "Check the network, and try again."],
  } as Record<PictureFault, (names: string) => Words>,
};

const zh: typeof en = {
  comma: "、",
  ofMessage: "消息中的图片",
  pictures: "图片",
  show: (name) => `放大查看 ${name}`,
  remove: (name) => `移除 ${name}`,
  added: (names, count) => `已添加 ${names}。消息中共有 ${String(count)} 张图片。`,
  removed: (name) => `已移除 ${name}。`,
  missing: "此图片不在本机",
  description: "图片说明（供看不到图片的人阅读）",
  willBeLeftOut: "当前模型只能阅读文字：图片会保留在对话中，但模型看不到。",
  dismiss: "关闭提示",
  noModel: "如要就图片提问，请先加载能看图的模型，例如 SmolVLM、Gemma 3 4B 或 Qwen3-VL。",

  camera: "摄像头",
  allow: "正在等待摄像头：浏览器可能会询问您是否允许。",
  view: "摄像头画面",
  take: "拍照",
  use: "使用这张",
  again: "重拍",
  byBrowser: "由浏览器选择",
  unnamed: (number) => `摄像头 ${String(number)}`,
  isLive: "摄像头已开启。",
  isTaken: "已拍照。",
  takenPicture: "您拍的照片",

  failures: {
    blind: () => [
      "当前模型只能阅读文字。",
      "如要就图片提问，请加载能看图的模型，例如 SmolVLM、Gemma 3 4B 或 Qwen3-VL。从文件加载时，请同时选择它的图像投影文件（mmproj-….gguf）。",
    ],
    too_large: (names) => [`超过 20 MB：${names}`, "请缩小图片或另存为 JPEG，然后重新添加。"],
    too_many: (names) => [`每条消息最多 10 张图片，未添加：${names}`, "请在另一条消息中发送其余图片。"],
    not_a_picture: (names) => [`不是图片：${names}`, "支持 PNG、JPEG、WebP、GIF、AVIF 和 BMP。"],
    unreadable: (names) => [
      `此浏览器无法读取 ${names}`,
      "文件可能已损坏，或是浏览器不支持的格式（如 HEIC）。请另存为 JPEG 或 PNG。",
    ],
    insecure: () => ["本页地址不安全，浏览器不提供摄像头。", "请用 https 地址打开本页，或从文件添加图片。"],
    unsupported: () => ["此浏览器不向网页提供摄像头。", "请换用其他浏览器，或从文件添加图片。"],
    denied: () => ["浏览器不允许本页使用摄像头。", "请在地址栏旁的网站设置中允许摄像头，然后重试。"],
    denied_by_system: () => ["操作系统不允许浏览器使用摄像头。", "请在系统的隐私设置中允许，重新启动浏览器后再试。"],
    no_camera: () => ["没有找到摄像头。", "请连接摄像头，或从文件添加图片。"],
    taken: () => ["摄像头没有响应：可能有其他程序正在使用。", "请关闭其他正在拍摄的程序，然后重试。"],
    unplugged: () => ["摄像头已断开。", "请重新连接或选择其他摄像头，然后重试。"],
    no_frame: () => ["摄像头没有给出画面。", "请等画面出现后再试。"],
    broken: () => ["本页的一部分无法加载或出错。", "请检查网络后重试。"],
  },
};

/** Returns the texts in the visitor's language. */
export const p = (): typeof en => (language.value === "zh-CN" ? zh : en);
