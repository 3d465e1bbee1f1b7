/** The meaning of key events: an input method uses Enter and Escape for itself. */
type Key = Pick<KeyboardEvent, "key" | "shiftKey" | "isComposing" | "keyCode">;

/**
 * Safari ends the composition before it reports the key that ended it; only key code 229 reveals that the key belongs
 * to the input method.
 */
export function isComposing(event: Key): boolean {
  // eslint-disable-next-line @typescript-eslint/no-deprecated
  return event.isComposing || event.keyCode === 229;
}

/** Whether the key is Enter without Shift, which would start a new line. */
export function isSubmit(event: Key): boolean {
  return event.key === "Enter" && !event.shiftKey && !isComposing(event);
}

export function isEscape(event: Key): boolean {
  return event.key === "Escape" && !isComposing(event);
}

/** Keys of the whole page, as `aria-keyshortcuts` has them. */
export const SEARCH_KEYS = "Control+K Meta+K";
export const NEW_CHAT_KEYS = "Control+Shift+O Meta+Shift+O";
