/**
 * The answers being generated and the failed ones. Each belongs to its conversation, whichever one is on the screen: a
 * visitor may read or ask elsewhere in the meantime.
 */
import { signal } from "@preact/signals";
import type { Answering } from "./answering.js";
import { forgetAnswering, markAnswering } from "./marks.js";

/** Reason why the last request of a conversation failed, and a way to retry it. */
export interface Failure {
  error: unknown;
  retry: () => void;
}

/** The answers in progress by their conversations' ids. */
export const answerings = signal<ReadonlyMap<string, Answering>>(new Map());
/** The failures by their conversations' ids. */
export const failures = signal<ReadonlyMap<string, Failure>>(new Map());

export function setAnswering(conversation: string, answering: Answering | undefined): void {
  answerings.value = changed(answerings.peek(), conversation, answering);
  if (answering === undefined) forgetAnswering(conversation);
  else markAnswering(conversation);
}

export function setFailure(conversation: string, failure: Failure | undefined): void {
  failures.value = changed(failures.peek(), conversation, failure);
}

function changed<T>(map: ReadonlyMap<string, T>, key: string, value: T | undefined): ReadonlyMap<string, T> {
  if (map.get(key) === value) return map;
  const next = new Map(map);
  if (value === undefined) next.delete(key);
  else next.set(key, value);
  return next;
}
