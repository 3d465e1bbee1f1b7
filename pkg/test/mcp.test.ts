/** Tools of a real MCP server, by its client, in one process. */
import { Client, InMemoryTransport } from "@modelcontextprotocol/client";
import { McpServer } from "@modelcontextprotocol/server";
import { expect, it } from "vitest";
import { mcpTools } from "../src/toolbox/index.js";

it("are listed and called: a good one, a slow one, a failing one", async () => {
  const server = new McpServer({ name: "test", version: "1.0.0" });
  const text = (text: string) => ({ content: [{ type: "text" as const, text }] });
  server.registerTool("hello", { description: "Greets." }, () => text("hello"));
  server.registerTool("slow", { description: "Waits." }, () => new Promise(() => undefined));
  server.registerTool("broken", { description: "Fails." }, () => {
    throw new Error("no disk");
  });
  const client = new Client({ name: "page", version: "1.0.0" });
  const [here, there] = InMemoryTransport.createLinkedPair();
  await Promise.all([server.connect(there), client.connect(here)]);

  const [hello, slow, broken] = await mcpTools(client, { name: "test" });
  expect(hello?.function).toMatchObject({ name: "test__hello", parameters: { type: "object" } });
  const controller = new AbortController();
  const { signal } = controller;
  expect(await hello?.execute({}, { signal })).toBe("hello");
  await expect(broken?.execute({}, { signal })).rejects.toThrow("no disk");
  const waiting = slow?.execute({}, { signal });
  controller.abort();
  await expect(waiting).rejects.toThrow();
  await client.close();
});
