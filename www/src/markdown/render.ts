/**
 * Renders a model's answer as formatted text, block by block: while it grows, only the blocks that change are rendered
 * again.
 *
 * The answer is not trusted. The HTML that Markdown produces goes through DOMPurify, which keeps text formatting only:
 * nothing that loads anything (images, media, frames, styles) passes. Formulas and code are set afterwards, from their
 * text.
 */
import DOMPurify from "dompurify";
import type { Token } from "marked";
import { t } from "../text/index.js";
import { BlockReader, marked, type Links } from "./blocks.js";
import { highlight } from "./highlight.js";
import { hasMath, setMath } from "./math.js";

const ALLOWED_TAGS = [
  ..."p br hr h1 h2 h3 h4 h5 h6 ul ol li blockquote pre code strong em del a input".split(" "),
  ..."table thead tbody tr th td span div".split(" "),
];
/** Classes that we set ourselves; any other `class` is removed. */
const OUR_CLASS = /^(language-[\w+#-]+|math|math block)$/;
const SAFE_LINK = /^(https?:|mailto:)/i;

const purify = DOMPurify();
purify.addHook("afterSanitizeAttributes", (node) => {
  if (!OUR_CLASS.test(node.getAttribute("class") ?? "")) node.removeAttribute("class");
  // Task lists have checkboxes; a model may create no other input.
  if (node instanceof HTMLInputElement) {
    if (node.type !== "checkbox") node.remove();
    node.disabled = true;
    node.setAttribute("aria-label", node.checked ? t().taskDone : t().taskOpen);
  }
  if (node instanceof HTMLAnchorElement) {
    if (!SAFE_LINK.test(node.getAttribute("href") ?? "")) node.removeAttribute("href");
    node.target = "_blank";
    node.rel = "noopener noreferrer nofollow";
  }
});

/** Shows a growing text in an element. */
export class MarkdownView {
  readonly #root: HTMLElement;
  #reader = new BlockReader();
  /** The token that each child of the root was rendered from. */
  #shown: Token[] = [];
  #links = "";
  readonly #dress: (block: HTMLElement) => void;

  /** Creates a view; `dress` may change each block before it is shown. */
  constructor(root: HTMLElement, dress: (block: HTMLElement) => void = () => undefined) {
    this.#root = root;
    this.#dress = dress;
  }

  update(text: string): void {
    const found = this.#reader.read(text);
    if (found === undefined) {
      this.#root.replaceChildren(plain(text));
      return;
    }
    const { blocks, links } = found;
    // A link's address may come long after its block.
    const addresses = JSON.stringify(links);
    const isSame = (old: Token | undefined, next: Token): boolean =>
      old === next || (old?.raw === next.raw && (addresses === this.#links || !next.raw.includes("[")));
    let same = 0;
    for (const block of blocks) {
      if (!isSame(this.#shown[same], block)) break;
      same++;
    }
    while (this.#root.childNodes.length > same) this.#root.lastChild?.remove();
    for (const block of blocks.slice(same)) {
      const element = toElement(block, links);
      this.#dress(element);
      this.#root.append(element);
    }
    this.#shown = blocks;
    this.#links = addresses;
  }
}

/** Renders one block as one element. */
function toElement(block: Token, links: Links): HTMLElement {
  let fragment: DocumentFragment;
  try {
    fragment = purify.sanitize(marked.parser(Object.assign([block], { links })), {
      ALLOWED_TAGS,
      ALLOWED_ATTR: ["href", "align", "start", "class", "checked", "type"],
      ALLOW_DATA_ATTR: false,
      RETURN_DOM_FRAGMENT: true,
    });
  } catch {
    return plain(block.raw);
  }
  const element = document.createElement("div");
  element.className = "block";
  element.append(fragment);
  // Each paragraph runs in its own direction, and code from left to right.
  for (const part of [element, ...element.querySelectorAll<HTMLElement>("li, td, th, p")]) part.dir = "auto";
  for (const table of element.querySelectorAll("table")) wrap(table, "table");
  for (const code of element.querySelectorAll<HTMLElement>("pre > code")) dressCode(code);
  if (hasMath(element)) setMath(element);
  return element;
}

/** Shows the source of text that is nested too deeply to be formatted. */
function plain(text: string): HTMLElement {
  const element = document.createElement("div");
  element.className = "block plain";
  element.dir = "auto";
  element.textContent = text;
  return element;
}

/** Lets wide content scroll by itself instead of widening the page, and makes it reachable by keyboard. */
function wrap(inner: HTMLElement, className: string): HTMLElement {
  const frame = document.createElement("div");
  frame.className = className;
  frame.tabIndex = 0;
  inner.replaceWith(frame);
  frame.append(inner);
  return frame;
}

/** Adds the language, a copy button, and highlighting once it has loaded, to a code block. */
function dressCode(code: HTMLElement): void {
  const pre = code.parentElement;
  if (pre === null) return;
  const language = /^language-(.+)$/.exec(code.className)?.[1] ?? "";
  const frame = document.createElement("div");
  frame.className = "code";
  const head = document.createElement("div");
  head.className = "code-head";
  const name = document.createElement("span");
  name.textContent = language;
  const copy = document.createElement("button");
  copy.type = "button";
  copy.className = "quiet";
  copy.textContent = t().copy;
  copy.addEventListener("click", () => {
    void navigator.clipboard.writeText(code.textContent).then(() => {
      copy.textContent = t().copied;
    });
  });
  head.append(name, copy);
  pre.tabIndex = 0;
  frame.dir = "ltr";
  pre.replaceWith(frame);
  frame.append(head, pre);
  highlight(code, language);
}
