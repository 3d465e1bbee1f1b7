import { describe, expect, it } from "vitest";
import { isEscape, isSubmit } from "../src/lib/keys.js";

/** The key that ended a composition, as Safari reports it and as the other browsers do. */
const COMPOSING = [
  { isComposing: false, keyCode: 229 },
  { isComposing: true, keyCode: 13 },
];

describe("a key", () => {
  it("sends or ends by itself", () => {
    const plain = { shiftKey: false, isComposing: false, keyCode: 13 };
    expect(isSubmit({ ...plain, key: "Enter" })).toBe(true);
    expect(isSubmit({ ...plain, key: "Enter", shiftKey: true })).toBe(false);
    expect(isSubmit({ ...plain, key: "a" })).toBe(false);
    expect(isEscape({ ...plain, key: "Escape" })).toBe(true);
  });

  it.each(COMPOSING)("does neither while an input method composes: %o", (state) => {
    expect(isSubmit({ ...state, key: "Enter", shiftKey: false })).toBe(false);
    expect(isEscape({ ...state, key: "Escape", shiftKey: false })).toBe(false);
  });
});
