/** Blocks of a tree of HTML, whether a browser's document or what `parseWellFormed` makes. */
import type { Block } from "../blocks.js";

/** The part of the DOM's `Node` that is read. */
export interface MarkupNode {
  /** 1 for an element, 3 for a text. */
  readonly nodeType: number;
  readonly nodeName: string;
  readonly textContent: string | null;
  readonly childNodes: ArrayLike<MarkupNode>;
  getAttribute?(name: string): string | null;
}

/** Elements whose content is not text of the page. */
const SKIPPED = new Set(
  "title script style noscript template svg math head iframe object embed canvas audio video select button nav dialog".split(
    " ",
  ),
);
const BREAKING = new Set(
  "address article aside blockquote body caption center dd details div dl dt fieldset figcaption figure footer form header hr html legend main ol p section summary ul".split(
    " ",
  ),
);
/** Deeper elements are read as plain text: a hostile file must not exhaust the stack. */
const DEEPEST = 200;
const HIDDEN = /(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*hidden)/i;

export function blocksOf(root: MarkupNode): Block[] {
  const walker = new Walker();
  walker.children(root, 0);
  walker.flush();
  return walker.blocks;
}

class Walker {
  readonly blocks: Block[] = [];
  #line = "";

  children(node: MarkupNode, depth: number): void {
    for (const child of Array.from(node.childNodes)) this.#visit(child, depth + 1);
  }

  flush(): void {
    const text = tidied(this.#line);
    this.#line = "";
    if (text !== "") this.blocks.push({ kind: "paragraph", text });
  }

  #visit(node: MarkupNode, depth: number): void {
    if (node.nodeType === 3) {
      this.#line += (node.textContent ?? "").replace(/\s+/g, " ");
      return;
    }
    if (node.nodeType !== 1 || isHidden(node)) return;
    const name = node.nodeName.toLowerCase();
    if (depth > DEEPEST) {
      this.#line += (node.textContent ?? "").replace(/\s+/g, " ");
      return;
    }
    const level = /^h([1-6])$/.exec(name)?.[1];
    if (level !== undefined) this.#add({ kind: "heading", level: Number(level), text: inline(node, depth) });
    else if (name === "pre") this.#add({ kind: "code", text: raw(node, depth).replace(/^\n/, "").trimEnd() });
    else if (name === "ul" || name === "ol") this.#add({ kind: "list", text: list(node, "", depth) });
    else if (name === "table") this.#table(node, depth);
    else if (name === "br") this.#line += "\n";
    else if (BREAKING.has(name)) {
      this.flush();
      this.children(node, depth);
      this.flush();
    } else this.children(node, depth);
  }

  #add(block: Block): void {
    this.flush();
    if (block.text.trim() !== "") this.blocks.push(block);
  }

  /** Reads a table row by row; one that only arranges the page is read as its content. */
  #table(node: MarkupNode, depth: number): void {
    const rows = within(node, "tr", depth, new Set(["table"])).map((row) =>
      Array.from(row.childNodes).filter((cell) => /^t[dh]$/i.test(cell.nodeName) && !isHidden(cell)),
    );
    const isLayout = rows.some((row) => row.some((cell) => within(cell, "table", depth, new Set()).length > 0));
    if (isLayout || rows.every((row) => row.length < 2)) {
      this.flush();
      for (const cell of rows.flat()) {
        this.children(cell, depth + 3);
        this.flush();
      }
      return;
    }
    const texts = rows.map((row) => row.map((cell) => inline(cell, depth).replace(/\n/g, " ")).join(" | "));
    this.#add({ kind: "table", text: texts.filter((row) => row.replace(/[ |]/g, "") !== "").join("\n") });
  }
}

function isHidden(node: MarkupNode): boolean {
  if (SKIPPED.has(node.nodeName.toLowerCase())) return true;
  if (node.getAttribute === undefined) return false;
  return (
    node.getAttribute("hidden") !== null ||
    node.getAttribute("aria-hidden") === "true" ||
    HIDDEN.test(node.getAttribute("style") ?? "")
  );
}

/** Returns the descendants of a name, without looking into those elements or the ones named in `closed`. */
function within(node: MarkupNode, name: string, depth: number, closed: Set<string>): MarkupNode[] {
  if (depth > DEEPEST) return [];
  return Array.from(node.childNodes).flatMap((child) => {
    const own = child.nodeName.toLowerCase();
    if (child.nodeType !== 1 || isHidden(child)) return [];
    if (own === name) return [child];
    return closed.has(own) ? [] : within(child, name, depth + 1, closed);
  });
}

/** Returns a node's text with its white space as it is. */
function raw(node: MarkupNode, depth: number): string {
  if (node.nodeType === 3) return node.textContent ?? "";
  if (depth > DEEPEST) return node.textContent ?? "";
  if (node.nodeName.toLowerCase() === "br") return "\n";
  return Array.from(node.childNodes)
    .filter((child) => child.nodeType === 3 || (child.nodeType === 1 && !isHidden(child)))
    .map((child) => raw(child, depth + 1))
    .join("");
}

/** Returns an element's text in one paragraph. */
function inline(node: MarkupNode, depth: number): string {
  const read = (at: MarkupNode, level: number): string => {
    if (at.nodeType === 3) return (at.textContent ?? "").replace(/\s+/g, " ");
    if (at.nodeType !== 1 || isHidden(at)) return "";
    if (level > DEEPEST) return (at.textContent ?? "").replace(/\s+/g, " ");
    const name = at.nodeName.toLowerCase();
    if (name === "br") return "\n";
    const text = Array.from(at.childNodes, (child) => read(child, level + 1)).join("");
    return BREAKING.has(name) || name === "li" || name === "tr" ? ` ${text} ` : text;
  };
  return tidied(Array.from(node.childNodes, (child) => read(child, depth + 1)).join(""));
}

function list(node: MarkupNode, indent: string, depth: number): string {
  if (depth > DEEPEST) return tidied(node.textContent ?? "");
  const isOrdered = node.nodeName.toLowerCase() === "ol";
  let number = 0;
  return Array.from(node.childNodes)
    .flatMap((item) => {
      if (item.nodeType !== 1 || isHidden(item)) return [];
      if (/^[ou]l$/i.test(item.nodeName)) return list(item, `${indent}  `, depth + 1);
      number++;
      const mark = isOrdered ? `${String(number)}. ` : "- ";
      const nested = within(item, "ul", depth, new Set(["ol"])).concat(within(item, "ol", depth, new Set(["ul"])));
      const own = nested.length === 0 ? inline(item, depth) : inline(without(item, nested), depth);
      return [
        `${indent}${mark}${own.replace(/\n/g, " ")}`,
        ...nested.map((one) => list(one, `${indent}  `, depth + 1)),
      ];
    })
    .join("\n");
}

/** Returns a view of an element in which some descendants are not there. */
function without(node: MarkupNode, left: MarkupNode[]): MarkupNode {
  return {
    nodeType: node.nodeType,
    nodeName: node.nodeName,
    textContent: node.textContent,
    childNodes: Array.from(node.childNodes)
      .filter((child) => !left.includes(child))
      .map((child) => (child.nodeType === 1 && child.childNodes.length > 0 ? without(child, left) : child)),
  };
}

function tidied(text: string): string {
  return text
    .replace(/[^\S\n]+/g, " ")
    .replace(/ ?\n ?/g, "\n")
    .trim();
}
