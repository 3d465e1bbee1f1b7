/** LangChain's own package over `createFetch`: no request leaves the process. */
import { ChatOpenAI, OpenAIEmbeddings } from "@langchain/openai";
import { beforeEach, expect, it, vi } from "vitest";
import { createFetch } from "../src/openai-fetch.js";
import { create, useFakeCore } from "./engine-support.js";
import { fake } from "./fake-wasm.js";

useFakeCore();

const network = vi.fn(() => Promise.reject(new Error("a request left")));

beforeEach(() => {
  vi.stubGlobal("fetch", network.mockClear());
});

async function configuration(): Promise<object> {
  return { baseURL: "https://hearth.invalid/v1", fetch: createFetch(await create()), dangerouslyAllowBrowser: true };
}

it("LangChain's ChatOpenAI answers whole and streamed, without a request", async () => {
  const model = new ChatOpenAI({ apiKey: "none", model: "x", maxRetries: 0, configuration: await configuration() });
  expect((await model.invoke("!echo one two")).text).toBe("one two");
  const pieces: string[] = [];
  for await (const { text } of await model.stream([
    ["system", "Be brief."],
    ["user", "!echo a b"],
  ]))
    pieces.push(text);
  expect(pieces.filter((piece) => piece !== "")).toEqual(["a", " b"]);
  expect(fake.request?.messages?.map(({ role }) => role)).toEqual(["system", "user"]);
  expect(network).not.toHaveBeenCalled();
});

it("LangChain's OpenAIEmbeddings embed, without a request", async () => {
  const embeddings = new OpenAIEmbeddings({
    apiKey: "none",
    model: "x",
    maxRetries: 0,
    configuration: await configuration(),
  });
  const [first, second] = await embeddings.embedDocuments(["a", "b"]);
  expect(first?.length).toBeGreaterThan(0);
  expect(second?.length).toBe(first?.length);
  expect(network).not.toHaveBeenCalled();
});
