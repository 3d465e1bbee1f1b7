import "fake-indexeddb/auto";
import { describe, expect, it } from "vitest";
import { Library, MemoryStore, type DocumentStore, type LibraryNotice } from "../../src/documents/index.js";
import { HearthError } from "../../src/index.js";
import { code } from "../engine-support.js";
import { backend, FakeEmbedder, prose } from "./support.js";

const FIRE = {
  name: "fire.md",
  text: "# Stove\n\nA flame needs air. The stove gives heat.\n\n# Ash\n\nCarry the ash out in a bucket.",
};
const SEA = { name: "sea.txt", text: "The harbour is deep. Each ship waits for a wave." };
const BEES = {
  name: "bees.txt",
  text: "A hive has pollen and honey. Look at `Getopt::Long` and is_site_local for the rest.",
};
let count = 0;

async function filled(options: Parameters<typeof Library.open>[0] = {}): Promise<Library> {
  const library = await Library.open({ name: `library ${String(count++)}`, ...options });
  for (const file of [FIRE, SEA, BEES]) await library.add(file);
  await library.indexed();
  return library;
}

const names = (found: { document: { name: string } }[]): string[] => found.map(({ document }) => document.name);

describe("a library", () => {
  it("finds by words at once, with headings, neighbours and scores", async () => {
    const library = await filled();
    const [first, ...others] = await library.search("how deep is the harbour");
    expect(first).toMatchObject({ document: { name: "sea.txt", type: "text" }, page: null, score: 1 });
    expect(first?.scores).toMatchObject({ meaning: null, rerank: null });
    expect(others).toEqual([]);
    expect(names(await library.search("site local"))).toEqual(["bees.txt"]);
    expect(names(await library.search("Getopt::Long"))).toEqual(["bees.txt"]);
    expect(await library.search("volcano")).toEqual([]);
    expect(library.stats()).toMatchObject({ documents: 3, passages: 4, meaning: { state: "off" }, kept: true });
  });

  it("takes the same bytes as the same document", async () => {
    const library = await filled();
    const info = await library.add({ name: "again.md", text: FIRE.text });
    expect(info).toMatchObject({ name: "fire.md", type: "markdown", passages: 2, state: "words" });
    expect(library.list()).toHaveLength(3);
  });

  it("finds by meaning what has none of the words", async () => {
    const embedder = new FakeEmbedder();
    const library = await filled({ embedder: embedder.backend });
    expect(library.stats().meaning).toMatchObject({ state: "ready", done: 4, total: 4 });
    expect(library.list()[0]?.state).toBe("ready");
    expect(names(await library.search("warm fire"))[0]).toBe("fire.md");
    expect(await library.search("warm fire", { mode: "words" })).toEqual([]);
    const [best] = await library.search("sail", { mode: "meaning" });
    expect(best?.document.name).toBe("sea.txt");
    expect(best?.scores.meaning).toBeCloseTo(1, 1);
    expect(embedder.texts).toContain("Stove\nA flame needs air. The stove gives heat.");
  });

  it("searches the chosen documents only", async () => {
    const library = await filled({ embedder: new FakeEmbedder().backend });
    const sea = library.list()[1]?.id ?? "";
    expect(names(await library.search("stove honey harbour", { documents: [sea] }))).toEqual(["sea.txt"]);
    expect(await code(library.search("x", { documents: ["none"] }))).toBe("invalid_request");
    expect(await code(library.search("x", { limit: 0 }))).toBe("invalid_request");
    expect(await code((await filled()).search("x", { mode: "meaning" }))).toBe("invalid_request");
  });

  it("forgets a deleted document, here and when it is opened again", async () => {
    const name = "deleted";
    const library = await filled({ name, embedder: new FakeEmbedder().backend });
    const sea = library.list()[1]?.id ?? "";
    expect(await library.delete(sea)).toBe(true);
    expect(await library.delete(sea)).toBe(false);
    expect(names(await library.search("harbour ship wave"))).not.toContain("sea.txt");
    await library.close();
    const again = await Library.open({ name });
    expect(
      again
        .list()
        .map((one) => one.name)
        .sort(),
    ).toEqual(["bees.txt", "fire.md"]);
    await again.close();
  });

  it("is there after it was closed, with its vectors", async () => {
    const name = "kept";
    await (await filled({ name, embedder: new FakeEmbedder().backend })).close();
    const embedder = new FakeEmbedder();
    const library = await Library.open({ name, embedder: embedder.backend });
    await library.indexed();
    expect([embedder.calls, library.stats().meaning.done]).toEqual([0, 4]);
    expect(names(await library.search("warm"))[0]).toBe("fire.md");
    // Another embedder's vectors are made anew; the first one's are still there.
    const other = new FakeEmbedder("other", 3);
    await library.use({ embedder: other.backend });
    await library.indexed();
    expect([other.texts.length, library.stats().meaning.done]).toEqual([4, 4]);
    await library.use({ embedder: embedder.backend });
    await library.indexed();
    expect([embedder.texts.length, library.stats().meaning.done]).toEqual([1, 4]);
    await library.close();
  });

  it("keeps vectors of two embedders apart whose files have no names of their own", async () => {
    const name = "nameless";
    const of = (source: string, dimension: number): FakeEmbedder => {
      const made = new FakeEmbedder("model", dimension);
      Object.assign(made.backend, { local: { source } });
      return made;
    };
    const [minilm, e5] = [of("sentence-transformers/all-MiniLM-L6-v2", 4), of("intfloat/e5-small-v2", 4)];
    const library = await filled({ name, embedder: minilm.backend });
    await library.use({ embedder: e5.backend });
    await library.indexed();
    expect(e5.texts).toHaveLength(4);
    // The name in the file says nothing, that of its repository does.
    expect(e5.texts[0]).toMatch(/^passage: /);
    expect(minilm.texts[0]).not.toMatch(/^passage: /);
    await library.close();
  });

  it("pauses when the embedder is lost, and goes on with the next", async () => {
    const notices: LibraryNotice[] = [];
    const embedder = new FakeEmbedder();
    const library = await Library.open({
      name: "lost",
      embedder: embedder.backend,
      onNotice: (one) => notices.push(one),
    });
    await library.add(FIRE);
    await library.indexed();
    embedder.failing = new HearthError("device_lost", "gone");
    await library.add(SEA);
    await library.indexed();
    expect(library.stats().meaning).toMatchObject({
      state: "paused",
      done: 2,
      total: 3,
      reason: { code: "device_lost" },
    });
    expect(library.list().map(({ state }) => state)).toEqual(["ready", "words"]);
    expect(names(await library.search("harbour"))).toEqual(["sea.txt"]);
    expect(notices.map((one) => one.code)).toEqual(["embedder_lost", "words_only"]);
    expect(await code(library.search("x", { mode: "meaning" }))).toBe("device_lost");
    await library.use({ embedder: new FakeEmbedder().backend });
    await library.indexed();
    expect(library.stats().meaning).toMatchObject({ state: "ready", done: 3 });
    await library.close();
  });

  it("loses no passage and makes none twice, however often it is ended", async () => {
    const store = new MemoryStore();
    const text = prose(400);
    const { passages } = await (await Library.open({ store })).add({ name: "long.txt", text });
    const done: string[] = [];
    for (let kill = 0; kill < 20; kill++) {
      const embedder = new FakeEmbedder();
      // Ended without a word: what was being embedded is lost, and nothing is closed.
      let left = 1 + (kill % 2);
      let isDead = false;
      const dying: DocumentStore = {
        isKept: false,
        documents: () => store.documents(),
        put: (document) => store.put(document),
        delete: (id) => store.delete(id),
        vectors: (id, key) => store.vectors(id, key),
        putVectors: (id, key, segment) => {
          if (isDead || left-- <= 0) return new Promise(() => undefined);
          done.push(...Array.from(segment.scales, (_, i) => String(segment.start + i)));
          return store.putVectors(id, key, segment);
        },
        close: () => undefined,
      };
      await Library.open({ store: dying, embedder: embedder.backend });
      await new Promise((resolve) => setTimeout(resolve, 12));
      isDead = true;
    }
    const library = await Library.open({ store, embedder: new FakeEmbedder().backend });
    await library.indexed();
    expect(passages).toBeGreaterThan(20);
    expect(library.stats().meaning).toMatchObject({ state: "ready", done: passages });
    expect(new Set(done).size).toBe(done.length);
  });

  it("cuts what is too long for the embedder, instead of losing it", async () => {
    const lengths: number[] = [];
    const short = backend(
      {
        embed: ({ input }) => {
          const texts = input as string[];
          lengths.push(...texts.map(({ length }) => length));
          const error = new HearthError("context_overflow", "too long");
          if (texts.some(({ length }) => length > 100)) return Promise.reject(error);
          const data = texts.map((_, index) => ({ object: "embedding" as const, index, embedding: [1, 0] }));
          return Promise.resolve({ object: "list", data, model: "", usage: { prompt_tokens: 0, total_tokens: 0 } });
        },
      },
      { embeddings: true },
    );
    const library = await Library.open({ store: new MemoryStore(), embedder: short });
    await library.add({ name: "long.txt", text: prose(60) });
    await library.indexed();
    expect(library.stats().meaning.state).toBe("ready");
    expect(Math.min(...lengths)).toBeLessThanOrEqual(100);
  });

  it("puts what the reranker prefers first, and goes without it when it fails", async () => {
    const notices: LibraryNotice[] = [];
    let isFailing = false;
    const reranker = backend(
      {
        rerank: ({ documents }) => {
          if (isFailing) return Promise.reject(new HearthError("remote_busy", "busy"));
          const results = documents.map((text, index) => ({
            index,
            relevance_score: (text as string).includes("ship") ? 1 : 0.1,
          }));
          results.sort((a, b) => b.relevance_score - a.relevance_score);
          return Promise.resolve({ object: "list", model: "", results, usage: { prompt_tokens: 0, total_tokens: 0 } });
        },
      },
      { reranking: true },
    );
    const library = await filled({ reranker, onNotice: (one) => notices.push(one) });
    const found = await library.search("stove heat flame ship");
    expect(names(found)[0]).toBe("sea.txt");
    expect(found[0]?.scores.rerank).toBe(1);
    isFailing = true;
    expect(names(await library.search("stove heat flame ship"))[0]).toBe("fire.md");
    expect(notices.map((one) => one.code)).toEqual(["reranker_failed"]);
    expect(await code(Library.open({ reranker: new FakeEmbedder().backend }))).toBe("invalid_request");
  });

  it("shows a repeated passage once", async () => {
    const library = await Library.open({ store: new MemoryStore() });
    const text = "The damper has to be open before the fire is lit, and stays open until the flue draws.";
    for (let i = 0; i < 5; i++) await library.add({ name: `${String(i)}.txt`, text: `${text} Copy ${String(i)}.` });
    await library.add({ name: "other.txt", text: "The damper of another stove is closed at night." });
    expect(await library.search("damper open fire")).toHaveLength(2);
  });

  it("lives on in memory when there is no room", async () => {
    const notices: LibraryNotice[] = [];
    const store = new MemoryStore();
    store.put = () => Promise.reject(new HearthError("io_error", "no room"));
    const library = await Library.open({ store, onNotice: (one) => notices.push(one) });
    await library.add(SEA);
    expect(names(await library.search("harbour"))).toEqual(["sea.txt"]);
    expect(notices.map((one) => one.code)).toEqual(["not_kept"]);
    expect(library.stats().kept).toBe(false);
  });

  it("is a tool", async () => {
    const library = await filled();
    const tool = library.tool({ limit: 1 });
    expect(tool.definition.function.name).toBe("search_documents");
    const { passages } = JSON.parse(await tool.run('{"query":"harbour"}')) as { passages: { document: string }[] };
    expect(passages.map(({ document }) => document)).toEqual(["sea.txt"]);
    for (const args of ["{", "{}", '{"query":7}', "null"]) expect(await code(tool.run(args))).toBe("invalid_request");
  });
});
