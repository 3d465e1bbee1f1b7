/** A hook for a conversation with a model. */
import { useEffect, useState, useSyncExternalStore } from "react";
import {
  Conversation,
  type ChatEngine,
  type ChatMessage,
  type ChatOptions,
  type ChatState,
} from "../chat/conversation.js";

/** Settings of `useChat`. */
export interface UseChatOptions extends ChatOptions {
  /** Messages at the beginning, for instance those that were kept. Later changes have no effect. */
  initialMessages?: readonly ChatMessage[] | undefined;
}

/** A conversation and what can be done with it. The functions are the same at each rendering and never reject. */
export interface Chat extends ChatState {
  /** Sends the user's message and resolves when its answer has ended. An answer that still comes is stopped. */
  readonly send: (text: string) => Promise<void>;
  /** Stops the answer; what has come of it stays. */
  readonly stop: () => void;
  /** Answers the user's last message again. */
  readonly regenerate: () => Promise<void>;
  /** Puts other messages in place of these, none for a new conversation. */
  readonly setMessages: (messages: readonly ChatMessage[]) => void;
}

/**
 * Holds a conversation with an engine, a remote model, a router or a backend. The answer stops when the component goes.
 *
 * @param engine What answers; undefined while it loads, and a message that is sent then ends in an error.
 */
export function useChat(engine: ChatEngine, options: UseChatOptions = {}): Chat {
  const [conversation] = useState(() => new Conversation(options.initialMessages, engine, options));
  useEffect(() => {
    conversation.configure(engine, options);
  });
  useEffect(() => conversation.stop, [conversation]);
  const state = useSyncExternalStore(conversation.subscribe, conversation.state, conversation.state);
  const { send, stop, regenerate, setMessages } = conversation;
  return { ...state, send, stop, regenerate, setMessages };
}
