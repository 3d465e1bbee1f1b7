/** A chat in thirty lines: load with progress, ask, stream, stop. */
import { canRun, Engine } from "hearth-llm";

// Any open model: a Hugging Face id, an address, a file. This one is in the page's folder.
const model = new URLSearchParams(location.search).get("model") ?? "/model.gguf";
const device = "auto";

const find = (selector: string): HTMLElement => {
  const found = document.querySelector<HTMLElement>(selector);
  if (found === null) throw new Error(`the page has no ${selector}`);
  return found;
};
const status = find("#status");
const answer = find("#answer");

async function load(): Promise<Engine> {
  const { verdict, reasons, changes } = await canRun({ model });
  if (verdict === "does_not_fit") throw new Error(reasons.join("; "));
  return Engine.create({
    model,
    device,
    ...changes,
    onProgress: ({ phase, loaded, total }) => {
      status.textContent = `${phase} ${String(loaded)} of ${String(total)}`;
    },
  });
}

const engine = await load().catch((error: unknown) => {
  status.textContent = String(error);
  throw error;
});
status.textContent = `Ready on ${engine.device.name}`;

let running: AbortController | undefined;
find("form").addEventListener("submit", (event) => {
  event.preventDefault();
  void ask((find("[name=question]") as HTMLInputElement).value);
});
find("[name=stop]").addEventListener("click", () => running?.abort());

async function ask(content: string): Promise<void> {
  running?.abort();
  const controller = (running = new AbortController());
  answer.textContent = "";
  status.textContent = "Answering";
  try {
    const stream = await engine.chat.completions.create(
      { messages: [{ role: "user", content }], max_tokens: 32, temperature: 0, stream: true },
      { signal: controller.signal },
    );
    for await (const chunk of stream) answer.textContent += chunk.choices[0]?.delta.content ?? "";
    status.textContent = "Done";
  } catch (error) {
    status.textContent = controller.signal.aborted ? "Stopped" : String(error);
  }
}
