/**
 * Retrieval by words on questions with known answers, which Debian's packages `perl-doc` and `python3.11-doc` have. Their
 * texts are not in the repository: HEARTH_RETRIEVAL names a folder with the packages' files
 * (`dpkg-deb -x perl-doc_*.deb FOLDER`, both into one).
 *
 * A query is a question's heading; a hit is any passage of its answer, which does not have the heading. 1000 and 500
 * passages of other pages of each package are in the way.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Library, MemoryStore } from "../../src/documents/index.js";

const folder = process.env.HEARTH_RETRIEVAL ?? "";
const PODS = join(folder, "usr/share/perl/5.36.0/pod");
const PAGES = join(folder, "usr/share/doc/python3.11/html/_sources");

interface Corpus {
  questions: { query: string; answer: string }[];
  distractors: string[];
}

const read = (path: string): string => readFileSync(path, "utf8");

function perl(): Corpus {
  const names = readdirSync(PODS)
    .filter((name) => name.endsWith(".pod"))
    .sort();
  const questions = names
    .filter((name) => /^perlfaq\d/.test(name))
    .flatMap((name) =>
      read(join(PODS, name))
        .split(/^=head2 /m)
        .slice(1),
    )
    .map((part) => {
      const [query = "", ...rest] = part.split("\n");
      return { query: plain(query), answer: plain(rest.join("\n").replace(/^=head1[^]*/m, "")) };
    });
  const distractors = names.filter((name) => !name.startsWith("perlfaq")).map((name) => plain(read(join(PODS, name))));
  return { questions, distractors };
}

/** Returns the text of a page in Perl's markup. */
function plain(pod: string): string {
  return pod
    .replace(/^=\w+.*$/gm, "")
    .replace(/[BCEFILSX]<+\s?([^<>]*)\s?>+/g, "$1")
    .trim();
}

function python(): Corpus {
  const files = readdirSync(PAGES, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".rst.txt"))
    .sort();
  const questions = files
    .filter((name) => name.startsWith("faq/"))
    .flatMap((name) => {
      const parts = read(join(PAGES, name)).split(/^(.+\?)\n[-=~^.*"]{4,}\n/m);
      return parts.flatMap((query, i) => {
        if (i % 2 === 0) return [];
        // The next section's title, with the line above it, is not of the answer.
        const answer = (parts[i + 1] ?? "").replace(/^[=*]{4,}\n[^]*/m, "").replace(/^.+\n[=*]{4,}\n[^]*/m, "");
        return [{ query: query.replace(/[`*\\]/g, ""), answer: answer.trim() }];
      });
    });
  return {
    questions,
    distractors: files
      .filter((name) => /^(library|tutorial|howto)\//.test(name))
      .map((name) => read(join(PAGES, name))),
  };
}

async function measure({ questions, distractors }: Corpus, inTheWay: number): Promise<number[]> {
  const library = await Library.open({ store: new MemoryStore() });
  const ids: string[] = [];
  const asked = questions.filter(({ query, answer }) => query !== "" && answer !== "");
  for (const [i, { answer }] of asked.entries()) {
    ids.push((await library.add({ name: `answer ${String(i)}.txt`, text: answer })).id);
  }
  const own = library.stats().passages;
  // A part of each page, so that all subjects are in the way.
  for (const text of distractors) {
    const left = inTheWay - (library.stats().passages - own);
    if (left > 0) await library.add({ name: "page.txt", text: text.slice(0, Math.min(12_000, left * 800)) || "empty" });
  }
  const ranks: number[] = [];
  const begun = performance.now();
  for (const [i, { query }] of asked.entries()) {
    const found = await library.search(query, { limit: 10, mode: "words" });
    ranks.push(found.findIndex(({ document }) => document.id === ids[i]));
  }
  const took = (performance.now() - begun) / asked.length;
  const recall = [1, 5, 10].map((k) => ranks.filter((rank) => rank >= 0 && rank < k).length / asked.length);
  const { passages, characters } = library.stats();
  console.log(
    `${String(asked.length)} questions, ${String(own)} + ${String(passages - own)} passages, ${String(characters)} characters: ` +
      `r@1 / r@5 / r@10 ${recall.map((share) => share.toFixed(3)).join(" / ")}, ${took.toFixed(1)} ms a query`,
  );
  return recall;
}

describe.skipIf(folder === "")("retrieval by words", () => {
  it.skipIf(!existsSync(PODS))(
    "perlfaq",
    async () => {
      const [, five = 0] = await measure(perl(), 1000);
      expect(five).toBeGreaterThanOrEqual(0.65);
    },
    120_000,
  );

  it.skipIf(!existsSync(PAGES))(
    "Python's FAQ",
    async () => {
      const [, five = 0] = await measure(python(), 500);
      expect(five).toBeGreaterThanOrEqual(0.62);
    },
    120_000,
  );
});
