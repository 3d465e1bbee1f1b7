/**
 * Answers that were interrupted go on by themselves as soon as a model is there: in the tab that was reloaded or has
 * crashed, once, since an answer may be what ended it; and in another one that shows them when their tab has gone. One
 * whose tab was closed, and that is shown nowhere, waits for the visitor.
 */
import { effect, signal, untracked } from "@preact/signals";
import { canAsk, current, goOn, isElsewhere, openConversation, path } from "./chat.js";
import { journalFor } from "./journal.js";
import { forgetAnswering, interrupted, tried } from "./marks.js";
import { backend } from "./model.js";
import { answerTo } from "./new-messages.js";
import { opened } from "./store.js";

/** The conversation whose answer goes on when a model is there. */
export const awaited = signal<string | undefined>(undefined);

/** Opens the conversation that was being answered when the tab ended, and lets its answer go on. */
export async function resumeInterrupted(): Promise<void> {
  const [id, ...others] = interrupted();
  // Answers behind it were waiting for the engine.
  others.forEach(forgetAnswering);
  if (id === undefined) return;
  awaited.value = id;
  // The visitor may have opened another one by now.
  if (current.value === undefined) await openConversation(id);
}

/** Lets awaited answers go on from now on, and takes over those of tabs that have gone. */
export function keepAnswering(): void {
  effect(() => {
    const id = awaited.value;
    if (id === undefined || current.value?.id !== id || !canAsk.value) return;
    untracked(() => {
      awaited.value = undefined;
      goOnIn(id);
    });
  });
  let before: string | undefined;
  effect(() => {
    const ended = before;
    before = isElsewhere.value ? current.value?.id : undefined;
    if (ended !== undefined && before === undefined) void takeOver(ended);
  });
}

/** Goes on with an answer that another tab has left unfinished, or begins one that it has not begun. */
async function takeOver(id: string): Promise<void> {
  const store = await opened();
  const [head, messages] = await Promise.all([store.conversation(id), store.messages(id)]);
  const isLeft = messages.some(({ end, journal }) => end === "running" && journal !== undefined);
  const last = messages.find((message) => message.id === head?.leaf);
  const isUnanswered = last?.role === "user" && head?.failed !== last.id;
  if ((isLeft || isUnanswered) && current.value?.id === id) awaited.value = id;
}

function goOnIn(id: string): void {
  const [running, last] = [backend.peek(), path.peek().at(-1)];
  forgetAnswering(id);
  if (running === undefined || last === undefined) return;
  // The tab ended before the first word.
  const isQuestion = last.role === "user";
  if (!isQuestion && journalFor(running, last) === undefined) return;
  tried(id);
  void goOn(isQuestion ? answerTo(last, running) : last);
}
