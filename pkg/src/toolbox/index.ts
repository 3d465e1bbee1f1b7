/**
 * Tools that a model calls until it has its answer: the page's own functions, those of MCP servers, and those of pages
 * (WebMCP), behind the user's approval.
 *
 * ```ts
 * import { Approvals, mcpTools, runTools } from "hearth-llm/tools";
 *
 * const approve = new Approvals((call) => (confirm(`${call.name}(${call.text})?`) ? "once" : "no"));
 * const tools = await mcpTools(client, { name: "files" });
 * for await (const event of runTools(engine, { messages, tools, approve })) console.log(event);
 * ```
 */
export { Approvals, type AskApproval, type Verdict } from "./approvals.js";
export { mcpTools, type McpClient, type McpToolsOptions } from "./mcp.js";
export { runTools, type RunToolsParams, type ToolEvent, type ToolOutcome, type ToolRun } from "./run.js";
export type { Tool, ToolCall, ToolResult } from "./tool.js";
export { modelTool, offerTools, pageTools, type ModelContext, type PageTool } from "./web-mcp.js";
