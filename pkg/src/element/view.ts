/** The element's shadow tree. Everything that a model wrote goes into text nodes; nothing here parses HTML. */
import type { ChatMessage, ChatState } from "../chat/conversation.js";
import type { EngineState } from "../chat/engines.js";
import type { HearthChatTexts } from "./texts.js";

/**
 * A function that makes a node of an answer's text, for instance of its Markdown. What it lets through of the model's
 * own HTML is its responsibility.
 */
export type AnswerRenderer = (text: string, message: ChatMessage) => Node;

/** State of the element: the conversation's, and the engine's where the element loads one. */
export interface ViewState extends ChatState {
  /** `"none"` for an element without a model, `"idle"` before its load. */
  load: "none" | "idle" | EngineState["status"];
  progress: EngineState["progress"];
  /** Failure of the load. */
  loadError: EngineState["error"];
  notice: EngineState["notice"];
}

/** Actions of a visitor. */
export interface ViewActions {
  readonly send: (text: string) => void;
  readonly stop: () => void;
  readonly load: () => void;
  readonly retry: () => void;
}

interface Row {
  message: ChatMessage;
  readonly row: HTMLElement;
  readonly content: HTMLElement;
  readonly thoughts: HTMLDetailsElement;
  readonly thoughtsText: HTMLElement;
}

function make<K extends keyof HTMLElementTagNameMap>(tag: K, part = "", ...children: Node[]): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  if (part !== "") element.setAttribute("part", part);
  element.append(...children);
  return element;
}

function slot(name: string): HTMLSlotElement {
  const element = make("slot");
  element.name = name;
  return element;
}

/** Sets a text without touching one that is the same, as a screen reader may speak it again. */
function setText(element: HTMLElement, text: string): void {
  const [first] = element.childNodes;
  if (element.childNodes.length !== 1 || first?.nodeName !== "#text") element.replaceChildren(text);
  // In place, so that a selection stays while an answer grows.
  else if (first.nodeValue !== text) first.nodeValue = text;
}

export class View {
  renderer: AnswerRenderer | undefined;
  readonly #root: ShadowRoot;
  readonly #texts: () => HearthChatTexts;
  readonly #log = make("div", "messages");
  readonly #status = make("div", "status");
  readonly #spoken = make("div");
  readonly #progress = make("progress", "progress");
  readonly #load = make("button", "load");
  readonly #error = make("div", "error");
  readonly #errorText = make("span", "error-text");
  readonly #retry = make("button", "retry");
  readonly #input = make("textarea", "input");
  readonly #send = make("button", "send");
  readonly #stop = make("button", "stop");
  readonly #empty = slot("empty");
  readonly #rows = new Map<string, Row>();
  #wasBusy = false;

  constructor(root: ShadowRoot, texts: () => HearthChatTexts, actions: ViewActions) {
    this.#root = root;
    this.#texts = texts;
    // Answers are announced whole, by `#spoken`: a live region would speak each piece.
    const names = { role: "log", "aria-live": "off", tabindex: "0" };
    for (const [name, value] of Object.entries(names)) this.#log.setAttribute(name, value);
    this.#status.setAttribute("role", "status");
    this.#spoken.setAttribute("role", "status");
    this.#spoken.className = "spoken";
    this.#error.setAttribute("role", "alert");
    this.#error.append(this.#errorText, " ", this.#retry);
    this.#input.rows = 1;
    for (const button of [this.#load, this.#retry, this.#stop]) button.type = "button";
    const form = make("form", "form", this.#input, this.#send, this.#stop);
    const head = [slot("header"), this.#status, this.#progress, this.#load];
    root.append(make("div", "chat", ...head, this.#log, this.#error, this.#spoken, form, slot("footer")));

    const submit = (): void => {
      const text = this.#input.value;
      if (this.#send.disabled || this.#send.hidden || text.trim() === "") return;
      this.#input.value = "";
      actions.send(text);
    };
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      submit();
    });
    this.#input.addEventListener("keydown", (event) => {
      // An Enter that ends the composition of a word is not the form's.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      submit();
    });
    root.addEventListener("keydown", (event) => {
      if ((event as KeyboardEvent).key === "Escape" && !this.#stop.hidden) actions.stop();
    });
    this.#stop.addEventListener("click", actions.stop);
    this.#load.addEventListener("click", actions.load);
    this.#retry.addEventListener("click", actions.retry);
  }

  focus(options?: FocusOptions): void {
    this.#input.focus(options);
  }

  show(state: ViewState): void {
    const { messages, status, load, progress } = state;
    const texts = this.#texts();
    const isBusy = status === "submitted" || status === "streaming";
    this.#name(texts);
    const isDown = this.#log.scrollHeight - this.#log.scrollTop - this.#log.clientHeight < 40;
    this.#showMessages(messages);
    if (isDown) this.#log.scrollTop = this.#log.scrollHeight;
    this.#log.setAttribute("aria-busy", String(isBusy));

    const loading = progress === undefined ? texts.loading : `${texts.loading}: ${progress.phase}`;
    setText(this.#status, load === "loading" ? loading : (state.notice?.message ?? ""));
    this.#progress.hidden = load !== "loading";
    if (progress !== undefined && progress.total > 0) this.#progress.value = progress.loaded / progress.total;
    else this.#progress.removeAttribute("value");
    const error = state.loadError ?? state.error;
    this.#error.hidden = error === undefined;
    setText(this.#errorText, error === undefined ? "" : `${error.message}. ${error.hint}`);
    if (isBusy !== this.#wasBusy) this.#speak(isBusy ? texts.answering : (messages.at(-1)?.content ?? ""));
    this.#wasBusy = isBusy;

    const focused = this.#root.activeElement;
    this.#load.hidden = load !== "idle";
    this.#send.disabled = load !== "ready";
    this.#send.hidden = isBusy;
    this.#stop.hidden = !isBusy;
    // A focus on a button that goes would be lost.
    const buttons: (Element | null)[] = [this.#load, this.#send, this.#stop, this.#retry];
    if (buttons.includes(focused) && (focused as HTMLButtonElement).hidden) this.#input.focus();
    if (focused === this.#retry && error === undefined) this.#input.focus();
  }

  #name(texts: HearthChatTexts): void {
    this.#log.setAttribute("aria-label", texts.conversation);
    this.#progress.setAttribute("aria-label", texts.loading);
    this.#input.setAttribute("aria-label", texts.message);
    this.#input.placeholder = texts.placeholder;
    setText(this.#send, texts.send);
    setText(this.#stop, texts.stop);
    setText(this.#load, texts.load);
    setText(this.#retry, texts.retry);
  }

  #speak(text: string): void {
    setText(this.#spoken, text);
  }

  #showMessages(messages: readonly ChatMessage[]): void {
    const ids = new Set(messages.map(({ id }) => id));
    for (const [id, { row }] of this.#rows) {
      if (ids.has(id)) continue;
      row.remove();
      this.#rows.delete(id);
    }
    if (messages.length === 0) this.#log.replaceChildren(this.#empty);
    else this.#empty.remove();
    for (const message of messages) {
      const known = this.#rows.get(message.id);
      if (known?.message === message) continue;
      const row = known ?? this.#add(message);
      row.message = message;
      this.#fill(row);
    }
  }

  #add(message: ChatMessage): Row {
    const texts = this.#texts();
    const speaker = make("span", "speaker", document.createTextNode(message.role === "user" ? texts.you : texts.model));
    speaker.className = "spoken";
    const thoughtsText = make("div", "thoughts-text");
    const summary = make("summary", "thoughts-summary", document.createTextNode(texts.thoughts));
    const thoughts = make("details", "thoughts", summary, thoughtsText);
    const content = make("div", `content content-${message.role}`);
    const row = make("div", `message message-${message.role}`, speaker, thoughts, content);
    const made = { message, row, content, thoughts, thoughtsText };
    this.#rows.set(message.id, made);
    this.#log.append(row);
    return made;
  }

  #fill({ message, content, thoughts, thoughtsText }: Row): void {
    thoughts.hidden = message.reasoning === undefined;
    setText(thoughtsText, message.reasoning ?? "");
    if (message.role === "user" || this.renderer === undefined) setText(content, message.content);
    else content.replaceChildren(this.renderer(message.content, message));
  }
}
