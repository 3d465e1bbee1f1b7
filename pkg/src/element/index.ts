/**
 * `<hearth-chat>`: a chat as a custom element, for pages without a framework and with any. The import defines it.
 *
 * ```html
 * <script type="module" src="https://cdn.example/hearth-llm/dist/element/index.js"></script>
 * <hearth-chat model="Qwen/Qwen3-0.6B-GGUF" system="Be brief."></hearth-chat>
 * ```
 */
import { HearthChat } from "./element.js";

export { HearthChat, type HearthChatEventMap } from "./element.js";
export type { HearthChatTexts } from "./texts.js";
export type { AnswerRenderer } from "./view.js";
export type { Answerer, ChatEngine, ChatMessage, ChatOptions, ChatRequest } from "../chat/conversation.js";
export type { SharedEngineOptions } from "../chat/engines.js";

declare global {
  interface HTMLElementTagNameMap {
    "hearth-chat": HearthChat;
  }
}

// A server has no elements, and a second copy of the package must not fail.
const elements = (globalThis as { customElements?: CustomElementRegistry }).customElements;
if (elements !== undefined && elements.get("hearth-chat") === undefined) elements.define("hearth-chat", HearthChat);
