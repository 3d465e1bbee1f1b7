/** Keys as they are meant: an input method takes Enter and Escape for itself. */
type Key = Pick<KeyboardEvent, "key" | "shiftKey" | "isComposing" | "keyCode">;

/** Safari ends the composition before it tells of the key that did so; only the code 229 says whose key that was. */
function isComposing(event: Key): boolean {
  // eslint-disable-next-line @typescript-eslint/no-deprecated
  return event.isComposing || event.keyCode === 229;
}

/** Enter, but for a new line. */
export function isSubmit(event: Key): boolean {
  return event.key === "Enter" && !event.shiftKey && !isComposing(event);
}

export function isEscape(event: Key): boolean {
  return event.key === "Escape" && !isComposing(event);
}
