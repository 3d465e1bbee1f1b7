/** A chat in React: an engine from a hook, an answer that streams, a button that stops it. */
import type { DeviceChoice } from "hearth-llm";
import { StrictMode, useRef, useState } from "react";
import { createRoot } from "react-dom/client";
import { useEngine } from "./use-engine.js";

const params = new URLSearchParams(location.search);
const model = params.get("model") ?? "HuggingFaceTB/SmolLM2-360M-Instruct-GGUF";
const device = (params.get("device") ?? "auto") as DeviceChoice;

function Chat() {
  const { engine, progress, error } = useEngine(model, device);
  const [answer, setAnswer] = useState("");
  const [status, setStatus] = useState<string>();
  const running = useRef<AbortController>(undefined);

  async function ask(question: string): Promise<void> {
    running.current?.abort();
    const controller = (running.current = new AbortController());
    setAnswer("");
    setStatus("Answering");
    try {
      const stream = await engine?.chat.completions.create(
        { messages: [{ role: "user", content: question }], max_tokens: 32, stream: true },
        { signal: controller.signal },
      );
      for await (const chunk of stream ?? []) setAnswer((text) => text + (chunk.choices[0]?.delta.content ?? ""));
      setStatus("Done");
    } catch (reason) {
      setStatus(controller.signal.aborted ? "Stopped" : String(reason));
    }
  }

  const loading = engine === undefined ? (progress?.phase ?? "Loading") : `Ready on ${engine.device.name}`;
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        const question = new FormData(event.currentTarget).get("question");
        void ask(typeof question === "string" ? question : "");
      }}
    >
      <input name="question" defaultValue="Hi, 42!" aria-label="Question" />
      <button disabled={engine === undefined}>Ask</button>
      <button type="button" onClick={() => running.current?.abort()}>
        Stop
      </button>
      <p id="status" role="status">
        {error === undefined ? (status ?? loading) : String(error)}
      </p>
      <pre id="answer">{answer}</pre>
    </form>
  );
}

const root = document.querySelector("#root");
if (root === null) throw new Error("the page has no #root");
createRoot(root).render(
  <StrictMode>
    <Chat />
  </StrictMode>,
);
