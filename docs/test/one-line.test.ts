/** Apps as the documentation of other APIs has them, run on the fake core with one line changed. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, it, vi } from "vitest";
import { useFakeCore } from "../../pkg/test/engine-support.js";
import { fake } from "../../pkg/test/fake-wasm.js";
import { ROOT } from "../.vitepress/pages.js";

vi.mock("../../pkg/src/engine.js", async (importOriginal) => {
  const { onFakeCore } = await import("./engine.js");
  return onFakeCore(await importOriginal());
});

useFakeCore();

let printed: string[];
/** Addresses of requests that left the process; the model's file is one that is here. */
let asked: string[];
const fetchHere = globalThis.fetch;
beforeEach(() => {
  printed = [];
  vi.spyOn(console, "log").mockImplementation((...words: unknown[]) => printed.push(words.join(" ")));
  asked = [];
  vi.stubGlobal("fetch", (input: string | URL | Request, options?: RequestInit) => {
    const address = input instanceof Request ? input.url : String(input);
    if (!address.startsWith("blob:")) asked.push(address);
    return fetchHere(input, options);
  });
});

it.each([
  ["ai-sdk-app", "ai-sdk-models"],
  ["prompt-api-app", "prompt-api-model"],
])("%s has one line of Hearth", (app, model) => {
  const lines = readFileSync(join(ROOT, `docs/snippets/${app}.ts`), "utf8").split("\n");
  expect(lines.filter((line) => /hearth|\.\/|was:|more$/.test(line))).toEqual([
    expect.stringContaining(`./${model}.js`),
  ]);
});

it("the AI SDK's app streams, and generates a text", async () => {
  await import("../snippets/ai-sdk-app.js");
  const text = printed.slice(0, -1).join("");
  expect(printed.length).toBeGreaterThan(10);
  expect(text).toContain("hearth");
  expect(printed.at(-1)).toMatch(/hearth.* \d+$/s);
  expect(fake.request?.messages?.map(({ role }) => role)).toEqual(["system", "user"]);
  expect(asked).toEqual([]);
});

it("the Prompt API's app shows its download, answers, and streams with what was said before", async () => {
  await import("../snippets/prompt-api-app.js");
  const answer = printed.findIndex((line) => !line.startsWith("Downloaded "));
  expect(answer).toBeGreaterThan(0);
  expect(printed[answer - 1]).toBe("Downloaded 100%");
  expect(printed[answer]).toContain("hearth");
  const streamed = printed.slice(answer + 1);
  expect(streamed.length).toBeGreaterThan(5);
  expect(streamed.join("")).toContain("hearth");
  expect(fake.request?.messages?.map(({ role }) => role)).toEqual(["system", "user", "assistant", "user"]);
  expect(asked).toEqual([]);
});
