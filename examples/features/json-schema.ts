/** Generates an answer that a program can read: it follows the schema, whatever the model is. */
import { load, run, say, write } from "./page.js";

interface Animal {
  legs: number;
  kind: "bird" | "fish" | "mammal";
  wild: boolean;
}

/** Bounds keep a small model from generating endlessly. */
const schema = {
  type: "object",
  properties: {
    legs: { type: "integer", minimum: 0, maximum: 8 },
    kind: { enum: ["bird", "fish", "mammal"] },
    wild: { type: "boolean" },
  },
  required: ["legs", "kind", "wild"],
  additionalProperties: false,
};

run(async () => {
  const engine = await load("HuggingFaceTB/SmolLM2-360M-Instruct-GGUF");
  say("Answering");
  const { choices } = await engine.chat.completions.create({
    messages: [{ role: "user", content: "Describe a fox." }],
    response_format: { type: "json_schema", json_schema: { name: "animal", schema, strict: true } },
  });
  const animal = JSON.parse(choices[0]?.message.content ?? "null") as Animal;
  write(`legs: ${String(animal.legs)}, kind: ${animal.kind}, wild: ${String(animal.wild)}`);
});
