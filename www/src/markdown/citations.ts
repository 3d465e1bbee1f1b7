/**
 * Citations in an answer: each `[1]` outside code and links becomes a button that opens its source. The buttons are made
 * of numbers and the names of documents, set as text.
 */
import type { Citation, SourcesPart } from "../store/sources.js";
import { t } from "../text/index.js";

const MARK = /\[(\d{1,3})\]/g;
const OTHERS = "code, pre, a, button, .math";

/** Turns the marks of known sources in a block into buttons. */
export function linkCitations(block: HTMLElement, part: SourcesPart): void {
  const walker = document.createTreeWalker(block, NodeFilter.SHOW_TEXT);
  const texts: Text[] = [];
  while (walker.nextNode() !== null) {
    const text = walker.currentNode as Text;
    if (text.data.includes("[") && text.parentElement?.closest(OTHERS) === null) texts.push(text);
  }
  for (const text of texts) link(text, part);
}

function link(text: Text, part: SourcesPart): void {
  const { data } = text;
  const pieces: (string | HTMLElement)[] = [];
  let from = 0;
  for (const { 0: mark, 1: digits, index } of data.matchAll(MARK)) {
    const chip = chipOf(Number(digits), part);
    if (chip === undefined) continue;
    pieces.push(data.slice(from, index), chip);
    from = index + mark.length;
  }
  if (pieces.length > 0) text.replaceWith(...pieces, data.slice(from));
}

function chipOf(number: number, { sources }: SourcesPart): HTMLElement | undefined {
  const source = sources.find((one) => one.number === number);
  if (source === undefined) return undefined;
  const chip = document.createElement("button");
  chip.type = "button";
  chip.className = "cite";
  chip.dataset.number = String(number);
  chip.textContent = String(number);
  name(chip, t().sourceLabel(number, source.title, source.page ?? null));
  return chip;
}

function name(chip: HTMLElement, label: string): void {
  chip.setAttribute("aria-label", label);
  chip.title = label;
}

/** Draws the citations differently whose source does not have the words of the answer. */
export function showSupport(root: HTMLElement, part: SourcesPart): void {
  for (const { number = 0, title } of part.sources) {
    const cited = citationsOf(part, number);
    const chips = chipsOf(root, number);
    // Where the package and Markdown read the text differently, nothing is claimed.
    if (chips.length !== cited.length) continue;
    for (const [i, chip] of chips.entries()) {
      const { isSupported = true, page = null } = cited[i] ?? {};
      const label = t().sourceLabel(number, title, page);
      chip.classList.toggle("unsure", !isSupported);
      name(chip, isSupported ? label : t().unsure(label));
    }
  }
}

/** Returns which source a click was on, and which of its citations; undefined if it was on none. */
export function chipAt(root: HTMLElement, target: EventTarget | null): { number: number; at: number } | undefined {
  const chip = target instanceof Element ? target.closest<HTMLElement>("button.cite") : null;
  if (chip === null) return undefined;
  const number = Number(chip.dataset.number);
  return { number, at: chipsOf(root, number).indexOf(chip) };
}

/** Returns the citations of one source, in the order of the answer. */
export function citationsOf({ citations = [] }: SourcesPart, number: number): Citation[] {
  return citations.filter((citation) => citation.number === number);
}

function chipsOf(root: HTMLElement, number: number): HTMLElement[] {
  return [...root.querySelectorAll<HTMLElement>(`button.cite[data-number="${String(number)}"]`)];
}
