/** Plain text: paragraphs between blank lines. */
import type { Block, Extracted } from "../blocks.js";

export function extractText(text: string): Extracted {
  return { blocks: paragraphsOf(text), pages: null, remarks: [] };
}

const LIST_ITEM = /^\s*(?:[-*+•]|\d{1,3}[.)])\s/;

export function paragraphsOf(text: string): Block[] {
  return text.split(/\n(?:[ \t]*\n)+/).flatMap((part): Block[] => {
    // A pattern for white space at the end would look from each of the spaces of a long run.
    const kept = part.replace(/^\n+/, "").trimEnd();
    if (kept.trim() === "") return [];
    const lines = kept.split("\n");
    const isList = lines.length > 1 && lines.filter((line) => LIST_ITEM.test(line)).length * 2 >= lines.length;
    return [{ kind: isList ? "list" : "paragraph", text: kept }];
  });
}
