/** Coordination between tabs: they notify each other of changes, and only one at a time answers in a conversation. */
import { signal } from "@preact/signals";
import type { Message } from "../store/tree.js";
import { VERSION } from "../store/upgrade.js";

export type News =
  | { id: string; state: "changed" | "removed" | "begun" }
  /** Carries the answer so far. */
  | { id: string; state: "draft"; message: Message };

/** Conversations in which another tab is answering. */
export const elsewhere = signal<ReadonlySet<string>>(new Set());

/** Time to wait for an answer that is just ending, whose words a slow disk has not kept yet. */
const WAIT_MS = 10_000;
/** Only pages with the same format of messages talk to each other: others lose the database to the newer one anyway. */
const CHANNEL = `hearth-conversations-${String(VERSION)}`;
const channel = "BroadcastChannel" in globalThis ? new BroadcastChannel(CHANNEL) : undefined;
/** Absent without https; then tabs only notify each other. */
const locks = (navigator as Partial<Navigator>).locks ?? undefined;
const nameOf = (id: string): string => `hearth-conversation-${id}`;

export function tell(news: News): void {
  channel?.postMessage(news);
}

export function onNews(listener: (news: News) => void): void {
  channel?.addEventListener("message", ({ data }: MessageEvent<News>) => {
    listener(data);
  });
}

/** Runs `answer` in a conversation, unless another tab is answering there. */
export async function answerAlone(id: string, answer: () => Promise<void>): Promise<void> {
  if (locks === undefined) {
    await answer();
    return;
  }
  const signal = AbortSignal.timeout(WAIT_MS);
  await locks.request(nameOf(id), { signal }, answer).catch((error: unknown) => {
    if (error !== signal.reason) throw error;
  });
}

/**
 * Whether another tab is answering in a conversation; if so, `onEnd` is called when the answer ends or that tab closes.
 */
export async function watch(id: string, onEnd: () => void): Promise<boolean> {
  if (locks === undefined) return false;
  if (elsewhere.value.has(id)) return true;
  const { held } = await locks.query();
  if (held?.some(({ name }) => name === nameOf(id)) !== true) return false;
  mark(id, true);
  void locks.request(nameOf(id), { mode: "shared" }, () => {
    mark(id, false);
    onEnd();
  });
  return true;
}

function mark(id: string, isElsewhere: boolean): void {
  const next = new Set(elsewhere.value);
  if (isElsewhere) next.add(id);
  else next.delete(id);
  elsewhere.value = next;
}
