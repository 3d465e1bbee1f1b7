/**
 * Announcements for screen readers. Depending on reader and browser, an answer that changes with each token is either
 * spoken from the start over and over or not at all; so the conversation itself is silent, and whole sentences are
 * announced here, a few at a time.
 */
import { effect, signal, untracked } from "@preact/signals";
import { t } from "../text/index.js";
import { answering } from "./chat.js";
import { backend, runningName } from "./model.js";
import { settings } from "./settings.js";

/** The text of the page's status region. */
export const announced = signal("");

/** A change within this time would interrupt what is being spoken. */
const PAUSE_MS = 2000;
const SENTENCE_END = /[.!?…][)\]"'”’]*\s|[。！？]|\n/g;

let waiting: string[] = [];
let timer: ReturnType<typeof setTimeout> | undefined;

export function announce(text: string): void {
  if (text === "") return;
  waiting.push(text);
  if (timer === undefined) speak();
}

function speak(): void {
  timer = undefined;
  if (waiting.length === 0) return;
  announced.value = waiting.join(" ");
  waiting = [];
  timer = setTimeout(speak, PAUSE_MS);
}

export function announceAll(): void {
  effect(() => {
    const running = backend.value;
    if (running !== undefined)
      untracked(() => {
        announce(t().modelReady(runningName(running)));
      });
  });
  effect(() => {
    const running = answering.value;
    return running === undefined ? undefined : untracked(() => follow(running));
  });
}

/** Announces one answer, until the returned function is called. */
function follow({ text, done, looking }: NonNullable<typeof answering.value>): (() => void) | undefined {
  const { announce: how } = settings.value;
  if (how === "off") return undefined;
  announce(looking > 0 ? t().looking(looking) : t().answering);
  let said = text.value.length;
  const tell = (end: number): void => {
    announce(spoken(text.peek().slice(said, end)));
    said = end;
  };
  const ticks = setInterval(() => {
    if (how === "sentences") tell(said + lastEnd(text.peek().slice(said)));
  }, PAUSE_MS);
  // An answer that the visitor left is not finished, and an error is announced elsewhere.
  let isFinished = false;
  void done.then(({ error }) => {
    isFinished = error === undefined;
  });
  return () => {
    clearInterval(ticks);
    if (!isFinished) return;
    if (how === "sentences") tell(text.peek().length);
    announce(t().answered);
  };
}

/** Returns the end of the last whole sentence. */
function lastEnd(text: string): number {
  let end = 0;
  for (const { 0: match, index } of text.matchAll(SENTENCE_END)) end = index + match.length;
  return end;
}

/** Removes Markdown's markup. */
function spoken(text: string): string {
  const words = text.replace(/[*`]/g, "").replace(/[#>|~\s]+/g, " ");
  return words.trim();
}
