/** Lets the model call a function: the page runs it and returns the result, and the model answers with it. */
import type { ChatCompletionMessageParam, ChatCompletionTool } from "hearth-llm";
import { load, run, say, write } from "./page.js";

const tools: ChatCompletionTool[] = [
  {
    type: "function",
    function: {
      name: "add",
      description: "Adds.",
      parameters: {
        type: "object",
        properties: { a: { type: "integer" }, b: { type: "integer" } },
        required: ["a", "b"],
        additionalProperties: false,
      },
    },
  },
];

run(async () => {
  const engine = await load("Qwen/Qwen3-0.6B-GGUF");
  say("Answering");
  const messages: ChatCompletionMessageParam[] = [{ role: "user", content: "What is 12 plus 30?" }];
  // "auto" would leave it to the model whether to call, and how well.
  const first = await engine.chat.completions.create({
    messages,
    tools,
    tool_choice: "required",
    parallel_tool_calls: false,
    temperature: 0,
  });
  const calls = first.choices[0]?.message.tool_calls ?? [];
  messages.push({ role: "assistant", content: null, tool_calls: calls });
  for (const call of calls) {
    const { a, b } = JSON.parse(call.function.arguments) as { a: number; b: number };
    messages.push({ role: "tool", tool_call_id: call.id, content: String(a + b) });
  }
  const { choices } = await engine.chat.completions.create({ messages, tools, temperature: 0, max_tokens: 32 });
  const called = calls.map((call) => `${call.function.name}(${call.function.arguments})`).join("\n");
  write(`${called}\n${choices[0]?.message.content ?? ""}`);
});
