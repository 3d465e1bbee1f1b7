/** Reading in a worker: what it gives is what the page itself would have read, and it can always be ended. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Library, MemoryStore, type AddProgress } from "../../src/documents/index.js";
import { ingest, bytesOf, type DocumentSource } from "../../src/documents/ingest.js";
import { LIMITS } from "../../src/documents/limits.js";
import type { FromReader, ReadJob, WordsCall } from "../../src/documents/worker/protocol.js";
import { ReadingWorker, WorkerWords } from "../../src/documents/worker/index.js";
import { Server } from "../../src/documents/worker/serve.js";
import type { HearthError } from "../../src/index.js";
import { code } from "../engine-support.js";
import { extractors, fixture, prose } from "./support.js";

/** Behaviour of the double. */
let mode: "works" | "throws" | "fails" | "silent" | "mute" | "dies" = "works";

/** The worker's end in Node, behind a channel that copies messages as a browser does. */
class ReaderDouble {
  static all: ReaderDouble[] = [];
  onmessage: ((event: MessageEvent) => void) | null = null;
  onerror: ((event: { message: string; preventDefault(): void }) => void) | null = null;
  onmessageerror: (() => void) | null = null;
  terminated = false;
  jobs = 0;
  readonly #channel = new MessageChannel();

  constructor() {
    if (mode === "throws") throw new DOMException("no workers here", "SecurityError");
    ReaderDouble.all.push(this);
    const { port1, port2 } = this.#channel;
    const post = (message: FromReader, transfer: Transferable[] = []): void => {
      if (!this.terminated) port2.postMessage(message, transfer as never);
    };
    const fail = (): void => {
      this.onerror?.({ message: "", preventDefault: () => undefined });
    };
    const server = new Server(post);
    port2.onmessage = ({ data }: MessageEvent<ReadJob | WordsCall>) => {
      this.jobs++;
      if (mode === "works") void server.handle(data);
      if (mode === "dies") setTimeout(fail);
    };
    port1.onmessage = (event) => {
      this.onmessage?.(event);
    };
    if (mode === "fails") setTimeout(fail);
    else if (mode !== "mute") post({ type: "ready" });
  }

  postMessage(message: unknown): void {
    this.#channel.port1.postMessage(message);
  }

  terminate(): void {
    this.terminated = true;
    this.#channel.port1.close();
  }
}

let worker: ReadingWorker;
const local = vi.fn(ingest);

beforeEach(() => {
  mode = "works";
  ReaderDouble.all = [];
  local.mockClear();
  vi.stubGlobal("Worker", ReaderDouble);
  // pdf.js asks for it when it is loaded, and uses it to draw only.
  (globalThis as { DOMMatrix?: unknown }).DOMMatrix ??= Object;
  worker = new ReadingWorker();
});

afterEach(() => {
  worker.close();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

type Options = Partial<Parameters<typeof ingest>[1]>;

async function read(source: DocumentSource, options: Options = {}) {
  return await worker.read(await bytesOf(source, LIMITS.bytes), { limits: LIMITS, ...options }, local);
}

describe("a worker that reads documents", () => {
  it.each<[string, () => DocumentSource]>([
    ["text", () => ({ name: "a.txt", text: prose(400) })],
    ["Markdown", () => ({ name: "a.md", text: `# One\n\n${prose(20)}\n\n## Two\n\n- a\n- b` })],
    ["code", () => ({ name: "a.py", text: "def one():\n    return 1\n\n\ndef two():\n    return 2\n" })],
    ["PDF", () => fixture("guide.pdf")],
    ["a PDF of pictures", () => fixture("scanned.pdf")],
    ["DOCX", () => fixture("bees.docx")],
  ])("gives the same as the page does: %s", async (_, source) => {
    const expected = await ingest(await bytesOf(source(), LIMITS.bytes), { limits: LIMITS });
    const found = await read(source());
    expect({ ...found, added: 0 }).toEqual({ ...expected, added: 0 });
    expect(local).not.toHaveBeenCalled();
    expect(ReaderDouble.all).toHaveLength(1);
  });

  it("leaves HTML to the page, which has a parser for it", async () => {
    const file = { name: "a.html", text: "<!doctype html><h1>Title</h1><p>Text.</p>" };
    const { parseHtml } = extractors;
    const found = await read(file, parseHtml === undefined ? {} : { parseHtml });
    expect(found).toMatchObject({ type: "html", text: "Title\n\nText." });
    expect(local).toHaveBeenCalledOnce();
    expect(ReaderDouble.all[0]?.terminated).toBe(false);
  });

  it("leaves files to the page's own extractors", async () => {
    const { pdfjs } = extractors;
    await read(fixture("guide.pdf"), pdfjs === undefined ? {} : { pdfjs });
    expect(local).toHaveBeenCalledOnce();
    expect(ReaderDouble.all).toHaveLength(0);
  });

  it("reports the pages that it has read", async () => {
    const progress: AddProgress[] = [];
    await read(fixture("guide.pdf"), { onProgress: (one) => progress.push(one) });
    expect(progress[0]).toMatchObject({ phase: "reading", page: 1 });
    expect(progress.at(-1)).toEqual({ phase: "splitting" });
  });

  it.each([
    ["document_encrypted", "encrypted.pdf"],
    ["document_damaged", "cut.pdf"],
  ])("fails with the page's error: %s", async (expected, name) => {
    const here = await ingest(await bytesOf(fixture(name), LIMITS.bytes), { limits: LIMITS }).catch(
      (error: unknown) => error as HearthError,
    );
    const there = await read(fixture(name)).catch((error: unknown) => error as HearthError);
    const shape = ({ code, message, hint }: HearthError): object => ({ code, message, hint });
    expect(shape(there as HearthError)).toEqual(shape(here as HearthError));
    expect((there as HearthError).code).toBe(expected);
    expect(local).not.toHaveBeenCalled();
  });

  it("opens an encrypted PDF by its password", async () => {
    const found = await read(fixture("encrypted.pdf"), { password: "stones" });
    expect(found.text.length).toBeGreaterThan(10);
  });

  it("keeps to the caller's limits", async () => {
    const limits = { ...LIMITS, characters: 10 };
    expect(await code(read({ name: "a.txt", text: prose(5) }, { limits }))).toBe("document_too_large");
  });

  it("is ended with the file that is given up, and another one reads the next", async () => {
    mode = "silent";
    const controller = new AbortController();
    const reading = read({ name: "a.txt", text: "Ants." }, { signal: controller.signal });
    await vi.waitFor(() => {
      expect(ReaderDouble.all[0]?.jobs).toBe(1);
    });
    controller.abort();
    expect(await code(reading)).toBe("cancelled");
    expect(ReaderDouble.all[0]?.terminated).toBe(true);
    mode = "works";
    expect(await read({ name: "b.txt", text: "Bees." })).toMatchObject({ text: "Bees." });
    expect(ReaderDouble.all).toHaveLength(2);
    expect(local).not.toHaveBeenCalled();
  });

  it("is not started for a file that was given up before", async () => {
    expect(await code(read({ name: "a.txt", text: "Ants." }, { signal: AbortSignal.abort() }))).toBe("cancelled");
    expect(ReaderDouble.all).toHaveLength(0);
  });

  it("is given up, with its file, if it stays silent", async () => {
    mode = "silent";
    const limits = { ...LIMITS, stallMs: 50 };
    expect(await code(read({ name: "a.txt", text: "Ants." }, { limits }))).toBe("document_stalled");
    expect(ReaderDouble.all[0]?.terminated).toBe(true);
    expect(local).not.toHaveBeenCalled();
  });

  it("that dies takes its file along, not the page", async () => {
    mode = "dies";
    expect(await code(read({ name: "a.txt", text: "Ants." }))).toBe("worker_died");
    expect(local).not.toHaveBeenCalled();
    mode = "works";
    expect(await read({ name: "b.txt", text: "Bees." })).toMatchObject({ text: "Bees." });
  });

  it.each(["throws", "fails"] as const)("that does not start leaves all files to the page: it %s", async (how) => {
    mode = how;
    expect(await read({ name: "a.txt", text: "Ants." })).toMatchObject({ text: "Ants." });
    expect(await read({ name: "b.txt", text: "Bees." })).toMatchObject({ text: "Bees." });
    expect(local).toHaveBeenCalledTimes(2);
    // It is not tried again for each file.
    expect(ReaderDouble.all.length).toBeLessThanOrEqual(1);
  });

  it("is ended when it has had nothing to do for a while", async () => {
    await read({ name: "a.txt", text: "Ants." });
    expect(ReaderDouble.all[0]?.terminated).toBe(false);
    const source = await bytesOf({ name: "b.txt", text: "Bees." }, LIMITS.bytes);
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    await worker.read(source, { limits: LIMITS }, local);
    vi.advanceTimersByTime(29_000);
    expect(ReaderDouble.all[0]?.terminated).toBe(false);
    vi.advanceTimersByTime(2_000);
    expect(ReaderDouble.all[0]?.terminated).toBe(true);
  });
});

describe("a library with workers", () => {
  const files = [fixture("guide.pdf"), fixture("bees.docx"), new File([prose(60)], "prose.txt")];
  const QUERIES = ["river bees stove page", "ash", "nothing of it", "the chimney sweep of March"];

  /** Returns all that a library of these files finds, before and after one of them is removed. */
  async function found(options: Parameters<typeof Library.open>[0], between = (): void => undefined) {
    const library = await Library.open({ store: new MemoryStore(), ...options });
    for (const file of files) await library.add(file);
    const search = async () => {
      const [first] = library.list();
      const all = [];
      for (const query of QUERIES) {
        all.push(await library.search(query, { limit: 5 }));
        all.push(await library.search(query, { documents: first === undefined ? [] : [first.id] }));
      }
      return all;
    };
    const list = library.list().map((info) => ({ ...info, added: 0 }));
    const before = await search();
    between();
    await library.delete(library.list()[1]?.id ?? "");
    return { list, before, after: await search() };
  }

  it("finds what one without them finds", async () => {
    const alone = await found({});
    expect(alone.before.flat().length).toBeGreaterThan(10);
    expect(alone.after).not.toEqual(alone.before);
    const words = new WorkerWords();
    expect(await found({ extractors: { read: worker.read }, words })).toEqual(alone);
    // One for reading, and one for the words.
    expect(ReaderDouble.all.map(({ jobs }) => jobs > 2)).toEqual([true, true]);
    words.close();
  });

  it.each<[string, (words: WorkerWords) => void]>([
    ["dies", () => ReaderDouble.all.at(-1)?.onerror?.({ message: "", preventDefault: () => undefined })],
    [
      "is closed",
      (words) => {
        words.close();
      },
    ],
  ])("finds the same when the worker %s between two searches", async (_, end) => {
    const alone = await found({});
    const words = new WorkerWords();
    const { before, after } = await found({ words }, () => {
      end(words);
    });
    expect(before).toEqual(alone.before);
    // An index that never had the removed document counts its words no more, which moves scores by a little.
    const ids = (all: { id: string }[][]): string[][] => all.map((passages) => passages.map(({ id }) => id));
    expect(ids(after)).toEqual(ids(alone.after));
    expect(ReaderDouble.all.map(({ terminated }) => terminated)).toEqual([true]);
  });

  it.each(["throws", "fails", "dies"] as const)("finds the same when none starts: it %s", async (how) => {
    const alone = await found({});
    mode = how;
    expect(await found({ words: new WorkerWords() })).toEqual(alone);
    expect(ReaderDouble.all.length).toBeLessThanOrEqual(1);
  });

  it("indexes on the page what a silent worker was given", async () => {
    mode = "mute";
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const words = new WorkerWords();
    const adding = words.add([{ id: 1, text: "The harbour is deep.", headings: "" }]);
    await vi.advanceTimersByTimeAsync(20_001);
    await adding;
    expect(await words.search("harbour", 5, () => true)).toMatchObject([{ id: 1 }]);
    expect(await words.search("harbour", 5, () => false)).toEqual([]);
  });
});
