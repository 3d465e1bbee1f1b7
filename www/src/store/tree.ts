/**
 * A conversation is a tree: editing a question or asking again adds a branch alongside the old one. The page shows the
 * path from the first message to one leaf.
 */
import type { Part } from "./parts.js";

export interface AnswerStats {
  tokens: number;
  /** Tokens of the answer that were drafted from the context. */
  drafted: number;
  /** Drafted tokens that turned out wrong. */
  rejected: number;
  /** Tokens of the prompt, and those that were still in the KV cache. */
  prompt: number;
  cached: number;
  /** Seconds from sending to the first token. */
  firstToken: number | null;
  tokensPerSecond: number | null;
}

/** The end of an answer; `running` as long as it has not ended. */
export type AnswerEnd = "running" | "stop" | "length" | "stopped";

/** A place where an answer, or a part of it, was made. */
export interface Place {
  /** `here`: in this page. `browser`: by the browser's own model. `server`: by the one in `server`. */
  where: "here" | "browser" | "server";
  /** Host of the server, with its port. */
  server?: string;
}

/** State that it takes to go on with an answer that was interrupted; see `state/journal.ts`. */
export interface Journal {
  /** Identity of the model. */
  model: string;
  /** Tokens of the answer so far. */
  ids: number[];
  /** The answer before them, if it is one that was continued. */
  from: { text: string; reasoning: string };
  /** Fields of the request beside the conversation: sampling, with its seed. */
  fields: Readonly<Record<string, unknown>>;
}

export interface Message {
  id: string;
  conversation: string;
  parent: string | null;
  role: "user" | "assistant";
  parts: Part[];
  /** The model's reasoning before its answer. */
  reasoning: string;
  /** Seconds of that reasoning; absent without one, and in answers of earlier versions of the page. */
  thought?: number;
  end: AnswerEnd;
  stats: AnswerStats | null;
  /** Name of the model that answered. */
  model: string;
  /** Places where the answer was made, in order; absent in questions and in answers of earlier versions of the page. */
  places?: Place[];
  /** Number of pictures in the conversation that the model did not get; absent if it got all of them. */
  unseen?: number;
  /** Only in answers that are being made, or were interrupted. */
  journal?: Journal;
  /** Milliseconds since 1970. */
  created: number;
}

/** The messages of one conversation by their ids. */
export type Tree = ReadonlyMap<string, Message>;

/** Returns the messages from the first one to `leaf`. */
export function pathTo(tree: Tree, leaf: string | null): Message[] {
  const path: Message[] = [];
  for (let id = leaf; id !== null;) {
    const message = tree.get(id);
    // Only a cycle can be longer than the tree.
    if (message === undefined || path.length > tree.size) break;
    path.push(message);
    id = message.parent;
  }
  return path.reverse();
}

/** Returns the children of each message, oldest first; those of `null` are the first messages. */
export function childrenOf(tree: Tree): Map<string | null, Message[]> {
  const children = new Map<string | null, Message[]>();
  for (const message of tree.values()) {
    const list = children.get(message.parent);
    if (list === undefined) children.set(message.parent, [message]);
    else list.push(message);
  }
  for (const list of children.values()) list.sort((a, b) => a.created - b.created || (a.id < b.id ? -1 : 1));
  return children;
}

/** Returns the leaf reached from `start` by taking the newest branch each time. */
export function newestLeaf(children: ReadonlyMap<string | null, Message[]>, start: string): string {
  let id = start;
  for (;;) {
    const next = children.get(id)?.at(-1);
    if (next === undefined) return id;
    id = next.id;
  }
}

/** Whether every parent exists and there are no cycles. */
export function isTree(messages: readonly Pick<Message, "id" | "parent">[]): boolean {
  const parents = new Map(messages.map(({ id, parent }) => [id, parent]));
  if (parents.size !== messages.length) return false;
  const good = new Set<string>();
  for (const { id } of messages) {
    const way: string[] = [];
    const seen = new Set<string>();
    for (let at: string | null = id; at !== null && !good.has(at);) {
      const parent = parents.get(at);
      if (parent === undefined || seen.has(at)) return false;
      seen.add(at);
      way.push(at);
      at = parent;
    }
    for (const node of way) good.add(node);
  }
  return true;
}

/** Derives a short name for a conversation from its first question. */
export function titleOf(question: string): string {
  const line = question.trim().split("\n")[0] ?? "";
  const characters = Array.from(line);
  return characters.length > 60 ? `${characters.slice(0, 59).join("").trimEnd()}…` : line;
}

/** Returns the places with another one, unless it is the last of them already. */
export function withPlace(places: readonly Place[], place: Place): Place[] {
  const last = places.at(-1);
  const isSame = last?.where === place.where && last.server === place.server;
  return isSame ? [...places] : [...places, place];
}

/** Returns the message as one of another conversation, where nothing goes on with its answer. */
export function withoutJournal(message: Message): Message {
  const { journal, ...others } = message;
  return journal === undefined ? message : others;
}
