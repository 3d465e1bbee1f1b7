/**
 * Retrieval on questions with known answers (`corpora.ts`): by words, by meaning, and by both fused. HEARTH_RETRIEVAL
 * names a folder with the packages' files (`dpkg-deb -x perl-doc_*.deb FOLDER`, both into one), HEARTH_MINILM the model's folder,
 * without which words alone are measured. MiniLM then runs in Node, on the CPU, for an hour or so: HEARTH_VECTORS names a folder that
 * keeps its vectors for the next run, which computes some of them again and compares.
 *
 * 1000 and 500 passages of other pages of each package are in the way.
 */
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Library, MemoryStore, type SearchMode } from "../../src/documents/index.js";
import type * as Package from "../../src/index.js";
import { compilePackage, HAS_CORE } from "../node/package.js";
import { pagesIn, perl, podsIn, python, rareNames, type Corpus } from "./corpora.js";
import { CHECKED, KeptVectors } from "./kept-vectors.js";

const folder = process.env.HEARTH_RETRIEVAL ?? "";
const minilm = process.env.HEARTH_MINILM ?? "";
const HOURS = 3_600_000;

let compiled: string | undefined;
let engine: Package.Engine | undefined;
let vectors: KeptVectors | undefined;

async function embedder(): Promise<KeptVectors | undefined> {
  if (minilm === "" || !HAS_CORE) return undefined;
  compiled = compilePackage();
  const main = (await import(pathToFileURL(join(compiled, "dist/node/main.js")).href)) as typeof Package;
  engine = await main.Engine.create({ model: minilm, device: "cpu" });
  return new KeptVectors(engine.backend, process.env.HEARTH_VECTORS);
}

if (folder === "") console.warn("SKIPPED: HEARTH_RETRIEVAL names no folder, so no retrieval was measured");
else if (minilm === "" || !HAS_CORE) console.warn("SKIPPED: no HEARTH_MINILM or no core, so words alone were measured");

interface Recall {
  one: number;
  five: number;
  ten: number;
}

/** Shares of the queries that have a hit among the first 1, 5 and 10 passages. */
interface Measured {
  words: Recall;
  meaning?: Recall;
  both?: Recall;
  /** Names, by words and by both if there is an embedder. */
  names: Recall;
  /** Questions of the pages that the design took, by both; of Python's FAQ only. */
  designed?: Recall;
}

/** Pages of Python's FAQ with 114 questions, as many as the design had; its rule is not known. */
const DESIGNED = /^faq\/(?:general|library|programming)\b/;

async function measure(corpus: Corpus, inTheWay: number): Promise<Measured> {
  const { questions, distractors } = corpus;
  const library = await Library.open({ store: new MemoryStore(), embedder: vectors?.backend });
  const ids: string[] = [];
  for (const [i, { answer }] of questions.entries()) {
    ids.push((await library.add({ name: `answer ${String(i)}.txt`, text: answer })).id);
  }
  const own = library.stats().passages;
  // A part of each page, so that all subjects are in the way.
  for (const text of distractors) {
    const left = inTheWay - (library.stats().passages - own);
    if (left > 0) await library.add({ name: "page.txt", text: text.slice(0, Math.min(12_000, left * 800)) || "empty" });
  }
  await library.indexed();
  const { passages, characters, meaning } = library.stats();
  console.log(
    `${String(questions.length)} questions, ${String(own)} + ${String(passages - own)} passages, ${String(characters)} characters`,
  );
  if (vectors !== undefined) expect(meaning).toMatchObject({ state: "ready", done: passages });

  const recall = async (mode: SearchMode, asked: Asked[]): Promise<Recall> => {
    const ranks: number[] = [];
    const begun = performance.now();
    for (const { query, isHit } of asked) {
      const found = await library.search(query, { limit: 10, mode });
      ranks.push(found.findIndex(isHit));
    }
    const took = (performance.now() - begun) / asked.length;
    const share = (k: number): number => ranks.filter((rank) => rank >= 0 && rank < k).length / asked.length;
    const [one, five, ten] = [share(1), share(5), share(10)];
    const shares = [one, five, ten].map((of) => of.toFixed(3)).join(" / ");
    console.log(`${mode}, ${String(asked.length)} queries: r@1 / r@5 / r@10 ${shares}, ${took.toFixed(1)} ms a query`);
    return { one, five, ten };
  };
  const asked = questions.map(({ query, page = "" }, i): Asked => ({
    query,
    page,
    isHit: ({ document }) => document.id === ids[i],
  }));
  const designed = asked.filter(({ page = "" }) => DESIGNED.test(page));
  const texts = library.list().flatMap(({ id }) => {
    const [held] = library.chosen([id]);
    return Array.from({ length: held?.count ?? 0 }, (_, i) => held?.text(i) ?? "");
  });
  const named = rareNames(corpus, texts).map(({ name, query }): Asked => ({
    query,
    isHit: ({ text }) => text.includes(name),
  }));
  return {
    words: await recall("words", asked),
    names: await recall("auto", named),
    ...(vectors !== undefined && { meaning: await recall("meaning", asked), both: await recall("auto", asked) }),
    ...(vectors !== undefined && designed.length > 0 && { designed: await recall("auto", designed) }),
  };
}

interface Asked {
  query: string;
  page?: string;
  isHit: (passage: { document: { id: string }; text: string }) => boolean;
}

describe.skipIf(folder === "")("retrieval", () => {
  beforeAll(async () => {
    vectors = await embedder();
  }, 600_000);

  afterAll(() => {
    engine?.dispose();
    if (compiled !== undefined) rmSync(compiled, { recursive: true });
  });

  it.skipIf(!existsSync(podsIn(folder)))(
    "perlfaq",
    async () => {
      const { words, meaning, both, names } = await measure(perl(folder), 1000);
      expect(words.five).toBeGreaterThanOrEqual(0.65);
      expect(names.five).toBeGreaterThanOrEqual(0.88);
      if (meaning === undefined || both === undefined) return;
      expect(meaning.five).toBeGreaterThanOrEqual(0.84);
      expect(both.five).toBeGreaterThanOrEqual(0.84);
      expect(both.one).toBeGreaterThanOrEqual(0.6);
    },
    4 * HOURS,
  );

  it.skipIf(!existsSync(pagesIn(folder)))(
    "Python's FAQ",
    async () => {
      const { words, meaning, both, names, designed } = await measure(python(folder), 500);
      expect(words.five).toBeGreaterThanOrEqual(0.62);
      expect(names.five).toBeGreaterThanOrEqual(0.95);
      if (meaning === undefined || both === undefined || designed === undefined) return;
      // Measured: .926, .937 and .749; of the 114 questions .737 r@1, one question less than the design's .74.
      expect(meaning.five).toBeGreaterThanOrEqual(0.92);
      expect(both.five).toBeGreaterThanOrEqual(0.93);
      expect(both.one).toBeGreaterThanOrEqual(0.74);
      expect(designed.five).toBeGreaterThanOrEqual(0.93);
      expect(designed.one).toBeGreaterThanOrEqual(0.73);
    },
    4 * HOURS,
  );

  it("has the vectors that were kept", () => {
    if (vectors === undefined || vectors.cosines.length === 0) return;
    console.log(
      `${String(vectors.computed)} vectors computed, of ${String(CHECKED)} again the least cosine is ${String(Math.min(...vectors.cosines))}`,
    );
    expect(Math.min(...vectors.cosines)).toBeGreaterThanOrEqual(0.999);
  });
});
