/** The fake core's conversation and its pages: one for each eight characters, with its number before them. */
import type { ContextPage } from "../src/core/wasm-contract.js";
import { FakeAdapters } from "./fake-adapters.js";
import { CoreError } from "./fake-errors.js";

const SIZE = 8;

/** The conversation that the engine holds; pages put back, and those saved, by name. */
export const context = { held: "", restored: [] as string[], saved: [] as string[] };

export function resetContext(): void {
  Object.assign(context, { held: "", restored: [], saved: [] });
}

/** Replaces the conversation; returns the number of characters that both begin with. */
export function hold(prompt: string): number {
  let cached = 0;
  while (cached < prompt.length - 1 && prompt[cached] === context.held[cached]) cached++;
  context.held = prompt;
  return cached;
}

/** The part of an engine that has adapters and saves its conversation. */
export class Paged extends FakeAdapters {
  /** Returns the pages; their names depend on everything before, as the core's do. */
  contextPages(): ContextPage[] {
    const { held } = context;
    const texts = held.match(/[^]{1,8}/g) ?? [];
    return texts.map((text, i) => {
      const until = Array.from(held.slice(0, SIZE * i + text.length));
      const hash = until.reduce((sum, c) => (sum * 31 + c.charCodeAt(0)) % 1_000_000_007, 7);
      return { name: `rows-${String(i).padStart(8, "0")}-${String(hash)}`, bytes: text.length };
    });
  }

  savePage(name: string): Promise<Uint8Array | undefined> {
    const at = this.contextPages().findIndex((page) => page.name === name);
    if (at < 0) return Promise.resolve(undefined);
    context.saved.push(name);
    const text = context.held.slice(SIZE * at, SIZE * (at + 1));
    return Promise.resolve(new TextEncoder().encode(`${String(at)}:${text}`));
  }

  restorePage(page: Uint8Array): number {
    const [, at, text] = /^(\d+):([^]+)$/.exec(new TextDecoder().decode(page)) ?? [];
    const from = SIZE * Number(at);
    if (text === undefined || (from > 0 && from > context.held.length)) {
      throw new CoreError("bad_file", "saved context file is malformed", "Nothing to do.");
    }
    context.held = context.held.slice(0, from) + text;
    context.restored.push(text);
    return context.held.length;
  }
}
