/** The model that is recommended on a first visit. */
import { describe, expect, it, vi } from "vitest";
import { CATALOG, DEFAULT_MODEL, type CatalogEntry } from "../src/models/catalog.js";
import { candidates, strongest, type Check } from "../src/models/recommend.js";

const GB = 1e9;

function entry(id: string, bytes: number): CatalogEntry {
  return { id, name: id, source: id, bytes, licence: "", licenceUrl: "", sampling: {}, about: "small" };
}

const LIST = [entry("a", 1 * GB), entry("b", 2 * GB), entry("c", 4 * GB), entry("d", 8 * GB)];

function checks(verdicts: Record<string, "fits" | "smaller" | "fails">, speed: number | null = 30): Check {
  return vi.fn<Check>(({ id }) => {
    const verdict = verdicts[id] ?? "fits";
    if (verdict === "fails") return Promise.reject(new Error("offline"));
    return Promise.resolve({ verdict, tokens_per_second: speed });
  });
}

describe("the recommended model", () => {
  it("is the strongest that fits", async () => {
    const check = checks({});
    expect((await strongest(LIST, 6 * GB, check))?.id).toBe("c");
    expect(check).toHaveBeenCalledTimes(1);
  });

  it("is a weaker one where the exact numbers say so, or a header cannot be read", async () => {
    expect((await strongest(LIST, 6 * GB, checks({ c: "smaller" })))?.id).toBe("b");
    expect((await strongest(LIST, 6 * GB, checks({ c: "fails", b: "smaller" })))?.id).toBe("a");
  });

  it("is none without evidence, without room, or below reading speed", async () => {
    const check = checks({});
    expect(await strongest(LIST, null, check)).toBeUndefined();
    expect(await strongest(LIST, 1 * GB, check)).toBeUndefined();
    expect(check).not.toHaveBeenCalled();
    expect(await strongest(LIST, 6 * GB, checks({}, 4))).toBeUndefined();
    expect((await strongest(LIST, 6 * GB, checks({}, null)))?.id).toBe("c");
  });

  it("asks for at most three headers", async () => {
    const check = checks({ a: "smaller", b: "smaller", c: "smaller", d: "smaller" });
    expect(await strongest(LIST, 100 * GB, check)).toBeUndefined();
    expect(check).toHaveBeenCalledTimes(3);
  });
});

describe("the catalogue", () => {
  it("goes from small to large, each model once, the one to try at once first", () => {
    expect(CATALOG[0]?.source).toBe(DEFAULT_MODEL);
    expect(new Set(CATALOG.map(({ id }) => id)).size).toBe(CATALOG.length);
    expect(candidates(CATALOG, 100 * GB).at(-1)?.source).toBe(DEFAULT_MODEL);
  });
});
