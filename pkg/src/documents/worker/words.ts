/**
 * An index of words in a worker, which no file that is read can take down. The page keeps the passages' texts, which it
 * has anyway: if the worker does not start, or ends, they are indexed on the page.
 */
import type { Entry, Scored, WordIndex, Words } from "../words.js";
import type { FromReader, WordsCall } from "./protocol.js";
import { startWorker, type DocumentsWorkerOptions } from "./start.js";

/** Milliseconds in which the script has to load. */
const START_MS = 20_000;

type Answer = (found: Scored[] | undefined) => void;

export class WorkerWords implements Words {
  readonly #url: string | URL | undefined;
  readonly #entries = new Map<number, Entry>();
  readonly #calls = new Map<number, Answer>();
  #next = 0;
  #worker: Worker | undefined;
  #start: ReturnType<typeof setTimeout> | undefined;
  /** Whether there is no worker any more. */
  #isOver = false;
  /** The index on the page, in place of the worker's. */
  #local: Promise<WordIndex> | undefined;

  constructor({ workerUrl }: DocumentsWorkerOptions = {}) {
    this.#url = workerUrl;
  }

  async add(entries: Entry[]): Promise<void> {
    for (const entry of entries) this.#entries.set(entry.id, entry);
    if (this.#local !== undefined) await (await this.#local).add(entries);
    else if ((await this.#ask((call) => ({ type: "add", call, entries }))) === undefined) await this.#here();
  }

  remove(ids: number[]): void {
    for (const id of ids) this.#entries.delete(id);
    if (this.#local === undefined) this.#worker?.postMessage({ type: "remove", ids } satisfies WordsCall);
    else
      void this.#local.then((index) => {
        index.remove(ids);
      });
  }

  async search(query: string, most: number, isChosen: (id: number) => boolean): Promise<Scored[]> {
    const found = await this.#ask((call) => ({ type: "search", call, query }));
    if (found === undefined) return (await this.#here()).search(query, most, isChosen);
    return found.filter(({ id }) => isChosen(id)).slice(0, most);
  }

  /** Ends the worker. What is asked later is found on the page. */
  close(): void {
    this.#isOver = true;
    clearTimeout(this.#start);
    this.#worker?.terminate();
    this.#worker = undefined;
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    for (const answer of calls) answer(undefined);
  }

  /** Calls the worker, and starts it for the first call; returns undefined if there is none. */
  #ask(message: (call: number) => WordsCall): Promise<Scored[] | undefined> {
    if (this.#isOver) return Promise.resolve(undefined);
    try {
      const worker = (this.#worker ??= this.#started());
      const call = this.#next++;
      return new Promise((resolve) => {
        this.#calls.set(call, resolve);
        worker.postMessage(message(call));
      });
    } catch {
      this.#isOver = true;
      return Promise.resolve(undefined);
    }
  }

  #started(): Worker {
    const worker = startWorker(this.#url);
    const end = (): void => {
      this.close();
    };
    worker.onmessage = ({ data }: MessageEvent<FromReader>) => {
      if (data.type === "ready") clearTimeout(this.#start);
      if (data.type !== "found") return;
      this.#calls.get(data.call)?.(data.found);
      this.#calls.delete(data.call);
    };
    worker.onmessageerror = end;
    worker.onerror = (event) => {
      event.preventDefault();
      end();
    };
    this.#start = setTimeout(end, START_MS);
    return worker;
  }

  #here(): Promise<WordIndex> {
    return (this.#local ??= this.#build());
  }

  async #build(): Promise<WordIndex> {
    const entries = [...this.#entries.values()];
    const { WordIndex: Index } = await import("../words.js");
    const index = new Index();
    await index.add(entries);
    return index;
  }
}
