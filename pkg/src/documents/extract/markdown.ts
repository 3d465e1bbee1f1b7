/** Markdown: its blocks as they are written; only headings lose their marks. */
import type { Block, Extracted } from "../blocks.js";

const FENCE = /^ {0,3}(`{3,}|~{3,})/;
const HEADING = /^ {0,3}(#{1,6})(?:[ \t](.*))?$/;
const UNDERLINE = /^ {0,3}(=+|-+)[ \t]*$/;
const ITEM = /^\s*(?:[-*+]|\d{1,9}[.)])\s/;
const ROW = /^\s*\|.*\|\s*$/;

type Kind = "paragraph" | "list" | "table" | "code";

export function extractMarkdown(text: string): Extracted {
  const blocks: Block[] = [];
  let kind: Kind = "paragraph";
  let open: string[] = [];
  let fence: string | undefined;
  const close = (): void => {
    const joined = open.join("\n").trimEnd();
    if (joined.trim() !== "") blocks.push({ kind, text: joined });
    open = [];
    kind = "paragraph";
  };
  const heading = (level: number, title: string): void => {
    close();
    const plain = title.replace(/\{#[\w-]+\}$/, "").trim();
    if (plain !== "") blocks.push({ kind: "heading", level, text: plain });
  };
  for (const line of text.replace(/^---\n[\s\S]*?\n---(?:\n|$)/, "").split("\n")) {
    const mark = FENCE.exec(line)?.[1];
    if (fence !== undefined) {
      open.push(line);
      if (mark?.startsWith(fence) === true && line.trim() === mark) {
        fence = undefined;
        close();
      }
      continue;
    }
    if (mark !== undefined) {
      close();
      fence = mark;
      kind = "code";
      open.push(line);
      continue;
    }
    const [, marks, rest = ""] = HEADING.exec(line) ?? [];
    const underline = UNDERLINE.exec(line)?.[1];
    if (marks !== undefined) heading(marks.length, titleOf(rest));
    else if (underline !== undefined && kind === "paragraph" && open.length === 1) {
      const [only = ""] = open.splice(0);
      heading(underline.startsWith("=") ? 1 : 2, only);
    } else if (line.trim() === "") {
      // An item's later paragraphs are indented and stay with their list.
      if (kind !== "list") close();
      else open.push(line);
    } else {
      const next: Kind = ROW.test(line) ? "table" : ITEM.test(line) ? "list" : "paragraph";
      const isContinued = kind === "list" && next === "paragraph" && (/^\s/.test(line) || open.at(-1)?.trim() !== "");
      if (open.length > 0 && next !== kind && !isContinued) close();
      if (open.length === 0) kind = next;
      open.push(line);
    }
  }
  close();
  return { blocks, pages: null, remarks: [] };
}

/** Returns a heading's text without the marks that may close it, in one pass over a line of any length. */
function titleOf(rest: string): string {
  const text = rest.trim();
  let end = text.length;
  while (text[end - 1] === "#") end--;
  return end === 0 || /\s/.test(text[end - 1] ?? "") ? text.slice(0, end).trimEnd() : text;
}
