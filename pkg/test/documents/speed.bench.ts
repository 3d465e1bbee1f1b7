/**
 * Times of a library by words: `npx vitest bench test/documents/speed`, in `pkg`. The least of one is what its name
 * says takes where nothing else runs; HEARTH_RETRIEVAL (`retrieval.test.ts`) takes Debian's texts in the place of invented prose.
 */
import { existsSync } from "node:fs";
import { afterAll, bench, describe } from "vitest";
import { Library, MemoryStore } from "../../src/documents/index.js";
import { perl, podsIn, python } from "./corpora.js";
import { prose } from "./support.js";

const MB = 1_000_000;
const folder = process.env.HEARTH_RETRIEVAL ?? "";

/** Returns texts of so many characters together, in documents of 200,000 at most. */
function texts(characters: number): string[] {
  const all = existsSync(podsIn(folder))
    ? [...perl(folder).distractors, ...python(folder).distractors].join("\n\n")
    : "";
  const long = all === "" ? prose(characters / 60) : all;
  const whole = long.repeat(Math.ceil(characters / long.length)).slice(0, characters);
  // Identical bytes would be one document.
  return (whole.match(/[^]{1,200000}/g) ?? []).map((text, i) => `Part ${String(i)}.\n\n${text}`);
}

async function filled(parts: string[]): Promise<Library> {
  const library = await Library.open({ store: new MemoryStore() });
  for (const [i, text] of parts.entries()) await library.add({ name: `${String(i)}.txt`, text });
  return library;
}

/** Seconds of CPU of each run by name: other work on the machine lengthens wall time, not these. */
const spent = new Map<string, number[]>();

/** Runs a bench, and counts the CPU that this process spends in it. */
function measured(name: string, run: () => Promise<unknown>, options: object): void {
  const counted = async (): Promise<void> => {
    const begun = process.cpuUsage();
    await run();
    const { user, system } = process.cpuUsage(begun);
    spent.set(name, [...(spent.get(name) ?? []), (user + system) / 1e6]);
  };
  bench(name, counted, options);
}

afterAll(() => {
  for (const [name, seconds] of spent) {
    console.log(`${name}: least ${Math.min(...seconds).toFixed(3)} s of CPU in ${String(seconds.length)} runs`);
  }
});

const FEW = { iterations: 3, time: 0, warmupIterations: 1, warmupTime: 0 };
let large: Library | undefined;

/** Fills the large library once. */
async function fill(): Promise<void> {
  large ??= await filled(texts(10 * MB));
}

describe("a library by words", () => {
  const [megabyte, small] = [texts(MB), texts(MB / 5)];

  measured("1 MB is read, cut and indexed", () => filled(megabyte), FEW);

  measured(
    "a file of 200 kB is added, and searched for the first time",
    async () => (await filled(small)).search("how is the first file opened"),
    FEW,
  );

  measured("a query over 10 MB", async () => large?.search("how is the first file opened"), {
    ...FEW,
    iterations: 20,
    setup: fill,
  });
});
