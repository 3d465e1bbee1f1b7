/** Pages as they are written: their code, what they include, their headings and links. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ROOT } from "../.vitepress/pages.js";
import { slug } from "../.vitepress/slug.js";

const docs = join(ROOT, "docs");

/** Paths of the pages within `docs`, without the reference, which is generated. */
export const PAGES = readdirSync(docs, { recursive: true })
  .map((name) => String(name).replaceAll("\\", "/"))
  .filter((name) => name.endsWith(".md") && !/^(api|node_modules|\.vitepress)\//.test(name))
  .sort();

/** Matches a file that VitePress puts into a page, with its region. */
const SNIPPET = /^<<< @\/([^#{\s]+)(?:#([\w-]+))?/gm;
const INCLUDE = /<!--@include: ([^#\s]+)(?:#([\w-]+))? *-->/g;
const FENCE = /^( *)```(\w*).*\n([\s\S]*?)^\1```$/gm;

/** Returns the lines of a region, without the marks, or of the whole file. */
export function part(file: string, region?: string): string {
  if (!existsSync(file)) throw new Error(`${file} is not there`);
  const text = readFileSync(file, "utf8");
  if (region === undefined) return text;
  const lines = text.split("\n");
  const mark = (word: string): number =>
    lines.findIndex((line) => new RegExp(`^\\s*(?://|<!--) #${word} ${region}(?: -->)?$`).test(line));
  const [begin, end] = [mark("region"), mark("endregion")];
  if (begin === -1 || end < begin) throw new Error(`${file} has no region ${region}`);
  return lines.slice(begin + 1, end).join("\n");
}

/** Returns a page's text with the files that it includes. */
export function textOf(page: string): string {
  const file = join(docs, page);
  return readFileSync(file, "utf8").replace(INCLUDE, (_, path: string, region?: string) =>
    part(join(dirname(file), path), region),
  );
}

/** Returns the code that a page takes from files. */
export function snippetsOf(text: string): { file: string; code: string }[] {
  return [...text.matchAll(SNIPPET)].map(([, path = "", region]) => {
    const file = join(docs, path);
    return { file, code: undent(part(file, region)) };
  });
}

/** Returns the code that is written into a text itself. */
export function fencesOf(text: string): { language: string; code: string }[] {
  return [...text.matchAll(FENCE)].map(([, , language = "", code = ""]) => ({ language, code: undent(code) }));
}

const withoutCode = (text: string): string => text.replace(FENCE, "").replace(/`[^`\n]*`/g, "");

/** Returns the addresses of a page's links, but those to other sites. */
export function linksOf(text: string): string[] {
  return [...withoutCode(text).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, address = ""]) => address)
    .filter((address) => !/^[a-z]+:/.test(address));
}

/** Returns the anchors of a page's headings. */
export function anchorsOf(text: string): Set<string> {
  const headings = [...text.replace(FENCE, "").matchAll(/^#{1,6} (.+)$/gm)];
  return new Set(headings.map(([, heading = ""]) => slug(heading.replace(/`|\[([^\]]*)\]\([^)]*\)/g, "$1"))));
}

/** Returns a text without the indentation that its lines have in common. */
function undent(text: string): string {
  const lines = text.split("\n");
  const depth = Math.min(
    ...lines.filter((line) => line.trim() !== "").map((line) => /^ */.exec(line)?.[0].length ?? 0),
  );
  return lines
    .map((line) => line.slice(Number.isFinite(depth) ? depth : 0))
    .join("\n")
    .trim();
}
