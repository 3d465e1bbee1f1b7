/**
 * A reader of HTML in which all elements are closed and all texts escaped, as a converter writes it: enough for what
 * becomes of DOCX, where there may be no DOMParser. Never for HTML from elsewhere.
 */
import type { MarkupNode } from "./markup.js";

interface Node extends MarkupNode {
  childNodes: Node[];
}

const TOKEN = /<(\/?)([a-z][a-z0-9]*)((?:[^>"]|"[^"]*")*?)(\/?)>|([^<]+)|</gi;
const EMPTY = new Set("br img hr".split(" "));
const ENTITIES: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: "\u00a0" };

export function parseWellFormed(html: string): MarkupNode {
  const root = element("body");
  const open = [root];
  for (const [, closing, name = "", , selfClosing, text] of html.matchAll(TOKEN)) {
    const parent = open.at(-1) ?? root;
    if (text !== undefined) parent.childNodes.push(leaf(unescape(text)));
    else if (closing === "/") {
      const at = open.findLastIndex((one) => one.nodeName === name.toLowerCase());
      if (at > 0) open.length = at;
    } else if (name !== "") {
      const child = element(name.toLowerCase());
      parent.childNodes.push(child);
      if (selfClosing !== "/" && !EMPTY.has(child.nodeName)) open.push(child);
    }
  }
  return root;
}

function element(nodeName: string): Node {
  const childNodes: Node[] = [];
  return {
    nodeType: 1,
    nodeName,
    childNodes,
    get textContent() {
      const texts: string[] = [];
      const waiting: Node[] = [...childNodes].reverse();
      for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
        if (node.nodeType === 3) texts.push(node.textContent ?? "");
        else waiting.push(...[...node.childNodes].reverse());
      }
      return texts.join("");
    },
  };
}

function leaf(textContent: string): Node {
  return { nodeType: 3, nodeName: "#text", textContent, childNodes: [] };
}

function unescape(text: string): string {
  return text.replace(
    /&(?:#(\d+)|#x([0-9a-f]+)|([a-z]+));/gi,
    (whole, decimal?: string, hex?: string, name?: string) => {
      if (name !== undefined) return ENTITIES[name] ?? whole;
      const code = decimal === undefined ? parseInt(hex ?? "", 16) : Number(decimal);
      return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
    },
  );
}
