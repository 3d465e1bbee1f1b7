/** Answers in a format, tool calls and log-probabilities, with real models in both browsers. */
import { Ajv2020 } from "ajv/dist/2020.js";
import type { ChatCompletion, ChatCompletionCreateParamsNonStreaming, ResponseFormat } from "hearth-llm";
import type { Chat, PageGlobals } from "../../support/chat.js";
import { HAS_SMOLLM2, IS_FAKE, SMOLLM2, TINY } from "../../support/env.js";
import { PROMPTS, SCHEMAS } from "../../support/schemas.js";
import { SKIPS } from "../../support/skips.js";
import { expect, test, type BrowserName } from "../../support/test.js";

/** Formats such as dates are the grammar's responsibility; ajv has them in a separate package. */
const ajv = new Ajv2020({ strict: false, validateFormats: false });
const SETUPS = [
  { browser: "chromium", device: "webgpu" },
  { browser: "firefox", device: "webgpu" },
  { browser: "chromium", device: "cpu" },
  { browser: "firefox", device: "cpu" },
] satisfies { browser: BrowserName; device: string }[];

function create(chat: Chat, params: ChatCompletionCreateParamsNonStreaming): Promise<ChatCompletion> {
  return chat.tab.evaluate(async (arg) => {
    const { engine } = (globalThis as unknown as PageGlobals).hearth;
    if (engine === undefined) throw new Error("the page has no engine");
    return await engine.chat.completions.create(arg);
  }, params);
}

const user = (content: string): { role: "user"; content: string }[] => [{ role: "user", content }];
const asked = (schema: Record<string, unknown>): ResponseFormat => ({
  type: "json_schema",
  json_schema: { name: "answer", schema, strict: true },
});

test.describe("a tiny model", () => {
  test.skip(IS_FAKE, SKIPS.fake);

  for (const { browser, device } of SETUPS) {
    test(`follows formats, tells probabilities · ${browser}, ${device}`, async ({ launch }) => {
      const chat = await launch(browser);
      await chat.load(TINY, { device, context: 256 });
      const messages = user("Hi");
      for (const name of ["person", "colours"]) {
        const schema = SCHEMAS[name] ?? {};
        const params = { messages, response_format: asked(schema), max_tokens: 200, temperature: 1, seed: 3 };
        const { choices } = await create(chat, params);
        const said = choices[0]?.message.content ?? "";
        expect(choices[0]?.finish_reason, said).toBe("stop");
        expect(ajv.validate(schema, JSON.parse(said)), said).toBe(true);
      }
      const choice = ["yes", "no", "perhaps"];
      const chosen = await create(chat, { messages, structured_outputs: { choice }, temperature: 1, seed: 1 });
      expect(choice).toContain(chosen.choices[0]?.message.content);

      const told = await create(chat, { messages, logprobs: true, top_logprobs: 4, max_tokens: 3, temperature: 0 });
      const tokens = told.choices[0]?.logprobs?.content ?? [];
      expect(tokens).toHaveLength(3);
      for (const { logprob, top_logprobs } of tokens) {
        expect(top_logprobs).toHaveLength(4);
        expect(logprob).toBe(top_logprobs[0]?.logprob);
        expect(logprob).toBeLessThan(0);
      }
      // No constraint carries over to later requests.
      const [plain, again] = [await chat.greedyIds(messages, 8), await chat.greedyIds(messages, 8)];
      expect(again).toEqual(plain);
      expect(chat.tab.errors).toEqual([]);
    });
  }

  test("a format that cannot be followed is refused, and the engine goes on", async ({ launch }) => {
    const chat = await launch("chromium");
    await chat.load(TINY, { device: "cpu" });
    const refused = await chat.tab.evaluate(async () => {
      const { engine } = (globalThis as unknown as PageGlobals).hearth;
      const formats = [
        { grammar: "start: nothing" },
        { regex: "a(" },
        { regex: "(".repeat(9999) },
        { json: { type: "colour" } },
        { json: { type: "string", pattern: "(" } },
        { json: "[".repeat(9999) },
      ];
      const codes: unknown[] = [];
      for (const structured_outputs of formats) {
        const messages = [{ role: "user" as const, content: "Hi" }];
        const answer = engine?.chat.completions.create({ messages, structured_outputs, max_tokens: 4 });
        codes.push(await answer?.catch((error: unknown) => (error as { code: string }).code));
      }
      return codes;
    }, null);
    expect(refused).toEqual(Array.from(refused, () => "invalid_request"));
    expect(await chat.greedyIds(user("Hi"), 4)).toHaveLength(4);
  });
});

test("SmolLM2 calls tools, which its template does not know", async ({ launch }) => {
  test.skip(!HAS_SMOLLM2, SKIPS.SmolLM2);
  const chat = await launch("firefox");
  await chat.load(SMOLLM2, { device: "cpu", context: 1024 });
  const function_ = {
    name: "weather",
    description: "The weather of a city.",
    parameters: { ...SCHEMAS.address, properties: { city: { type: "string", maxLength: 20 } }, required: ["city"] },
  };
  const tools = [{ type: "function" as const, function: function_ }];
  const messages = user("What is the weather in Paris?");
  const params = { messages, tools, tool_choice: "required" as const, parallel_tool_calls: false, temperature: 0 };
  const { choices } = await create(chat, { ...params, max_tokens: 100 });
  const [call, none] = choices[0]?.message.tool_calls ?? [];
  expect([choices[0]?.finish_reason, call?.function.name, none]).toEqual(["tool_calls", "weather", undefined]);
  expect(JSON.parse(call?.function.arguments ?? "")).toEqual({ city: "Paris" });
  // The tool's result goes back to the model.
  const result = [
    ...messages,
    { role: "assistant" as const, content: null, tool_calls: call === undefined ? [] : [call] },
    { role: "tool" as const, tool_call_id: call?.id ?? "", content: "21 degrees, sunny" },
  ];
  const after = await create(chat, { messages: result, tools, temperature: 0, max_tokens: 40 });
  expect(after.choices[0]?.message.content).toContain("21");
  expect(after.usage.prompt_tokens_details.cached_tokens).toBeGreaterThan(100);
});

/** All five prompts take minutes; every run includes one of them. */
const prompts = PROMPTS.slice(0, Number(process.env.HEARTH_SCHEMA_PROMPTS ?? 1));

test(`SmolLM2 keeps to ${String(Object.keys(SCHEMAS).length)} schemas, ${String(prompts.length)} prompts each`, async ({
  launch,
}) => {
  test.skip(!HAS_SMOLLM2, SKIPS.SmolLM2);
  test.setTimeout(1_800_000);
  const chat = await launch("chromium");
  await chat.load(SMOLLM2, { device: "cpu", context: 512 });
  for (const [name, schema] of Object.entries(SCHEMAS)) {
    for (const prompt of prompts) {
      const params = {
        messages: user(prompt),
        response_format: asked(schema),
        max_tokens: 250,
        temperature: 0.8,
        seed: 5,
      };
      const { choices } = await create(chat, params);
      const said = choices[0]?.message.content ?? "";
      expect(choices[0]?.finish_reason, `${name}: ${said}`).toBe("stop");
      expect(ajv.validate(schema, JSON.parse(said)), `${name}: ${said}`).toBe(true);
    }
  }
});
