// @vitest-environment happy-dom
/** A model's needs as pictures: cells of the memory, and the speed next to people's. */
import { render } from "preact";
import { afterEach, describe, expect, it } from "vitest";
import { SpeedScale, Waffle } from "../src/ui/drawings.js";

afterEach(() => {
  render(null, document.body);
});

const GB = 1e9;

/** Draws a need of three parts in some memory; returns the kinds of the cells within and beyond. */
function cells(memory: number, sizes: [number, number, number]): [string[], string[]] {
  const kinds = ["weights", "kv", "scratch"];
  const parts = sizes.map((size, i) => ({ name: kinds[i] ?? "", kind: kinds[i] ?? "", size }));
  render(<Waffle label="Memory" total={memory} parts={parts} rest={{ name: "free", size: 0 }} />, document.body);
  const of = (selector: string): string[] =>
    Array.from(document.querySelectorAll<HTMLElement>(`${selector} > span`), ({ dataset }) => dataset.kind ?? "");
  return [of(".waffle:not(.waffle-beyond)"), of(".waffle-beyond")];
}

const count = (kinds: string[], kind: string): number => kinds.filter((one) => one === kind).length;

describe("the memory", () => {
  it("has a cell for each hundredth, and one for what is smaller", () => {
    const [within, beyond] = cells(10 * GB, [2 * GB, 0.5 * GB, 1000]);
    expect(within).toHaveLength(100);
    expect(["weights", "kv", "scratch", "rest"].map((kind) => count(within, kind))).toEqual([20, 5, 1, 74]);
    expect(beyond).toEqual([]);
  });

  it("shows beyond its frame what it has no room for, however much that is", () => {
    const [within, beyond] = cells(10 * GB, [9 * GB, 2 * GB, 0]);
    expect([count(within, "weights"), count(within, "kv"), count(within, "rest")]).toEqual([90, 10, 0]);
    expect(beyond).toEqual(Array(10).fill("kv"));
    expect(cells(1 * GB, [400 * GB, 0, 0]).map(({ length }) => length)).toEqual([100, 60]);
  });

  it("says the same in words", () => {
    cells(10 * GB, [2 * GB, 0.5 * GB, 1000]);
    expect(document.querySelector(".legend")?.textContent).toContain("weights 2.0 GB");
    expect(document.querySelector(".waffle")?.getAttribute("aria-hidden")).toBe("true");
  });
});

describe("the scale of speed", () => {
  const places = (words: number[]): number[] => {
    const needles = words.map((speed, i) => ({ kind: String(i), words: speed }));
    render(<SpeedScale label="fast" marks={[{ name: "reading", words: 5 }]} needles={needles} />, document.body);
    return Array.from(document.querySelectorAll<HTMLElement>(".needle"), ({ style }) =>
      Number.parseFloat(style.insetInlineStart),
    );
  };

  it("has equal steps for equal ratios, and ends", () => {
    const [a = 0, b = 0, c = 0] = places([5, 10, 20]);
    expect(b - a).toBeCloseTo(c - b, 0);
    expect(b).toBeGreaterThan(a);
    expect(places([0.001, 1e6])).toEqual([0, 100]);
    expect(document.querySelector('[role="img"]')?.getAttribute("aria-label")).toBe("fast");
  });
});
