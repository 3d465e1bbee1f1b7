/** Tools that a model calls, run by the page. */
import type { ChatCompletionMessageParam, Engine } from "hearth-llm";
// #region run
import { Approvals, mcpTools, runTools, type McpClient, type Tool } from "hearth-llm/tools";

const clock: Tool = {
  type: "function",
  function: { name: "clock", description: "The time now." },
  needsApproval: false,
  execute: () => new Date().toISOString(),
};

export async function answer(engine: Engine, messages: ChatCompletionMessageParam[], client: McpClient) {
  const approve = new Approvals((call) => (confirm(`Run ${call.name}?`) ? "once" : "no"));
  const run = runTools(engine, { messages, tools: [clock, ...(await mcpTools(client, { name: "files" }))], approve });
  for await (const event of run) if (event.type === "call") console.log(event.call.name, event.call.args);
  return await run.outcome();
}
// #endregion run
