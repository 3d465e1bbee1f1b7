/** WebMCP (`document.modelContext`, a draft): a page's tools for a model here, and tools here for the browser's agents. */
import { invalid } from "../core/errors.js";
import { choose, type EngineChoice } from "../api/served.js";
import { DATA, toFailure, toResult, type Tool } from "./tool.js";

/** A tool as the browser lists it. */
export interface PageTool {
  name: string;
  description: string;
  /** A JSON schema, or its text in some versions. */
  inputSchema?: object | string | undefined;
  origin?: string;
}

/** The part of `document.modelContext` that is used. */
export interface ModelContext {
  getTools?(): Promise<PageTool[]> | PageTool[];
  executeTool?(tool: PageTool, input: object, options?: { signal?: AbortSignal }): Promise<unknown>;
  registerTool(
    tool: {
      name: string;
      description: string;
      inputSchema?: object;
      annotations?: { readOnlyHint?: boolean; untrustedContentHint?: boolean };
      execute: (input: Record<string, unknown>) => Promise<unknown>;
    },
    options?: { signal?: AbortSignal },
  ): unknown;
}

/** Returns the tools that a page has registered, for `runTools`. All need approval. */
export async function pageTools(context: ModelContext): Promise<Tool[]> {
  if (context.getTools === undefined || context.executeTool === undefined) {
    throw invalid("context", "a document.modelContext with getTools and executeTool", Object.keys(context));
  }
  const found = await context.getTools();
  return found.map((tool) => ({
    type: "function",
    function: { name: `page__${tool.name}`, description: `${tool.description} ${DATA}`, parameters: schemaOf(tool) },
    source: tool.origin ?? "page",
    needsApproval: true,
    execute: async (args, options) => context.executeTool?.(tool, asInput(args), options),
  }));
}

/**
 * Registers tools for the browser's agents until the signal fires. Their results are marked as untrusted. The agent's
 * browser asks its user, not this page: a tool with `needsApproval: true`, as those from elsewhere are, is refused.
 */
export async function offerTools(
  context: ModelContext,
  tools: readonly Tool[],
  { signal }: { signal: AbortSignal },
): Promise<void> {
  const asking = tools.find(({ needsApproval }) => needsApproval === true);
  if (asking !== undefined) throw invalid("tools", "free of those that need approval", asking.function.name);
  for (const { function: described, execute, isReadOnly = false } of tools) {
    const registered = context.registerTool(
      {
        name: described.name,
        description: described.description ?? "",
        inputSchema: described.parameters ?? { type: "object", properties: {} },
        annotations: { readOnlyHint: isReadOnly, untrustedContentHint: true },
        execute: async (input) => {
          try {
            const { content } = toResult(await execute(input, { signal }));
            return { content: [{ type: "text", text: content }] };
          } catch (error) {
            return { content: [{ type: "text", text: toFailure(error).content }], isError: true };
          }
        },
      },
      { signal },
    );
    // A promise in newer versions of the draft.
    await registered;
  }
}

/** Returns the tool `ask_local_model`, by which an agent of the browser may ask a model on this device. */
export function modelTool(engine: EngineChoice): Tool {
  return {
    type: "function",
    function: {
      name: "ask_local_model",
      description: "Asks a language model that runs on this device, without sending anything elsewhere.",
      parameters: {
        type: "object",
        properties: { prompt: { type: "string", description: "The question or task, with all that it needs." } },
        required: ["prompt"],
        additionalProperties: false,
      },
    },
    isReadOnly: true,
    execute: async ({ prompt }, { signal }) => {
      if (typeof prompt !== "string" || prompt.trim() === "") throw invalid("prompt", "a text", prompt);
      const { chat } = await choose(engine, "");
      const { choices } = await chat.completions.create({ messages: [{ role: "user", content: prompt }] }, { signal });
      return choices[0]?.message.content ?? "";
    },
  };
}

function schemaOf({ inputSchema }: PageTool): Record<string, unknown> {
  const none = { type: "object", properties: {} };
  if (inputSchema === undefined || inputSchema === "") return none;
  return (typeof inputSchema === "string" ? JSON.parse(inputSchema) : inputSchema) as Record<string, unknown>;
}

/** Returns the input for both versions of the draft: an object, and for those that take a text its JSON. */
function asInput(args: Record<string, unknown>): object {
  return Object.defineProperty({ ...args }, "toString", { value: () => JSON.stringify(args) });
}
