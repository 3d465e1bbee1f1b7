/** The ways to name a model: the default one, an address, a chosen file, or a file dropped anywhere on the page. */
import { byId } from "./dom.js";

export const DEFAULT_MODEL = "/models/smollm2-135m-instruct-q4_1.gguf";

export function setUpModelPicker(onPick: (model: string | File) => void): void {
  byId("load-default", HTMLButtonElement).addEventListener("click", () => {
    onPick(DEFAULT_MODEL);
  });
  byId("url-form", HTMLFormElement).addEventListener("submit", (event) => {
    event.preventDefault();
    onPick(byId("url", HTMLInputElement).value.trim());
  });
  const input = byId("file", HTMLInputElement);
  input.addEventListener("change", () => {
    const file = input.files?.[0];
    // Choosing the same file again must count as a choice.
    input.value = "";
    if (file !== undefined) onPick(file);
  });
  setUpDrop(onPick);
}

function setUpDrop(onPick: (model: File) => void): void {
  const veil = byId("drop-veil", HTMLElement);
  const hasFile = (event: DragEvent): boolean => event.dataTransfer?.types.includes("Files") ?? false;
  addEventListener("dragover", (event) => {
    if (!hasFile(event)) return;
    event.preventDefault();
    veil.hidden = false;
  });
  addEventListener("dragleave", (event) => {
    // Without a related target the pointer has left the window.
    if (event.relatedTarget === null) veil.hidden = true;
  });
  addEventListener("drop", (event) => {
    if (!hasFile(event)) return;
    event.preventDefault();
    veil.hidden = true;
    const file = event.dataTransfer?.files[0];
    if (file !== undefined) onPick(file);
  });
}

export function modelName(model: string | File): string {
  if (typeof model !== "string") return model.name;
  return decodeURIComponent(model.split(/[?#]/)[0]?.split("/").pop() ?? model);
}
