"use client";

/** A question, and an answer that streams. The engine starts in the browser, when the component is mounted. */
import { Engine, type DeviceChoice } from "hearth-llm";
import { useEffect, useState } from "react";

export function Chat() {
  const [engine, setEngine] = useState<Engine>();
  const [status, setStatus] = useState("Loading");
  const [answer, setAnswer] = useState("");

  useEffect(() => {
    const params = new URLSearchParams(location.search);
    const controller = new AbortController();
    const loading = Engine.create({
      model: params.get("model") ?? "HuggingFaceTB/SmolLM2-360M-Instruct-GGUF",
      device: (params.get("device") ?? "auto") as DeviceChoice,
      signal: controller.signal,
    });
    loading.then(
      (made) => {
        setEngine(made);
        setStatus(`Ready on ${made.device.name}`);
      },
      (error: unknown) => {
        if (!controller.signal.aborted) setStatus(String(error));
      },
    );
    return () => {
      controller.abort();
      loading.then(
        (made) => {
          made.dispose();
        },
        () => undefined,
      );
    };
  }, []);

  async function ask(question: string): Promise<void> {
    setAnswer("");
    setStatus("Answering");
    const stream = await engine?.chat.completions.create({
      messages: [{ role: "user", content: question }],
      max_tokens: 32,
      stream: true,
    });
    for await (const chunk of stream ?? []) setAnswer((text) => text + (chunk.choices[0]?.delta.content ?? ""));
    setStatus("Done");
  }

  return (
    <form
      action={(form) => {
        const question = form.get("question");
        ask(typeof question === "string" ? question : "").catch((error: unknown) => {
          setStatus(String(error));
        });
      }}
    >
      <input name="question" defaultValue="Hi, 42!" aria-label="Question" />
      <button disabled={engine === undefined}>Ask</button>
      <p id="status" role="status">
        {status}
      </p>
      <pre id="answer">{answer}</pre>
    </form>
  );
}
