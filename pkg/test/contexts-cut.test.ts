/**
 * A machine that stops at any moment of a save: what is put back afterwards is a beginning of the conversation that was kept or of
 * the one that was to be, and the next save makes it whole.
 */
import { createHash } from "node:crypto";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { ContextPage, WasmEngine } from "../src/core/wasm-contract.js";
import { Contexts } from "../src/worker/contexts.js";
import { CoreError } from "./fake-errors.js";
import { Opfs } from "./opfs.js";

const SIZE = 8;
const sum = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 16);

/** A core that takes a page as a whole and after its own text, or not at all. */
class Core {
  constructor(public held = "") {}

  contextPages(): ContextPage[] {
    return [...this.#pages()].map(([name, page]) => ({ name, bytes: page.length }));
  }

  savePage(name: string): Promise<Uint8Array | undefined> {
    return Promise.resolve(this.#pages().get(name));
  }

  restorePage(page: Uint8Array): number {
    const [, check = "", content = "[]"] = /^([0-9a-f]{16})([^]+)$/.exec(new TextDecoder().decode(page)) ?? [];
    if (check !== sum(content)) throw new CoreError("bad_file", "page is damaged", "");
    const [from, digest, text] = JSON.parse(content) as [number, string, string];
    const held = this.held.slice(0, from) + text;
    if (from > this.held.length || digest !== sum(held)) throw new CoreError("bad_file", "page is of another text", "");
    this.held = held;
    return held.length;
  }

  #pages(): Map<string, Uint8Array> {
    const pages = new Map<string, Uint8Array>();
    for (let from = 0; from < this.held.length; from += SIZE) {
      const to = Math.min(from + SIZE, this.held.length);
      const digest = sum(this.held.slice(0, to));
      const content = JSON.stringify([from, digest, this.held.slice(from, to)]);
      pages.set(`rows-${String(to).padStart(8, "0")}-${digest}`, new TextEncoder().encode(sum(content) + content));
    }
    return pages;
  }
}

/** A worker on a machine: its core, and the conversations that it keeps. */
class Machine {
  readonly core = new Core();
  readonly contexts: Contexts;

  constructor(
    readonly disk: Opfs,
    maxBytes?: number,
  ) {
    disk.install();
    const engine = this.core as unknown as WasmEngine;
    this.contexts = new Contexts({
      conversations: 1,
      ...(maxBytes === undefined ? {} : { maxBytes }),
      withEngine: (task) => (disk.isStopped ? new Promise(() => undefined) : Promise.resolve(task(engine))),
      trapped: (error) => {
        throw error;
      },
    });
  }

  /** Puts a conversation back; returns its text as far as it came. */
  async restore(key: string): Promise<string> {
    this.core.held = "";
    await this.contexts.restore(this.core as unknown as WasmEngine, key, new AbortController().signal);
    return this.core.held;
  }

  /** Answers in a conversation, and saves it until the disk has it or the machine stops. */
  async save(key: string, text: string): Promise<void> {
    let isAnswered = false;
    void this.restore(key).then(() => {
      this.core.held = text;
      this.contexts.saveSoon(key);
      vi.runOnlyPendingTimers();
      isAnswered = true;
    });
    const isSaved = (): boolean => isAnswered && this.#isSaved();
    const late = Date.now() + 10_000;
    while (!this.disk.isStopped && !isSaved()) {
      if (Date.now() > late)
        throw new Error("the disk does not come to have the pages of the conversation, and no others");
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  #isSaved(): boolean {
    const names = this.core.contextPages().map(({ name, bytes }) => `${name} ${String(bytes)}`);
    return this.disk.folders().some(({ files }) => {
      const kept = Array.from(files, ([name, { bytes }]) => `${name} ${String(bytes.length)}`);
      return kept.sort().join("\n") === names.sort().join("\n");
    });
  }
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  vi.stubGlobal("BroadcastChannel", undefined);
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const OLD = "a text that is a little longer than one page";

/** Returns the length that two conversations have in common, in whole pages. */
function shared(a: string, b: string): number {
  let at = 0;
  while (at < a.length && a[at] === b[at]) at++;
  return at === a.length && at === b.length ? at : at - (at % SIZE);
}

/** Reports whether some text is what whole pages of a conversation hold. */
const isBeginning = (text: string, of: string): boolean =>
  of.startsWith(text) && (text.length % SIZE === 0 || text === of);

it.each([
  ["for the first time", "", OLD],
  ["with an answer more", OLD, `${OLD}, and it goes on for two pages`],
  ["with another answer", OLD, "a text that is another one"],
  ["with nothing in common", OLD, "quite different, from its first word to its last"],
])("a conversation is saved %s", async (_, older, newer) => {
  const cuts = await allCuts(older, newer);
  // Each page is a file that is made, emptied and written.
  expect(cuts).toBeGreaterThanOrEqual(3 * Math.floor((newer.length - shared(older, newer)) / SIZE));
});

it("a conversation is saved where another one has to go", async () => {
  const bytes = new Core(OLD).contextPages().reduce((sum, page) => sum + page.bytes, 0);
  expect(await allCuts("", OLD, "a third text, which is on the disk as well", bytes + 10)).toBeGreaterThan(15);
});

it("a damaged page is found", async () => {
  const disk = new Opfs();
  await new Machine(disk).save("chat", OLD);
  const [file] = [...(disk.folders()[0]?.files.values() ?? [])].slice(1);
  if (file === undefined) throw new Error("there is no second page");
  file.bytes = file.bytes.slice(0, file.bytes.length / 2);
  expect(await new Machine(disk.restart()).restore("chat")).toBe(OLD.slice(0, SIZE));
});

/** Saves a conversation over an older one, and stops at each change of the disk in turn; returns their number. */
async function allCuts(older: string, newer: string, beside = "", maxBytes?: number): Promise<number> {
  const before = new Opfs();
  if (beside !== "") await new Machine(before).save("beside", beside);
  if (older !== "") await new Machine(before, maxBytes).save("chat", older);
  for (let cut = 0; ; cut++) {
    const disk = before.restart();
    const first = new Machine(disk, maxBytes);
    disk.stopAfter(cut);
    await first.save("chat", newer);
    if (!disk.isStopped) return cut;
    const second = new Machine(disk.restart(), maxBytes);
    const found = await second.restore("chat");
    expect([cut, found, isBeginning(found, newer) || isBeginning(found, older)]).toEqual([cut, found, true]);
    // The beginning that both share was on the disk before, and nothing takes it away.
    expect(found.length).toBeGreaterThanOrEqual(shared(older, newer));
    await second.save("chat", newer);
    expect(await new Machine(second.disk.restart(), maxBytes).restore("chat")).toBe(newer);
    if (beside === "") continue;
    const rest = await new Machine(disk.restart(), maxBytes).restore("beside");
    expect([rest, isBeginning(rest, beside)]).toEqual([rest, true]);
  }
}
