/** The conversation on the page. */
import { button, byId, el } from "./dom.js";
import { formatDuration } from "./format.js";
import { renderMarkdown } from "./markdown.js";

/** How near to its end, in pixels, the page still follows new text. */
const FOLLOW_PX = 80;

export interface AnswerStats {
  tokens: number;
  /** Of them, those drafted from the context. */
  drafted: number;
  /** Seconds from sending to the first token. */
  firstToken: number | undefined;
  tokensPerSecond: number | undefined;
  end: "running" | "stop" | "length" | "stopped";
}

export class LogView {
  readonly root = byId("log", HTMLElement);

  clear(): void {
    const hello = el("div", "empty", el("p", "", "The fire is lit. What would you like to talk about?"));
    this.root.replaceChildren(hello);
    this.root.hidden = false;
  }

  addUser(text: string): void {
    this.root.querySelector(".empty")?.remove();
    this.root.append(el("article", "message user", el("div", "bubble", text)));
    this.scrollToEnd();
  }

  addAnswer(): AnswerView {
    const view = new AnswerView(this);
    this.root.append(view.root);
    this.scrollToEnd();
    return view;
  }

  add(element: HTMLElement): void {
    this.root.append(element);
    this.scrollToEnd();
  }

  removeErrors(): void {
    for (const error of this.root.querySelectorAll(".error")) error.remove();
  }

  get isAtEnd(): boolean {
    const { scrollHeight, scrollTop, clientHeight } = document.documentElement;
    return scrollHeight - scrollTop - clientHeight < FOLLOW_PX;
  }

  scrollToEnd(): void {
    document.documentElement.scrollTop = document.documentElement.scrollHeight;
  }
}

export class AnswerView {
  readonly root: HTMLElement;
  readonly #log: LogView;
  readonly #body = el("div", "answer");
  readonly #thoughts = el("p", "");
  /** Folded: an answer is what was asked for. */
  readonly #reasoning = el("details", "reasoning", el("summary", "", "Thoughts"), this.#thoughts);
  readonly #foot = el("p", "foot", "Reading…");
  #text = "";
  #frame: number | undefined;

  constructor(log: LogView) {
    this.#log = log;
    this.root = el("article", "message assistant", this.#reasoning, this.#body, this.#foot);
    this.#reasoning.hidden = true;
    this.root.dataset.state = "waiting";
    log.root.setAttribute("aria-busy", "true");
  }

  get text(): string {
    return this.#text;
  }

  /** What the model thinks before it answers, as plain text. */
  think(text: string): void {
    if (text === "") return;
    this.#reasoning.hidden = false;
    this.root.dataset.state = "streaming";
    this.#thoughts.append(text);
  }

  append(text: string): void {
    this.#text += text;
    this.root.dataset.state = "streaming";
    // Tokens may come faster than frames, and each drawing renders the whole answer.
    this.#frame ??= requestAnimationFrame(() => {
      this.#draw();
    });
  }

  showStats(stats: AnswerStats): void {
    const parts: string[] = [];
    if (stats.tokensPerSecond !== undefined) parts.push(`${stats.tokensPerSecond.toFixed(1)} tok/s`);
    if (stats.firstToken !== undefined) parts.push(`first token after ${formatDuration(stats.firstToken)}`);
    if (stats.tokens > 0) parts.push(`${String(stats.tokens)} tokens`);
    if (stats.drafted > 0) parts.push(`${String(stats.drafted)} of them drafted`);
    if (stats.end === "length") parts.push("cut off at the token limit");
    if (stats.end === "stopped") parts.push("stopped");
    this.#foot.textContent = parts.join(" · ") || "Reading…";
  }

  finish(stats: AnswerStats): void {
    this.#draw();
    this.showStats(stats);
    this.root.dataset.state = stats.end;
    // As the model wrote it, for copying; what is shown has lost its Markdown.
    this.root.dataset.source = this.#text;
    this.#foot.append(copyButton(this.#text));
    // Screen readers read the answer once, as a whole, now.
    this.#log.root.setAttribute("aria-busy", "false");
  }

  remove(): void {
    if (this.#frame !== undefined) cancelAnimationFrame(this.#frame);
    this.root.remove();
    this.#log.root.setAttribute("aria-busy", "false");
  }

  #draw(): void {
    if (this.#frame !== undefined) cancelAnimationFrame(this.#frame);
    this.#frame = undefined;
    const follow = this.#log.isAtEnd;
    this.#body.replaceChildren(renderMarkdown(this.#text));
    if (follow) this.#log.scrollToEnd();
  }
}

function copyButton(text: string): HTMLButtonElement {
  const copy = button("Copy", "quiet copy", () => {
    void navigator.clipboard.writeText(text).then(() => {
      copy.textContent = "Copied";
    });
  });
  return copy;
}
