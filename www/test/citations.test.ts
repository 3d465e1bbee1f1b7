// @vitest-environment happy-dom
/** Citations in the text of an answer. */
import { afterEach, describe, expect, it } from "vitest";
import { chipAt, linkCitations, showSupport } from "../src/markdown/citations.js";
import { MarkdownView } from "../src/markdown/render.js";
import type { SourcesPart } from "../src/store/sources.js";

const EVIL = '"><img src=x onerror=alert(1)>.md';
const part: SourcesPart = {
  type: "sources",
  sources: [
    { title: "guide.pdf", quote: "A", from: "a", number: 1, page: "iv", start: 0, end: 1 },
    { title: EVIL, quote: "B", from: "b", number: 2, page: null, start: 0, end: 1 },
  ],
};

function show(text: string, sources = part): HTMLElement {
  const root = document.createElement("div");
  document.body.append(root);
  const view = new MarkdownView(root, (block) => {
    linkCitations(block, sources);
  });
  view.update(text);
  return root;
}

const chips = (root: HTMLElement): HTMLElement[] => [...root.querySelectorAll<HTMLElement>("button.cite")];

afterEach(() => {
  document.body.replaceChildren();
});

describe("citations in an answer", () => {
  it("are buttons with the name and the page of their source", () => {
    const root = show("It is **warm** [1], and *deep* [2][1].\n\n- a list [2]");
    expect(chips(root).map((chip) => chip.textContent)).toEqual(["1", "2", "1", "2"]);
    expect(chips(root)[0]?.getAttribute("aria-label")).toBe("Source 1: guide.pdf, page iv");
    expect(chips(root)[1]?.getAttribute("aria-label")).toBe(`Source 2: ${EVIL}`);
    expect(root.textContent).toContain("It is warm 1, and deep 21.");
    expect(root.querySelector("img")).toBeNull();
  });

  it.each([
    ["of code", "`list[1]` and\n\n```js\nlist[1]\n```"],
    ["of a link", "[1](https://example.org) and [see [1] there](https://example.org)"],
    ["of unknown sources", "[0] [3] [999] [1.5] [one]"],
  ])("are not made %s", (_, text) => {
    expect(chips(show(text))).toEqual([]);
  });

  it("are told apart by their place among those of one source", () => {
    const root = show("a [1] b [2] c [1]");
    const [first, other, second] = chips(root);
    expect(chipAt(root, first ?? null)).toEqual({ number: 1, at: 0 });
    expect(chipAt(root, other ?? null)).toEqual({ number: 2, at: 0 });
    expect(chipAt(root, second ?? null)).toEqual({ number: 1, at: 1 });
    expect(chipAt(root, root)).toBeUndefined();
  });

  it("look different where the source may not say it", () => {
    const at = { start: 0, end: 1, page: null };
    const citations = [
      { ...at, number: 1, isSupported: true },
      { ...at, number: 1, isSupported: false },
    ];
    const root = show("a [1] b [1] c [2]");
    showSupport(root, { ...part, citations });
    expect(chips(root).map((chip) => chip.classList.contains("unsure"))).toEqual([false, true, false]);
    expect(chips(root)[1]?.getAttribute("aria-label")).toBe("Source 1: guide.pdf (the source may not say this)");
    // One mark that the package did not count: nothing is claimed.
    const more = show("a [1] b [1] c [1]");
    showSupport(more, { ...part, citations });
    expect(chips(more).some((chip) => chip.classList.contains("unsure"))).toBe(false);
  });
});
