/** A chat in React: an engine and a conversation from hooks, answers that stream, a button that stops them. */
import type { DeviceChoice } from "hearth-llm";
import { useChat, useEngine } from "hearth-llm/react";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

const params = new URLSearchParams(location.search);
const model = params.get("model") ?? "HuggingFaceTB/SmolLM2-360M-Instruct-GGUF";
const device = (params.get("device") ?? "auto") as DeviceChoice;

function Chat() {
  const { engine, progress, error: failure } = useEngine({ model, device });
  const { messages, status, error, send, stop } = useChat(engine, { request: { max_tokens: 32 } });
  const last = messages.at(-1);
  const [answer, isStopped] =
    last?.role === "assistant" ? [last.content, last.finish === "stopped"] : ["", messages.length > 0];

  const loading = engine === undefined ? (progress?.phase ?? "Loading") : `Ready on ${engine.device.name}`;
  const isBusy = status === "submitted" || status === "streaming";
  const ended = isStopped ? "Stopped" : "Done";
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        const question = new FormData(event.currentTarget).get("question");
        void send(typeof question === "string" ? question : "");
      }}
    >
      <input name="question" defaultValue="Hi, 42!" aria-label="Question" />
      <button disabled={engine === undefined}>Ask</button>
      <button type="button" onClick={stop}>
        Stop
      </button>
      <p id="status" role="status">
        {String(failure ?? error ?? (isBusy ? "Answering" : messages.length > 0 ? ended : loading))}
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
