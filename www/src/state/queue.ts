/**
 * Messages that wait: for the end of the answer in their conversation, or for a model. Each is sent when its turn comes,
 * whichever conversation is on the screen.
 */
import { computed, effect, signal, untracked } from "@preact/signals";
import type { DraftPicture } from "../store/db.js";
import { answerings, failures } from "./answers.js";
import { begin, canAsk, isServing, send, sendIn, whenAnswered } from "./chat.js";
import { place } from "./draft.js";
import { opened } from "./store.js";
import { elsewhere } from "./tabs.js";

export interface Waiting {
  key: string;
  text: string;
  pictures: readonly DraftPicture[];
}

/** The waiting messages by their conversations' ids; "" is a conversation that begins with them. */
const queues = signal<ReadonlyMap<string, readonly Waiting[]>>(new Map());
/** The waiting messages of the open conversation, in the order in which they are sent. */
export const waiting = computed(() => queues.value.get(place.value) ?? []);

/** Sends a message, or lets it wait for its turn; returns whether it has been sent. */
export function sendOrQueue(text: string, pictures: readonly DraftPicture[]): boolean {
  if (canAsk.peek() && waiting.peek().length === 0) {
    void send(text, pictures);
    return true;
  }
  put(place.peek(), [...waiting.peek(), { key: crypto.randomUUID(), text, pictures }]);
  // The failure that held the others may have been dealt with.
  next(place.peek());
  return false;
}

/** Takes a waiting message of the open conversation back. */
export function takeBack({ key }: Waiting): void {
  put(
    place.peek(),
    waiting.peek().filter((one) => one.key !== key),
  );
}

/** Sends what a failure has held up. */
export function sendNext(): void {
  advance(place.peek());
}

function put(id: string, all: readonly Waiting[]): void {
  const others = new Map(queues.peek());
  if (all.length === 0) others.delete(id);
  else others.set(id, all);
  queues.value = others;
}

/** Sends the next message of a conversation unless it is being answered, or its last question has failed. */
function next(id: string): void {
  if (!failures.peek().has(id)) advance(id);
}

function advance(id: string): void {
  const [first, ...others] = queues.peek().get(id) ?? [];
  if (first === undefined || !isServing.peek() || answerings.peek().has(id) || elsewhere.peek().has(id)) return;
  put(id, others);
  if (id !== "") {
    void sendIn(id, first.text, first.pictures);
    return;
  }
  // The others belong to the conversation that begins here.
  put("", []);
  put(begin(first.text, first.pictures), others);
}

/** Sends waiting messages from now on. */
export function keepQueue(): void {
  whenAnswered(next);
  effect(() => {
    const answeredElsewhere = elsewhere.value;
    if (!isServing.value) return;
    untracked(() => {
      for (const id of queues.peek().keys()) if (!answeredElsewhere.has(id)) next(id);
    });
  });
  // Unsent messages outlast the page as drafts do.
  addEventListener("pagehide", () => {
    for (const [id, all] of queues.peek()) void keepAsDraft(id, all);
  });
}

async function keepAsDraft(id: string, all: readonly Waiting[]): Promise<void> {
  const store = await opened();
  const texts = [...all.map(({ text }) => text), await store.draft(id)];
  await store.putDraft(id, texts.filter((text) => text !== "").join("\n\n")).catch(() => undefined);
}
