import { useChat, useEngine, type SharedEngineOptions } from "hearth-llm/react";

export function Chat({ options }: { options: SharedEngineOptions }) {
  const { engine, progress, error } = useEngine(options); // { model: "Qwen/Qwen3-0.6B-GGUF" }
  const { messages, send, stop } = useChat(engine, { system: "Be brief." });
  if (error !== undefined) return <p>{error.message}</p>;
  if (engine === undefined) return <p>{progress?.phase ?? "Loading"}</p>;
  return (
    <>
      <button onClick={() => void send("Name three rivers.")}>Ask</button>
      <button onClick={stop}>Stop</button>
      {messages.map(({ id, content }) => (
        <p key={id}>{content}</p>
      ))}
    </>
  );
}
