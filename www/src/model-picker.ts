/** The ways to name a model: the default one, an address, a chosen file, or a file dropped anywhere on the page. */
import { byId } from "./dom.js";

export const DEFAULT_MODEL = "/models/smollm2-135m-instruct-q4_1.gguf";

export function setUpModelPicker(onPick: (model: string | File | File[]) => void): void {
  byId("load-default", HTMLButtonElement).addEventListener("click", () => {
    onPick(DEFAULT_MODEL);
  });
  byId("url-form", HTMLFormElement).addEventListener("submit", (event) => {
    event.preventDefault();
    onPick(byId("url", HTMLInputElement).value.trim());
  });
  const input = byId("file", HTMLInputElement);
  input.addEventListener("change", () => {
    const files = [...(input.files ?? [])];
    // Choosing the same file again must count as a choice.
    input.value = "";
    pick(files, onPick);
  });
  setUpDrop(onPick);
}

/** One file is a model; several are one too, split or as safetensors with their texts. */
function pick(files: File[], onPick: (model: File | File[]) => void): void {
  const [file] = files;
  if (file !== undefined) onPick(files.length === 1 ? file : files);
}

function setUpDrop(onPick: (model: File | File[]) => void): void {
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
    pick([...(event.dataTransfer?.files ?? [])], onPick);
  });
}

export function modelName(model: string | File | File[]): string {
  if (Array.isArray(model)) return `${String(model.length)} files`;
  if (typeof model !== "string") return model.name;
  return decodeURIComponent(model.split(/[?#]/)[0]?.replace(/\/$/, "").split("/").pop() ?? model);
}
