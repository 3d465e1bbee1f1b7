import { describe, expect, it } from "vitest";
import { fuse, meaningWeight } from "../../src/documents/fusion.js";
import { prefixesOf } from "../../src/documents/prefixes.js";
import { Best, normalized, quantize, Vectors } from "../../src/documents/vectors.js";
import { countWords, termsOf } from "../../src/documents/words.js";
import { code } from "../engine-support.js";

describe("fusion", () => {
  it("is a convex combination of scores between 0 and 1", () => {
    const words = [
      { id: 1, score: 8 },
      { id: 2, score: 4 },
    ];
    const meaning = [
      { id: 2, score: 0.9 },
      { id: 3, score: 0.7 },
      { id: 4, score: 0.5 },
    ];
    const found = fuse(words, meaning, 0.6, (id) => id !== 1);
    expect(found.map(({ id, score }) => [id, Number(score.toFixed(6))])).toEqual([
      // Without a vector: its words alone.
      [1, 1],
      // 0.6 * 1 + 0.4 * 4 / 8, and 0.6 * (0.7 - 0.5) / (0.9 - 0.5).
      [2, 0.8],
      [3, 0.3],
      [4, 0],
    ]);
    expect(found[1]).toMatchObject({ words: 4, meaning: 0.9 });
    expect(fuse(words, meaning, 0.6, () => true).map(({ id }) => id)).toEqual([2, 1, 3, 4]);
  });

  it("takes one ranking as it is, and one vector alone as the best", () => {
    expect(fuse([{ id: 5, score: 3 }], [], 0.6, () => true)).toMatchObject([{ id: 5, score: 1, meaning: null }]);
    expect(fuse([], [{ id: 5, score: 0.2 }], 0.6, () => true)).toMatchObject([{ id: 5, score: 0.6, words: null }]);
    expect(fuse([], [], 0.6, () => true)).toEqual([]);
  });

  it("gives words more weight where a query names something or quotes", () => {
    for (const query of [
      "What is Getopt::Long?",
      "is_site_local",
      "readAsText",
      'the "open door"',
      "np.array",
      "--force",
      "draw()",
    ]) {
      expect(meaningWeight(query), query).toBe(0.5);
    }
    for (const query of [
      "How do I light a fire?",
      "Who wrote it",
      "Why does printing of list.index() show a number?",
    ]) {
      expect(meaningWeight(query), query).toBe(0.8);
    }
    expect(meaningWeight("and/or")).toBe(0.5);
  });
});

describe("vectors", () => {
  it("in 8 bits have nearly the cosines of floats, and the same best", () => {
    let state = 7;
    const random = (): number => ((state = (Math.imul(state, 48271) >>> 0) % 2147483647), state / 2147483647 - 0.5);
    const made = Array.from({ length: 500 }, () => Array.from({ length: 64 }, random));
    const vectors = new Vectors();
    vectors.add(quantize(made.slice(0, 300), 0));
    vectors.add(quantize(made.slice(300), 300));
    // One that is there, and one after a gap.
    vectors.add(quantize(made.slice(0, 10), 0));
    vectors.add(quantize(made.slice(0, 10), 501));
    expect([vectors.count, vectors.bytes]).toEqual([500, 500 * 68]);
    const query = normalized(made[123] ?? []);
    const best = new Best(10);
    let worst = 0;
    const cosines = vectors.cosines(query);
    expect(cosines).toHaveLength(500);
    cosines.forEach((cosine, i) => {
      const exact = normalized(made[i] ?? []).reduce((sum, value, k) => sum + value * (query[k] ?? 0), 0);
      worst = Math.max(worst, Math.abs(exact - cosine));
      best.offer(i, cosine);
    });
    expect(worst).toBeLessThan(0.004);
    expect(best.sorted()).toHaveLength(10);
    expect(best.sorted()[0]).toMatchObject({ id: 123 });
    expect(vectors.cosines(query.slice(1))).toHaveLength(0);
  });

  it("that are no numbers, or of other lengths, are refused", async () => {
    for (const wrong of [[[Number.NaN, 1]], [[1, 2], [1]], [[]]]) {
      expect(await code(Promise.resolve().then(() => quantize(wrong, 0)))).toBe("internal_error");
    }
    expect(quantize([[0, 0]], 0).scales).toEqual(Float32Array.of(0));
  });
});

describe("terms", () => {
  it("are names whole and in parts", () => {
    expect(termsOf("Use Getopt::Long.")).toEqual(["use", "getopt::long", "getopt", "long"]);
    expect(termsOf("IPv6Network.is_site_local")).toEqual([
      ...["ipv6network.is_site_local", "ipv6network", "ipv6", "network", "site", "local"],
    ]);
    expect(termsOf("parseHTMLText")).toEqual(["parsehtmltext", "parse", "html", "text"]);
  });

  it("are words of any script, in one form", () => {
    expect(termsOf("The user’s ﬁles, na\u00adture")).toEqual(["user", "files", "nature"]);
    expect(termsOf("烟囱每年清扫")).not.toEqual(["烟囱每年清扫"]);
    expect(countWords("怎么清理炉灰？")).toBeGreaterThan(1);
  });
});

const BGE = "Represent this sentence for searching relevant passages: ";
const NOMIC = { query: "search_query: ", passage: "search_document: " };

it.each([
  ["nomic-embed-text-v1.5", NOMIC],
  ["nomic-ai/nomic-embed-text-v2-moe", NOMIC],
  ["nomic-ai/modernbert-embed-base", NOMIC],
  ["nomic-ai/CodeRankEmbed", { query: "Represent this query for searching relevant code: ", passage: "" }],
  ["nomic-embed-code", { query: "Represent this query for searching relevant code: ", passage: "" }],
  ["multilingual-e5-small", { query: "query: ", passage: "passage: " }],
  ["intfloat/e5-base-v2", { query: "query: ", passage: "passage: " }],
  ["BAAI/bge-small-en-v1.5", { query: BGE, passage: "" }],
  ["BAAI_bge-large-en", { query: BGE, passage: "" }],
  ["bge-m3", { query: "", passage: "" }],
  ["snowflake-arctic-embed-m-v1.5", { query: BGE, passage: "" }],
  ["Snowflake/snowflake-arctic-embed-l-v2.0", { query: "query: ", passage: "" }],
  ["snowflake-arctic-embed-xs", { query: BGE, passage: "" }],
  ["mixedbread-ai/mxbai-embed-large-v1", { query: BGE, passage: "" }],
  ["mxbai-embed-xsmall-v1", { query: "", passage: "" }],
  ["BAAI/bge-small-zh-v1.5", { query: "为这个句子生成表示以用于检索相关文章：", passage: "" }],
  ["Embeddinggemma 300m", { query: "task: search result | query: ", passage: "title: none | text: " }],
  ["all-MiniLM-L6-v2", { query: "", passage: "" }],
  ["gte-modernbert-base", { query: "", passage: "" }],
  ["granite-embedding-30m-english", { query: "", passage: "" }],
])("prefixes of %s are those of its card", (name, prefixes) => {
  expect(prefixesOf([name])).toEqual(prefixes);
});

it.each([
  ["multilingual-e5-large-instruct", "Query: "],
  ["Qwen3 Embedding 0.6B", "Query:"],
])("%s is given its card's task", (name, end) => {
  const task = "Instruct: Given a web search query, retrieve relevant passages that answer the query";
  expect(prefixesOf([name])).toEqual({ query: `${task}\n${end}`, passage: "" });
});
