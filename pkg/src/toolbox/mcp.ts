/** Tools of servers that speak the Model Context Protocol, through a client that the page has connected. */
import { invalid } from "../core/errors.js";
import { DATA, type Tool } from "./tool.js";

/** The part of a client that is used: a `Client` of `@modelcontextprotocol/client` has it. */
export interface McpClient {
  listTools(
    params?: { cursor?: string },
    options?: { signal?: AbortSignal },
  ): Promise<{
    tools: { name: string; description?: string | undefined; inputSchema: object }[];
    nextCursor?: string | undefined;
  }>;
  callTool(
    params: { name: string; arguments?: Record<string, unknown> },
    options?: { signal?: AbortSignal },
  ): Promise<{ content?: unknown; structuredContent?: unknown; isError?: boolean | undefined }>;
}

/** Choice among a server's tools. */
export interface McpToolsOptions {
  /** Name of the server for users, and the beginning of its tools' names. */
  name: string;
  /** Names of the tools to offer, as the server has them. Default: all. */
  only?: readonly string[];
  signal?: AbortSignal;
}

/** Pages of a list that a server may send. */
const MOST_PAGES = 64;

/**
 * Returns a server's tools for `runTools`. All need approval, whatever the server says of them, and their names begin with
 * the server's, so that they cannot take the place of others.
 */
export async function mcpTools(client: McpClient, { name, only, signal }: McpToolsOptions): Promise<Tool[]> {
  if (!/^[\w-]{1,32}$/.test(name)) throw invalid("name", "up to 32 letters, digits, _ and -", name);
  const options = signal === undefined ? {} : { signal };
  const found: Tool[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < MOST_PAGES; page++) {
    const { tools, nextCursor } = await client.listTools(cursor === undefined ? undefined : { cursor }, options);
    for (const tool of tools) {
      if (only !== undefined && !only.includes(tool.name)) continue;
      found.push({
        type: "function",
        function: {
          name: `${name}__${tool.name.replace(/[^\w-]/g, "_")}`.slice(0, 64),
          description: `${tool.description ?? ""} ${DATA}`.trim(),
          parameters: tool.inputSchema as Record<string, unknown>,
        },
        source: name,
        needsApproval: true,
        execute: async (args, given) => textOf(await client.callTool({ name: tool.name, arguments: args }, given)),
      });
    }
    if (nextCursor === undefined) break;
    cursor = nextCursor;
  }
  return found;
}

/** Returns a result's texts; pictures and sound, which the models here do not take, are named. */
function textOf({ content, structuredContent, isError }: Awaited<ReturnType<McpClient["callTool"]>>): string {
  const blocks = Array.isArray(content) ? (content as Block[]) : [];
  const texts = blocks.map(({ type, text, resource }) => text ?? resource?.text ?? `[${type}]`);
  const text = texts.length > 0 ? texts.join("\n") : JSON.stringify(structuredContent ?? null);
  if (isError === true) throw new Error(text);
  return text;
}

interface Block {
  type: string;
  text?: string;
  resource?: { text?: string };
}
