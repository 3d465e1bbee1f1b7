/**
 * The journal of an answer: what it takes to go on with it in another page as if nothing had interrupted it. A model that
 * is given the same request, random numbers and tokens goes on with the token that would have come next.
 */
import type { Backend } from "hearth-llm";
import type { Journal, Message } from "../store/tree.js";

/** Returns what the tokens of a model's answers depend on; undefined if it does not tell them, or runs elsewhere. */
export function identityOf({ local, capabilities }: Backend): string | undefined {
  if (local === undefined || !capabilities.tokenIds) return undefined;
  const { architecture, name, parameters, weight_bytes, vocab_size } = local.model;
  return JSON.stringify([architecture, name, parameters, weight_bytes, vocab_size]);
}

/** Returns the journal of an interrupted answer if this model has made it. */
export function journalFor(backend: Backend, { journal }: Message): Journal | undefined {
  return journal !== undefined && journal.model === identityOf(backend) ? journal : undefined;
}

/** Returns a seed, so that the random numbers of an answer are known. */
export function newSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
}

/** Returns whether a model can go on with an answer: by the tokens that it has made, or by a text. */
export function canContinue(backend: Backend | undefined, message: Message | undefined): boolean {
  if (backend === undefined || message === undefined) return false;
  return backend.capabilities.continuation || journalFor(backend, message) !== undefined;
}
