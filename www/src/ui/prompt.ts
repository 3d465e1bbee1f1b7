/**
 * Dictated words in the message field, put at the caret as if they were typed: undo takes them back, and they replace
 * nothing.
 */
import { fitted } from "../lib/words.js";
import { append, place } from "../state/draft.js";

/** Words that wait until an input method has finished its own. */
let waiting: { words: string; id: string }[] = [];
let isComposing = false;

/** Notices input methods; called once, before the first words. */
export function watchInputMethod(): void {
  addEventListener("compositionstart", () => {
    isComposing = true;
  });
  addEventListener("compositionend", () => {
    isComposing = false;
    // The field has the composed text only after this event.
    setTimeout(flush);
  });
}

/** Writes words into the draft with this key, at the caret if it is on the screen. */
export function insertWords(words: string, id: string): void {
  waiting.push({ words, id });
  if (!isComposing) flush();
}

function flush(): void {
  const all = waiting;
  waiting = [];
  for (const { words, id } of all) {
    const field = document.querySelector<HTMLTextAreaElement>("#prompt");
    if (field === null || id !== place.peek()) void append(id, words);
    else insert(field, words);
  }
}

function insert(field: HTMLTextAreaElement, words: string): void {
  const { selectionStart, selectionEnd, value } = field;
  // After a selection, not in its place.
  const text = fitted(value, selectionEnd, words);
  if (text === "") return;
  field.setSelectionRange(selectionEnd, selectionEnd);
  if (document.activeElement !== field || !typed(text)) {
    field.setRangeText(text, selectionEnd, selectionEnd);
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }
  const caret = selectionEnd + text.length;
  if (selectionStart === selectionEnd) field.setSelectionRange(caret, caret);
  else field.setSelectionRange(selectionStart, selectionEnd);
}

/** Types a text into the field with the focus; returns false if the browser does not. */
function typed(text: string): boolean {
  // There is no other way to keep the field's history, without which undo would take back more than the words.
  // eslint-disable-next-line @typescript-eslint/no-deprecated
  return document.execCommand("insertText", false, text);
}
