/** Keys for the whole page. On a Mac, Command stands for Control. */
import { isComposing } from "../lib/keys.js";
import { newConversation } from "../state/chat.js";
import { dialog } from "./dialogs.js";
import { isSidebarOpen, openSidebar } from "./Sidebar.js";

/** Listens to the page's keys; returns what ends that. */
export function watchShortcuts(): () => void {
  addEventListener("keydown", onKey);
  return () => {
    removeEventListener("keydown", onKey);
  };
}

function onKey(event: KeyboardEvent): void {
  const { ctrlKey, metaKey, altKey, shiftKey, repeat } = event;
  // A dialog keeps the focus, and its keys.
  if (ctrlKey === metaKey || altKey || repeat || isComposing(event) || dialog.peek() !== undefined) return;
  // With Shift, the letter is large.
  const key = event.key.toLowerCase();
  if (key === "k" && !shiftKey) goToSearch();
  else if (key === "o" && shiftKey) startChat();
  else return;
  // Browsers have uses of their own for these keys.
  event.preventDefault();
}

function goToSearch(): void {
  // Wide screens show the search beside the page.
  if (matchMedia("(max-width: 52rem)").matches) openSidebar();
  requestAnimationFrame(() => document.querySelector<HTMLElement>("#search")?.focus());
}

function startChat(): void {
  newConversation();
  isSidebarOpen.value = false;
  requestAnimationFrame(() => document.querySelector<HTMLElement>("#prompt")?.focus());
}
