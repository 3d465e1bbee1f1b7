/** Shared by all pages here: a place for output, and a model from the address (`?model=…&device=cpu`). */
import { Engine, type DeviceChoice, type EngineOptions } from "hearth-llm";

const find = (selector: string): HTMLElement => {
  const found = document.querySelector<HTMLElement>(selector);
  if (found === null) throw new Error(`the page has no ${selector}`);
  return found;
};

export const write = (text: string): void => {
  find("#output").textContent = text;
};

export const say = (text: string): void => {
  find("#status").textContent = text;
};

const params = new URLSearchParams(location.search);
export const device = (params.get("device") ?? "auto") as DeviceChoice;

/** Loads the model from the address; by default `fallback`, a repository of Hugging Face. */
export function load(fallback: string, options: Partial<EngineOptions> = {}): Promise<Engine> {
  return Engine.create({ model: params.get("model") ?? fallback, device, ...options });
}

/** Runs a page to its end, and shows how it ended. */
export function run(page: () => Promise<void>): void {
  page().then(
    () => {
      say("Done");
    },
    (error: unknown) => {
      say(String(error));
    },
  );
}
