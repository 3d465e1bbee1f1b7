/** Helpers of the tests of tabs that share a model. */
import type { SharedEngine } from "../src/shared/index.js";
import type { Tab } from "./shared-browser.js";

export interface Wanted {
  seed: number;
  prompt: string;
  count: number;
}

export interface Watching {
  signal?: AbortSignal;
  /** Controller to abort after this many chunks with tokens. */
  stop?: AbortController;
  after?: number;
  onIds?: (ids: readonly number[]) => void;
}

/** Streams an answer and returns its ids. */
export async function complete(
  engine: SharedEngine,
  { seed, prompt, count }: Wanted,
  { signal, stop, after = 0, onIds }: Watching = {},
): Promise<number[]> {
  const params = { prompt, seed, max_tokens: count, stream: true, return_token_ids: true } as const;
  const stream = await engine.completions.create(params, signal ? { signal } : {});
  const ids: number[] = [];
  let chunks = 0;
  if (stop !== undefined && after === 0) stop.abort();
  for await (const chunk of stream) {
    const found = chunk.choices[0]?.token_ids ?? [];
    ids.push(...found);
    onIds?.(ids);
    if (found.length > 0 && ++chunks === after) stop?.abort();
  }
  return ids;
}

/** Waits until everything between tabs that is under way has arrived. */
export async function settle(turns = 30): Promise<void> {
  for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** Waits for something that comes true within some turns of the event loop, however many a digest takes. */
export async function until(isTrue: () => boolean): Promise<void> {
  for (let i = 0; !isTrue(); i++) {
    if (i === 100_000) throw new Error("it never came true");
    await settle(1);
  }
}

/** Lets a tab begin to load the model; the load goes on when `loaded` is called. */
export async function loading(tab: Tab): Promise<{ first: ReturnType<Tab["create"]>; loaded: () => void }> {
  let loaded = (): void => undefined;
  tab.loading = new Promise((resolve) => {
    loaded = resolve;
  });
  const first = tab.create();
  await until(() => tab.loads === 1);
  return { first, loaded };
}
