/** Answers from notes: an embedding model finds the note closest to the question, and the chat model receives both. */
import { Engine } from "hearth-llm";
import { device, load, run, say, write } from "./page.js";

const NOTES = [
  "The kiln is fired on Mondays and Thursdays.",
  "Glazes are in the blue cupboard.",
  "The key hangs behind the door.",
];
const QUESTION = "When is the kiln fired?";
const embedder = new URLSearchParams(location.search).get("embedder") ?? "sentence-transformers/all-MiniLM-L6-v2";

/** Embeddings have length 1, so their dot product is the cosine. */
const likeness = (a: number[], b: number[]): number => a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);

run(async () => {
  const memory = await Engine.create({ model: embedder, device });
  const { data } = await memory.embeddings.create({ input: [QUESTION, ...NOTES] });
  memory.dispose();
  const [question = [], ...notes] = data.map(({ embedding }) => embedding as number[]);
  const [nearest] = NOTES.map((note, i) => ({ note, score: likeness(question, notes[i] ?? []) })).sort(
    (a, b) => b.score - a.score,
  );
  const engine = await load("HuggingFaceTB/SmolLM2-360M-Instruct-GGUF");
  say("Answering");
  const { choices } = await engine.chat.completions.create({
    messages: [{ role: "user", content: `${nearest?.note ?? ""}\n\n${QUESTION}` }],
    max_tokens: 24,
  });
  write(`From: ${nearest?.note ?? ""}\n${choices[0]?.message.content ?? ""}`);
});
