"use client";
/**
 * React hooks for an engine and for a conversation with it. React 18 or later is an optional peer.
 *
 * ```tsx
 * import { useChat, useEngine } from "hearth-llm/react";
 *
 * const { engine, progress } = useEngine({ model: "Qwen/Qwen3-0.6B-GGUF" });
 * const { messages, send, stop, status } = useChat(engine);
 * ```
 */
export { useChat, type Chat, type UseChatOptions } from "./use-chat.js";
export { useEngine, type UseEngine } from "./use-engine.js";
export type {
  Answerer,
  ChatEngine,
  ChatMessage,
  ChatOptions,
  ChatRequest,
  ChatState,
  ChatStatus,
} from "../chat/conversation.js";
export type { EngineState, SharedEngineOptions } from "../chat/engines.js";
