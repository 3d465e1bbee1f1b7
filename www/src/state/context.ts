/**
 * The room in a model's context: how much of it the open conversation takes, and the three ways on when it is full: more
 * room, fewer of the oldest messages, or a new conversation with a summary.
 */
import { computed, effect, signal } from "@preact/signals";
import { Completions, type Backend } from "hearth-llm";
import { textOf } from "../store/parts.js";
import { withoutJournal, type Message } from "../store/tree.js";
import { t } from "../text/index.js";
import { answering, bundles, current, forget, given, importBundles, path, system } from "./chat.js";
import { backend, load, localChoice } from "./model.js";
import { device } from "./plan.js";
import { toParam } from "./messages.js";
import { newHead } from "./new-messages.js";

export interface ContextUse {
  used: number;
  total: number;
  /** Whether `used` was estimated from the length of the texts. */
  isRough: boolean;
}

/** Characters of a token, for texts that nobody has counted; of Chinese, Japanese and Korean about one. */
const CHARACTERS = 3.6;
const WIDE = /[\u1100-\u11ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]/g;
/** Tokens around each message, by the chat template. */
const FRAME = 6;
/** Share of the context from which the visitor is warned. */
export const TIGHT = 0.75;
/** Share of the context that the newest messages keep when the oldest are left out. */
const KEPT = 0.5;
/** Bytes per position of a context where no plan tells, those of a model of a few billion parameters. */
const KV_GROWTH = 2;
const LARGEST = 131_072;

/** Estimates the tokens of a text. */
export function roughTokens(text: string): number {
  const wide = text.match(WIDE)?.length ?? 0;
  return Math.ceil(wide + (text.length - wide) / CHARACTERS);
}

/** Tokens of the texts that were counted while nothing else ran; by the texts. */
const counted = signal<{ text: string; tokens: number } | undefined>(undefined);

const textOfAll = (messages: readonly Message[]): string =>
  [system.value, ...messages.map((message) => textOf(message))].join("\n");

/** Use of the context by the open conversation; undefined where the model does not tell its length. */
export const contextUse = computed((): ContextUse | undefined => {
  const total = backend.value?.model.n_ctx;
  if (total === undefined) return undefined;
  const live = answering.value?.stats.value;
  if (live) return { used: live.prompt + live.tokens, total, isRough: false };
  const messages = given.value;
  const last = messages.at(-1);
  if (last === undefined) return { used: 0, total, isRough: false };
  // Counted by the model that runs, if it made the last answer, and with the messages that it still gets.
  const { stats } = last;
  const isOwn = last.model === backend.value?.model.name && (current.value?.forgotten ?? []).length === 0;
  if (stats !== null && isOwn) return { used: stats.prompt + stats.tokens, total, isRough: false };
  const text = textOfAll(messages);
  const exact = counted.value?.text === text ? counted.value.tokens : undefined;
  const used = (exact ?? roughTokens(text)) + FRAME * (messages.length + 1);
  return { used, total, isRough: true };
});

/** Counts conversations that no answer has counted, while the model is idle. */
export function countContext(): void {
  effect(() => {
    const { local } = backend.value ?? {};
    const use = contextUse.value;
    if (local === undefined || answering.value !== undefined || use?.isRough !== true) return;
    const text = textOfAll(given.value);
    if (counted.peek()?.text === text) return;
    local.tokenize(text).then(
      ({ length }) => {
        counted.value = { text, tokens: length };
      },
      // The engine has ended, which is told elsewhere.
      () => undefined,
    );
  });
}

/** A longer context that the model was trained for and this device has room for; undefined if there is none. */
export const longer = computed((): number | undefined => {
  const { local } = backend.value ?? {};
  if (local === undefined || localChoice.value === undefined) return undefined;
  const { n_ctx, n_ctx_train, kv_bytes, weight_bytes } = local.model;
  const most = Math.min(n_ctx_train || LARGEST, LARGEST);
  const { memory } = device.value;
  for (const factor of [4, 2]) {
    const next = n_ctx * factor;
    const bytes = weight_bytes + kv_bytes * factor;
    // Where nothing tells how much memory there is, only the cache's own growth bounds it.
    const hasRoom = memory === null ? kv_bytes * factor <= KV_GROWTH * weight_bytes : bytes <= memory;
    if (next <= most && hasRoom) return next;
  }
  return undefined;
});

/** Loads the model again with a longer context. The conversation stays. */
export async function lengthen(): Promise<void> {
  const [choice, contextSize] = [localChoice.value, longer.value];
  if (choice === undefined || contextSize === undefined) return;
  await load({ ...choice, options: { ...choice.options, contextSize } });
}

/** Returns the oldest messages that have to go so that the rest takes half of the context; whole turns. */
export function oldest(messages: readonly Message[], total: number): Message[] {
  const sizes = messages.map((message) => roughTokens(textOf(message)) + FRAME);
  let left = sizes.reduce((sum, size) => sum + size, 0);
  let end = 0;
  for (const [index, message] of messages.entries()) {
    // The last question stays, however long it is.
    const isTurn = message.role === "user";
    if (isTurn && (left <= KEPT * total || messages.slice(index + 1).every(({ role }) => role !== "user"))) break;
    left -= sizes[index] ?? 0;
    end = index + 1;
  }
  return messages.slice(0, end);
}

/** Whether there are messages to leave out. */
export const canForget = computed(() => {
  const total = contextUse.value?.total;
  return total !== undefined && oldest(given.value, total).length > 0;
});

/** Leaves the oldest messages out of what the model gets; they stay on the page. */
export async function forgetOldest(): Promise<void> {
  const total = contextUse.value?.total;
  if (total === undefined) return;
  await forget(oldest(given.value, total).map(({ id }) => id));
}

/** Whether a summary is being made. */
export const isSummarising = signal(false);

/** Summarises the conversation and goes on in a new one, which begins with its last turn. */
export async function summarise(): Promise<void> {
  const [running, total] = [backend.value, contextUse.value?.total];
  if (running === undefined || total === undefined || isSummarising.value) return;
  const messages = given.value;
  isSummarising.value = true;
  try {
    const summary = await summaryOf(running, messages, total);
    const from = messages.findLastIndex(({ role }) => role === "user");
    const prompt = [system.value, `${t().summaryBefore}\n\n${summary}`].filter((text) => text.trim() !== "");
    // A question that failed for lack of room is asked again by the visitor.
    await beginWith(prompt.join("\n\n"), from < 0 ? [] : messages.slice(from));
  } finally {
    isSummarising.value = false;
  }
}

/** Begins a conversation with the last messages of the open one, and opens it. */
async function beginWith(prompt: string, messages: readonly Message[]): Promise<void> {
  const [open] = await bundles(current.value?.id ?? "");
  const conversation = { ...newHead([], prompt), title: open?.conversation.title ?? "" };
  const { id } = conversation;
  let parent: string | null = null;
  const copies: Message[] = [];
  for (const message of messages) {
    const copy: Message = { ...withoutJournal(message), id: crypto.randomUUID(), conversation: id, parent };
    copies.push(copy);
    parent = copy.id;
  }
  const files = (open?.files ?? []).map((file) => ({ ...file, conversation: id }));
  await importBundles([{ conversation: { ...conversation, leaf: parent }, messages: copies, files }]);
}

async function summaryOf(running: Backend, messages: readonly Message[], total: number): Promise<string> {
  const dropped = oldest(messages, total).length;
  const told = messages.slice(dropped).filter(({ role }, index, all) => role === "assistant" || index < all.length - 1);
  const completion = await new Completions(running).create({
    messages: [...told.map(toParam), { role: "user", content: t().summariseRequest }],
    max_tokens: Math.max(64, Math.floor(total / 8)),
  });
  return completion.choices[0]?.message.content ?? "";
}

/** Conversation whose room is running out, of which the visitor has been told. */
export const isTight = computed(() => {
  const use = contextUse.value;
  return use !== undefined && path.value.length > 0 && use.used >= TIGHT * use.total;
});
