/** HTML, by a document that runs nothing and fetches nothing. */
import { HearthError } from "../../core/errors.js";
import type { Extracted } from "../blocks.js";
import { blocksOf, type MarkupNode } from "./markup.js";

/** Parses HTML without running scripts or fetching anything, as DOMParser does. */
export type ParseHtml = (html: string) => MarkupNode;

export function extractHtml(html: string, name: string, parse: ParseHtml | undefined): Extracted {
  const root = (parse ?? browsersParser(name))(html);
  const main = find(root, "main", 0);
  const whole = blocksOf(root);
  const inner = main === undefined ? [] : blocksOf(main);
  const length = (blocks: typeof whole): number => blocks.reduce((sum, { text }) => sum + text.length, 0);
  // Text around the main part is navigation, unless it is most of the page.
  const blocks = length(inner) * 3 > length(whole) ? inner : whole;
  return { blocks, pages: null, remarks: [] };
}

function browsersParser(name: string): ParseHtml {
  if (typeof DOMParser === "undefined") {
    throw new HearthError("extractor_missing", `${name} is HTML, and there is no DOMParser here`, {
      hint: "Read HTML on a page, or give Library.open a `parseHtml` (of jsdom, happy-dom or linkedom).",
    });
  }
  return (html) => new DOMParser().parseFromString(html, "text/html").body;
}

function find(node: MarkupNode, name: string, depth: number): MarkupNode | undefined {
  if (depth > 50) return undefined;
  for (const child of Array.from(node.childNodes)) {
    if (child.nodeType !== 1) continue;
    const found = child.nodeName.toLowerCase() === name ? child : find(child, name, depth + 1);
    if (found !== undefined) return found;
  }
  return undefined;
}
