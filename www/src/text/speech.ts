/** The texts about speech, in both languages. They are fetched with the first use of it. */
import type { SpeechFault } from "../state/speech-failure.js";
import { language } from "./index.js";

/** A fault’s words: what happened, and what the visitor can do about it. */
type Words = readonly [what: string, help: string];

const en = {
  about: "Speech becomes text on this device. The sound is not sent anywhere, and it is not kept.",
  choose: "Choose a speech model. It is fetched once and then kept on this device.",
  english: "English",
  languages: (count: number) => (count === 1 ? "English" : `${String(count)} languages`),
  fetch: (name: string, size: string) => `Fetch ${name}, ${size}`,
  load: (name: string) => `Load ${name}`,
  licence: (name: string) => `Licence: ${name}`,
  address: "Address of another one: a repository of Hugging Face, a file or a folder",
  files: "Its files on this device",
  loading: (name: string) => `Loading ${name}`,
  preparing: "Preparing it…",
  ready: (name: string) => `${name} is ready to listen.`,
  change: "Choose another speech model",
  spoken: "Spoken language",
  found: "The model finds out",

  dictation: "Dictation",
  dictate: "Dictate",
  loadingModel: (name: string) => `Loading ${name}…`,
  allow: "Waiting for the microphone: the browser may ask you for it.",
  listening: "Listening. Speak now.",
  finishing: "Writing the last words…",
  began: "Dictation has begun.",
  ended: (words: string) => (words === "" ? "Dictation has ended." : `Dictation has ended: ${words}`),
  microphone: "Microphone",
  byBrowser: "Chosen by the browser",
  unnamed: (number: number) => `Microphone ${String(number)}`,
  options: "Speech model and language",
  dismiss: "Dismiss",

  recordings: "Recordings",
  add: "Drop recordings here, or choose them",
  none: "No recordings yet. Their text stays on this device until you remove it.",
  noModel: "There is no speech model yet: choose one above.",
  stopsDictation: "Dictation comes first.",
  states: {
    waiting: "Waiting",
    listening: "Listening…",
    done: "Finished",
    stopped: "Stopped",
    failed: "Not transcribed",
  },
  heard: (seconds: string, duration: string) => `${seconds} of ${duration}`,
  progress: (name: string) => `Progress of ${name}`,
  segments: (name: string) => `Text of ${name}`,
  silent: "No speech was heard in it.",
  stop: "Stop",
  stopOf: (name: string) => `Stop ${name}`,
  again: "Transcribe again",
  remove: (name: string) => `Remove ${name}`,
  copyText: "Copy text",
  copySubtitles: (format: string) => `Copy ${format}`,
  copied: "Copied.",
  notCopied: "The browser did not let the page copy.",
  putIn: "Put into the message",
  wasPutIn: "The text is in your message.",
  status: (busy: string | undefined, done: number) => {
    if (busy !== undefined) return `Transcribing ${busy}`;
    if (done === 0) return "";
    return done === 1 ? "1 recording is transcribed" : `${String(done)} recordings are transcribed`;
  },

  failures: {
    insecure: [
      "This page’s address is not secure, so the browser gives it no microphone.",
      "Open the page by its https address. Recordings can be transcribed here all the same.",
    ],
    unsupported: ["This browser gives pages no microphone.", "Use another browser, or transcribe a recording."],
    denied: [
      "The browser does not let this page use the microphone.",
      "Allow the microphone in the browser’s settings for this page, next to its address, and try again.",
    ],
    denied_by_system: [
      "The operating system does not let the browser use the microphone.",
      "Allow it in the system’s privacy settings, start the browser again, and try once more.",
    ],
    no_microphone: ["No microphone was found.", "Connect one, or transcribe a recording instead."],
    taken: [
      "The microphone does not answer: another program may be using it.",
      "Close what else is listening, or choose another microphone, and try again.",
    ],
    unplugged: [
      "The microphone was disconnected.",
      "What you had said is in your message. Connect it again, or choose another one, to go on.",
    ],
    unheard: [
      "The browser does not pass on the microphone’s sound.",
      "Reload the page and try again, or transcribe a recording.",
    ],
    busy: ["A recording is being transcribed.", "Dictation is possible when it is finished, or once you stop it."],
    model: ["The speech model could not be loaded.", "Try again, or choose another one."],
    undecodable: [
      "There is no sound in this file that the browser can read.",
      "Save it as WAV, MP3, M4A, Ogg, FLAC or WebM, and add it again.",
    ],
    broken: ["The speech model stopped in the middle.", "What was written so far is kept. Try again."],
  } satisfies Record<SpeechFault, Words> as Record<SpeechFault, Words>,
};

const zh: typeof en = {
  about: "语音在这台设备上转成文字。声音不会发送到任何地方，也不会保存。",
  choose: "请选择语音模型。只需下载一次，之后保存在本机。",
  english: "英语",
  languages: (count) => (count === 1 ? "英语" : `${String(count)} 种语言`),
  fetch: (name, size) => `下载 ${name}，${size}`,
  load: (name) => `加载 ${name}`,
  licence: (name) => `许可证：${name}`,
  address: "其他模型的地址：Hugging Face 仓库、文件或目录",
  files: "选择本机上的模型文件",
  loading: (name) => `正在加载 ${name}`,
  preparing: "正在准备…",
  ready: (name) => `${name} 已就绪，可以听写。`,
  change: "选择其他语音模型",
  spoken: "所说语言",
  found: "由模型判断",

  dictation: "听写",
  dictate: "听写",
  loadingModel: (name) => `正在加载 ${name}…`,
  allow: "正在等待麦克风：浏览器可能会询问您是否允许。",
  listening: "正在听，请讲话。",
  finishing: "正在写下最后几个词…",
  began: "听写已开始。",
  ended: (words) => (words === "" ? "听写已结束。" : `听写已结束：${words}`),
  microphone: "麦克风",
  byBrowser: "由浏览器选择",
  unnamed: (number) => `麦克风 ${String(number)}`,
  options: "语音模型和语言",
  dismiss: "关闭提示",

  recordings: "录音",
  add: "把录音拖到这里，或点击选择",
  none: "还没有录音。转写的文字保存在本机，直到您移除为止。",
  noModel: "还没有语音模型：请先在上面选择。",
  stopsDictation: "听写结束后再处理录音。",
  states: {
    waiting: "等待中",
    listening: "正在听…",
    done: "已完成",
    stopped: "已停止",
    failed: "未能转写",
  },
  heard: (seconds, duration) => `${seconds} / ${duration}`,
  progress: (name) => `${name} 的进度`,
  segments: (name) => `${name} 的文字`,
  silent: "其中没有听到讲话。",
  stop: "停止",
  stopOf: (name) => `停止 ${name}`,
  again: "重新转写",
  remove: (name) => `移除 ${name}`,
  copyText: "复制文字",
  copySubtitles: (format) => `复制 ${format}`,
  copied: "已复制。",
  notCopied: "浏览器不允许本页复制。",
  putIn: "放入消息",
  wasPutIn: "文字已放入您的消息。",
  status: (busy, done) => {
    if (busy !== undefined) return `正在转写 ${busy}`;
    return done === 0 ? "" : `已转写 ${String(done)} 段录音`;
  },

  failures: {
    insecure: ["本页地址不安全，浏览器不提供麦克风。", "请用 https 地址打开本页。录音仍可在此转写。"],
    unsupported: ["此浏览器不向网页提供麦克风。", "请换用其他浏览器，或转写录音。"],
    denied: ["浏览器不允许本页使用麦克风。", "请在地址栏旁的网站设置中允许麦克风，然后重试。"],
    denied_by_system: ["操作系统不允许浏览器使用麦克风。", "请在系统的隐私设置中允许，重新启动浏览器后再试。"],
    no_microphone: ["没有找到麦克风。", "请连接麦克风，或改为转写录音。"],
    taken: ["麦克风没有响应：可能有其他程序正在使用。", "请关闭其他正在录音的程序，或选择其他麦克风，然后重试。"],
    unplugged: ["麦克风已断开。", "您说过的话已写入消息。请重新连接或选择其他麦克风后继续。"],
    unheard: ["浏览器没有传来麦克风的声音。", "请刷新页面后重试，或改为转写录音。"],
    busy: ["正在转写录音。", "等它完成或停止后，即可听写。"],
    model: ["无法加载语音模型。", "请重试，或选择其他模型。"],
    undecodable: ["此文件中没有浏览器能读取的声音。", "请另存为 WAV、MP3、M4A、Ogg、FLAC 或 WebM 格式，然后重新添加。"],
    broken: ["语音模型中途停止。", "已写下的内容会保留，请重试。"],
  },
};

/** Returns the texts in the visitor's language. */
export const s = (): typeof en => (language.value === "zh-CN" ? zh : en);
