/** Passages near one another in a section: what they lend each other, and that a list has the others first. */
import { describe, expect, it } from "vitest";
import { Held } from "../../src/documents/held.js";
import { Library, MemoryStore } from "../../src/documents/index.js";
import { isNear, withNeighbours } from "../../src/documents/near.js";
import type { StoredDocument } from "../../src/documents/store.js";
import { FakeEmbedder } from "./support.js";

/** Returns a document of passages of one character each; a section begins at each of some passages. */
function held(count: number, sections: number[]): Held {
  const bounds = Uint32Array.from({ length: 2 * count }, (_, i) => (i + 1) >> 1);
  const marks = sections.map((start) => ({ start, value: [`section ${String(start)}`] }));
  return new Held({ bounds, sections: marks } as StoredDocument, 0);
}

describe("passages beside one another", () => {
  it("lend a quarter of their weight, within their section only", () => {
    const found = withNeighbours(held(5, [0, 3]), Float32Array.of(0.8, 0.4, 0.2, 0.9, 0.1));
    const expected = [
      (0.8 + 0.25 * 0.4) / 1.25,
      (0.4 + 0.25 * (0.8 + 0.2)) / 1.5,
      (0.2 + 0.25 * 0.4) / 1.25,
      (0.9 + 0.25 * 0.1) / 1.25,
      (0.1 + 0.25 * 0.9) / 1.25,
    ];
    expect(found).toHaveLength(5);
    found.forEach((cosine, i) => {
      expect(cosine).toBeCloseTo(expected[i] ?? Number.NaN, 6);
    });
    // One without neighbours, and a document whose vectors are not there yet.
    expect(withNeighbours(held(2, [0, 1]), Float32Array.of(0.5, 0.25))).toEqual(Float32Array.of(0.5, 0.25));
    expect(withNeighbours(held(3, [0]), Float32Array.of(0.5))).toEqual(Float32Array.of(0.5));
    expect(withNeighbours(held(3, [0]), new Float32Array(0))).toHaveLength(0);
  });

  it("are near up to four passages apart", () => {
    const [one, other] = [held(12, [0, 8]), held(12, [0])];
    const near = (a: number, b: number): boolean => isNear({ held: one, index: a }, { held: one, index: b });
    expect([near(0, 0), near(0, 4), near(0, 5), near(6, 2), near(7, 8), near(8, 11)]).toEqual([
      ...[true, true, false, true, false, true],
    ]);
    expect(isNear({ held: one, index: 0 }, { held: other, index: 0 })).toBe(false);
  });
});

describe("a search", () => {
  /** Text of three passages in one section. */
  const LONG = ["ship wave", "harbour sail", "wave sail"]
    .map((words) => `${words} `.repeat(55).trim())
    .map((text, i) => `${text} ${String(i)}.`)
    .join("\n\n");

  async function filled(): Promise<Library> {
    const library = await Library.open({ store: new MemoryStore(), embedder: new FakeEmbedder().backend });
    await library.add({ name: "long.txt", text: LONG });
    await library.add({ name: "other.txt", text: "A stove by the sea, which has a ship." });
    await library.indexed();
    return library;
  }

  it("has the passages near a better one after the others, unless a name is asked for", async () => {
    const library = await filled();
    expect(library.list().map(({ passages }) => passages)).toEqual([LONG.split("\n\n").length, 1]);
    const names = async (query: string): Promise<string[]> =>
      (await library.search(query)).map(({ document }) => document.name);
    const asked = await names("where does the ship sail in a wave");
    expect(asked.slice(0, 2)).toEqual(["long.txt", "other.txt"]);
    expect(asked.length).toBeGreaterThan(2);
    expect((await names('"ship" "sail" "wave"')).slice(0, 2)).toEqual(["long.txt", "long.txt"]);
    // Answers join what touches, and take the best in their order.
    const ranked = await library.ranked("where does the ship sail in a wave", {});
    expect(ranked.slice(0, 2).map(({ held: { stored } }) => stored.name)).toEqual(["long.txt", "long.txt"]);
    await library.close();
  });

  it("gives each passage's own cosine, and ranks by those of its neighbours too", async () => {
    const embedder = new FakeEmbedder();
    const library = await Library.open({ store: new MemoryStore(), embedder: embedder.backend });
    const [first, , last] = LONG.split("\n\n");
    const bees = "bee pollen hive flower ".repeat(30).trim();
    await library.add({ name: "between.txt", text: `${first ?? ""}\n\n${bees}.\n\n${last ?? ""}` });
    await library.add({ name: "alone.txt", text: bees.replaceAll("flower", "honey") });
    await library.indexed();
    const found = await library.search("sail", { mode: "meaning" });
    expect(found.map(({ document: { name } }) => name).lastIndexOf("between.txt")).toBe(3);
    const ranked = await library.ranked("sail", { mode: "meaning" });
    expect(ranked.map(({ held, index }) => `${held.stored.name} ${String(index)}`)).toEqual([
      ...["between.txt 0", "between.txt 2", "between.txt 1", "alone.txt 0"],
    ]);
    const cosines = ranked.map(({ scores }) => scores.meaning ?? Number.NaN);
    expect(cosines[0]).toBeCloseTo(1, 1);
    // As far from the query as the passage that nothing is beside.
    expect(cosines[2]).toBeCloseTo(cosines[3] ?? Number.NaN, 2);
    await library.close();
  });
});
