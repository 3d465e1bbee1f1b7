/** An error as the reader needs it: what happened, what to do about it, and the code to search for. */
import { HearthError } from "hearth";
import { button, el } from "./dom.js";

export interface ErrorAction {
  label: string;
  run: () => void;
}

export function errorCard(error: unknown, actions: ErrorAction[]): HTMLElement {
  const { message, hint, code } = describe(error);
  const card = el("div", "error", el("p", "error-message", message));
  card.setAttribute("role", "alert");
  card.dataset.code = code;
  if (hint !== "") card.append(el("p", "error-hint", hint));
  const row = el("div", "error-actions");
  actions.forEach((action, index) => {
    row.append(button(action.label, index === 0 ? "primary" : "", action.run));
  });
  row.append(el("code", "error-code", code));
  card.append(row);
  return card;
}

function describe(error: unknown): { message: string; hint: string; code: string } {
  if (error instanceof HearthError) {
    const { message, hint, code } = error;
    return { message: message.charAt(0).toUpperCase() + message.slice(1), hint, code };
  }
  return { message: String(error), hint: "Reload the page; if it stays, please report this.", code: "page_error" };
}
