/**
 * Questions with known answers, which Debian's packages `perl-doc` and `python3.11-doc` have: a query is a question's
 * heading, a hit any passage of its answer, which does not have the heading. Their texts are not in the repository.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export interface Corpus {
  /** `page`: its page, where questions are of several kinds. */
  questions: { query: string; answer: string; page?: string }[];
  /** Other pages, whose passages are in the way. */
  distractors: string[];
  /** Names that a reader may ask for as they are. */
  names: RegExp;
}

const read = (path: string): string => readFileSync(path, "utf8");

/** Folders of both corpora in one into which the packages' files were extracted. */
export const podsIn = (folder: string): string => join(folder, "usr/share/perl/5.36.0/pod");
export const pagesIn = (folder: string): string => join(folder, "usr/share/doc/python3.11/html/_sources");

export function perl(folder: string): Corpus {
  const pods = podsIn(folder);
  const names = readdirSync(pods)
    .filter((name) => name.endsWith(".pod"))
    .sort();
  const questions = names
    .filter((name) => /^perlfaq\d/.test(name))
    .flatMap((name) =>
      read(join(pods, name))
        .split(/^=head2 /m)
        .slice(1),
    )
    .map((part) => {
      const [query = "", ...rest] = part.split("\n");
      return { query: plain(query), answer: plain(rest.join("\n").replace(/^=head1[^]*/m, "")) };
    });
  const distractors = names.filter((name) => !name.startsWith("perlfaq")).map((name) => plain(read(join(pods, name))));
  return { questions: asked(questions), distractors, names: /\b[A-Za-z]\w*(?:::\w+)+\b/g };
}

/** Returns the text of a page in Perl's markup. */
function plain(pod: string): string {
  return pod
    .replace(/^=\w+.*$/gm, "")
    .replace(/[BCEFILSX]<+\s?([^<>]*)\s?>+/g, "$1")
    .trim();
}

export function python(folder: string): Corpus {
  const pages = pagesIn(folder);
  const files = readdirSync(pages, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".rst.txt"))
    .sort();
  const questions = files
    .filter((name) => name.startsWith("faq/"))
    .flatMap((name) => {
      const parts = read(join(pages, name)).split(/^(.+\?)\n[-=~^.*"]{4,}\n/m);
      return parts.flatMap((query, i) => {
        if (i % 2 === 0) return [];
        // The next section's title, with the line above it, is not of the answer.
        const answer = (parts[i + 1] ?? "").replace(/^[=*]{4,}\n[^]*/m, "").replace(/^.+\n[=*]{4,}\n[^]*/m, "");
        return [{ query: query.replace(/[`*\\]/g, ""), answer: answer.trim(), page: name }];
      });
    });
  return {
    questions: asked(questions),
    distractors: files
      .filter((name) => /^(library|tutorial|howto)\//.test(name))
      .map((name) => read(join(pages, name))),
    names: /\b[A-Za-z]\w*\.[A-Za-z]\w*(?:_\w+|[a-z][A-Z]\w*)\b/g,
  };
}

function asked(questions: Corpus["questions"]): Corpus["questions"] {
  return questions.filter(({ query, answer }) => query !== "" && answer !== "");
}

/** Number of names that are asked for. */
const NAMES = 120;
/** Most passages that a rare name is in. */
const RARE = 3;

/** Returns rare names in passages, half of them bare and half in a question, from everywhere in their order. */
export function rareNames({ names }: Corpus, passages: string[]): { name: string; query: string }[] {
  const found = new Map<string, number>();
  for (const text of passages) {
    for (const name of new Set(text.match(names))) found.set(name, (found.get(name) ?? 0) + 1);
  }
  const rare = [...found].filter(([, count]) => count <= RARE).map(([name]) => name);
  const every = Math.max(1, Math.floor(rare.length / NAMES));
  const chosen = rare.filter((_, i) => i % every === 0).slice(0, NAMES);
  return chosen.map((name, i) => ({ name, query: i % 2 === 0 ? name : `What is ${name}?` }));
}
