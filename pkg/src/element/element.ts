/** The class of `<hearth-chat>`. */
import { Conversation, type ChatEngine, type ChatMessage, type ChatOptions } from "../chat/conversation.js";
import {
  holdShared,
  keyOf,
  retryShared,
  stateOf,
  type EngineState,
  type SharedEngineOptions,
} from "../chat/engines.js";
import type { HearthError } from "../core/errors.js";
import type { DeviceChoice, LoadProgress } from "../core/protocol.js";
import { adoptStyle } from "./style.js";
import { ENGLISH, type HearthChatTexts } from "./texts.js";
import { View, type AnswerRenderer } from "./view.js";

/** Events of the element. None of them bubbles. */
export interface HearthChatEventMap {
  /** Fires when the element can answer. */
  ready: CustomEvent<{ engine: ChatEngine }>;
  /** Fires while the model loads. */
  progress: CustomEvent<LoadProgress>;
  /** Fires for each message of the user, and for each answer when it has ended. */
  message: CustomEvent<ChatMessage>;
  /** Fires when a load or an answer has failed. */
  error: CustomEvent<HearthError>;
}

// On a server, which renders the tag alone, there is no such class.
const Base = (globalThis.HTMLElement as typeof HTMLElement | undefined) ?? (Object as unknown as typeof HTMLElement);

/**
 * A chat with a model, without any framework.
 *
 * Attributes: `model`, `device` and `system`, as the options of `Engine.create` and of a conversation, and `autoload`,
 * without which the model is loaded when the visitor agrees. Slots: `header`, `footer`, and `empty` for a conversation
 * without messages. Parts: `chat`, `status`, `progress`, `load`, `messages`, `message`, `message-user`,
 * `message-assistant`, `content`, `thoughts`, `error`, `retry`, `form`, `input`, `send`, `stop`. Variables:
 * `--hearth-accent`, `-background`, `-color`, `-border`, `-bubble`, `-radius`, `-font`.
 */
export class HearthChat extends Base {
  static readonly observedAttributes = ["model", "device", "system", "autoload"];

  /** Further options of `Engine.create` for the `model` attribute; set before the load. */
  engineOptions: Omit<SharedEngineOptions, "model" | "device"> = {};
  readonly #conversation = new Conversation();
  readonly #view: View | undefined;
  readonly #told = new Set<string>();
  #texts: HearthChatTexts = ENGLISH;
  #options: ChatOptions = {};
  #given: ChatEngine;
  #wanted: { key: string; release: () => void } | undefined;
  #lastLoad: EngineState | undefined;
  #lastError: HearthError | undefined;
  #isDue = false;

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    adoptStyle(root);
    this.#view = new View(root, () => this.#texts, {
      send: (text) => void this.send(text),
      stop: () => {
        this.stop();
      },
      load: () => {
        this.load();
      },
      retry: () => {
        if (this.#load()?.status === "error") this.load();
        else void this.regenerate();
      },
    });
    this.#conversation.subscribe(() => {
      this.#changed();
    });
  }

  /** The engine, remote model, router or backend that answers, in place of one that the element loads. */
  get engine(): ChatEngine {
    return this.#given ?? this.#load()?.engine;
  }

  set engine(engine: ChatEngine) {
    this.#given = engine;
    this.#release();
    if (engine !== undefined) this.#tell("ready", { engine });
    this.#update();
  }

  /** The messages, which can be set to those that were kept. */
  get messages(): readonly ChatMessage[] {
    return this.#conversation.state().messages;
  }

  set messages(messages: readonly ChatMessage[]) {
    for (const { id } of messages) this.#told.add(id);
    this.#conversation.setMessages(messages);
  }

  /** Fields of the requests, and a function that answers in place of the engine. The `system` attribute goes first. */
  get options(): ChatOptions {
    return this.#options;
  }

  set options(options: ChatOptions) {
    this.#options = options;
    this.#update();
  }

  /** A function that makes a node of an answer's text, such as a Markdown renderer. Without it answers are plain text. */
  get renderer(): AnswerRenderer | undefined {
    return this.#view?.renderer;
  }

  set renderer(renderer: AnswerRenderer | undefined) {
    if (this.#view !== undefined) this.#view.renderer = renderer;
    this.#changed();
  }

  /** Words of the element, for other languages than English; those that are left out stay English. */
  set texts(texts: Partial<HearthChatTexts>) {
    this.#texts = { ...ENGLISH, ...texts };
    this.#changed();
  }

  get texts(): HearthChatTexts {
    return this.#texts;
  }

  /** Loads the model that the attributes name, or loads it again after an error. */
  load(): void {
    if (this.#given !== undefined) return;
    if (this.#wanted !== undefined) {
      retryShared(this.#wanted.key);
      return;
    }
    const model = this.getAttribute("model");
    if (!model || !this.isConnected) return;
    const device = this.getAttribute("device");
    const options: SharedEngineOptions = { ...this.engineOptions, model };
    if (device !== null) options.device = device as DeviceChoice;
    const key = keyOf(options);
    const release = holdShared(key, options, () => {
      this.#loaded();
    });
    this.#wanted = { key, release };
    this.#loaded();
  }

  /** Sends a message as if the visitor had written it; resolves when its answer has ended. */
  send(text: string): Promise<void> {
    return this.#conversation.send(text);
  }

  /** Stops the answer; what has come of it stays. */
  stop(): void {
    this.#conversation.stop();
  }

  /** Answers the last message again. */
  regenerate(): Promise<void> {
    return this.#conversation.regenerate();
  }

  override focus(options?: FocusOptions): void {
    this.#view?.focus(options);
  }

  /** @internal */
  connectedCallback(): void {
    if (this.hasAttribute("autoload")) this.load();
    this.#update();
  }

  /** @internal */
  disconnectedCallback(): void {
    this.stop();
    this.#release();
  }

  /** @internal */
  attributeChangedCallback(name: string, before: string | null, after: string | null): void {
    if (before === after) return;
    if (name === "model" || name === "device") this.#release();
    if (this.isConnected && this.hasAttribute("autoload")) this.load();
    this.#update();
  }

  #load(): EngineState | undefined {
    return this.#wanted && stateOf(this.#wanted.key);
  }

  #release(): void {
    this.#wanted?.release();
    this.#wanted = undefined;
    this.#lastLoad = undefined;
  }

  #loaded(): void {
    const [before, now] = [this.#lastLoad, this.#load()];
    this.#lastLoad = now;
    if (now?.progress !== undefined && now.progress !== before?.progress) this.#tell("progress", now.progress);
    if (now?.engine !== undefined && now.engine !== before?.engine) this.#tell("ready", { engine: now.engine });
    if (now?.error !== undefined && now.error !== before?.error) this.#tell("error", now.error);
    this.#update();
  }

  /** Gives the conversation what it answers with. */
  #update(): void {
    const system = this.getAttribute("system") ?? this.#options.system;
    this.#conversation.configure(this.engine, { ...this.#options, system });
    this.#changed();
  }

  #changed(): void {
    const { messages, error } = this.#conversation.state();
    for (const message of messages) {
      if (this.#told.has(message.id) || (message.role === "assistant" && message.finish === undefined)) continue;
      this.#told.add(message.id);
      this.#tell("message", message);
    }
    if (error !== undefined && error !== this.#lastError) this.#tell("error", error);
    this.#lastError = error;
    if (this.#isDue) return;
    this.#isDue = true;
    // Tokens come faster than a screen shows them.
    requestAnimationFrame(() => {
      this.#isDue = false;
      this.#show();
    });
  }

  #show(): void {
    const load = this.#load();
    const isGiven = this.#given !== undefined || this.#options.answer !== undefined;
    const none = this.hasAttribute("model") ? "idle" : "none";
    this.#view?.show({
      ...this.#conversation.state(),
      load: isGiven ? "ready" : (load?.status ?? none),
      progress: load?.progress,
      loadError: load?.error,
      notice: load?.notice,
    });
  }

  #tell<K extends keyof HearthChatEventMap>(type: K, detail: HearthChatEventMap[K]["detail"]): void {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
