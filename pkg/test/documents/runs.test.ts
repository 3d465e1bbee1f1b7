/** Files whose runs of one character, or of a few, make a careless pattern look from each of them again. */
import { describe, expect, it } from "vitest";
import { Library, MemoryStore } from "../../src/documents/index.js";
import { extractors } from "./support.js";

const LONG = 50_000;
const run = (piece: string): string => piece.repeat(Math.ceil(LONG / piece.length));
/** Seconds of CPU for a file. A careless pattern took 44 for four times as many spaces, and a sixteenth of that for these. */
const MOST_SECONDS = 1.5;

const FILES: [name: string, text: string][] = [
  ["a.txt", `x${run(" ")}x`],
  ["a.txt", `x${run("\n ")}x`],
  ["a.txt", `x${run("\n\t\n")}x`],
  ["a.txt", run("a")],
  ["a.txt", run("a.")],
  ["a.txt", run("a::")],
  ["a.txt", `a${run("\u0301")}`],
  ["a.txt", run("\ud800")],
  ["a.md", `# ${run(" ")}x`],
  ["a.md", `# a${run(" ")}x`],
  ["a.md", `# ${run(" #")}x`],
  ["a.md", `x${run("`")}x`],
  ["a.md", run("[a](")],
  ["a.md", `${run("|")}x`],
  ["a.md", `| ${run(" ")}x`],
  ["a.md", run("> ")],
  ["a.c", run("a ")],
  ["a.c", `a${run(" ")};`],
  ["a.c", run("a<")],
  ["a.js", run("function a(){")],
  ["a.html", `<!doctype html><pre>x${run(" ")}x</pre>`],
  ["a.html", `<!doctype html><p>x${run(" ")}x</p>`],
];

it("headings keep the marks that do not close them", async () => {
  const library = await Library.open({ store: new MemoryStore() });
  const headings = ["# one ##", "## two#", "# C #  ", "#", "## ##", "#\tthree", "###### four  five", "#six"];
  const { id, passages } = await library.add({ name: "a.md", text: headings.join("\n\ntext\n\n") });
  const found = Array.from({ length: passages }, (_, i) => library.passage(`${id}.${String(i)}`).headings.at(-1));
  expect([...new Set(found)]).toEqual(["one", "two#", "C", "three", "four  five"]);
});

describe("a long run", () => {
  it.each(FILES.map(([name, text]): [string, string, string] => [name, JSON.stringify(text.slice(0, 20)), text]))(
    "in %s is read and searched in time: %s",
    async (name, _, text) => {
      const library = await Library.open({ store: new MemoryStore(), extractors });
      const begun = process.cpuUsage();
      await library.add({ name, text });
      await library.search(text.slice(0, 10_000));
      const { user, system } = process.cpuUsage(begun);
      expect((user + system) / 1e6).toBeLessThan(MOST_SECONDS);
    },
    120_000,
  );
});
