import { describe, expect, it } from "vitest";
import { childrenOf, isTree, newestLeaf, pathTo, titleOf, type Message } from "../src/store/tree.js";
import { message } from "./messages.js";

const all = [
  message("a", null, 1),
  message("b", "a", 2),
  message("c", "a", 3),
  message("d", "b", 4),
  message("e", "c", 5),
];
const tree = new Map(all.map((one) => [one.id, one]));
const ids = (messages: Message[]): string => messages.map(({ id }) => id).join("");

describe("a conversation's tree", () => {
  it("is shown from the first message to the leaf", () => {
    expect(ids(pathTo(tree, "d"))).toBe("abd");
    expect(ids(pathTo(tree, null))).toBe("");
    expect(ids(pathTo(tree, "gone"))).toBe("");
  });

  it("does not hang on a circle", () => {
    const circle = new Map([message("a", "b"), message("b", "a")].map((one) => [one.id, one]));
    expect(pathTo(circle, "a").length).toBeLessThanOrEqual(circle.size + 1);
  });

  it("has branches in the order of their making, and the newest leaf below each", () => {
    const children = childrenOf(tree);
    expect(ids(children.get("a") ?? [])).toBe("bc");
    expect(newestLeaf(children, "a")).toBe("e");
    expect(newestLeaf(children, "b")).toBe("d");
    expect(newestLeaf(children, "e")).toBe("e");
  });

  it("is none where a parent is missing, an id comes twice or all goes in a circle", () => {
    expect(isTree(all)).toBe(true);
    expect(isTree([])).toBe(true);
    expect(isTree([message("a", "b")])).toBe(false);
    expect(isTree([message("a", null), message("a", null)])).toBe(false);
    expect(isTree([message("a", "b"), message("b", "a")])).toBe(false);
    expect(isTree([message("a", "a")])).toBe(false);
  });

  it("is checked in a moment however deep it is", () => {
    const deep = Array.from({ length: 50_000 }, (_, i) => message(String(i), i === 0 ? null : String(i - 1)));
    expect(isTree(deep)).toBe(true);
  });
});

describe("a title", () => {
  it("is the question's first line, cut at characters", () => {
    expect(titleOf("  Hello\nworld ")).toBe("Hello");
    expect(Array.from(titleOf("🙂".repeat(100)))).toHaveLength(60);
  });
});
