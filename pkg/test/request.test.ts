import { describe, expect, it } from "vitest";
import { HearthError } from "../src/core/errors.js";
import type { ChatCompletionCreateParams, PictureInput } from "../src/api/openai.js";
import { toChatRequests, toTextRequests } from "../src/request/request.js";
import type { AnswerRequest } from "../src/core/protocol.js";

const messages = [{ role: "user" as const, content: "hi" }];

function toGenerateRequest(params: ChatCompletionCreateParams): AnswerRequest<PictureInput> | undefined {
  const { requests } = toChatRequests(params, null);
  expect(requests).toHaveLength(1);
  return requests[0];
}

function refused(params: object): HearthError {
  try {
    toGenerateRequest({ messages, ...params });
  } catch (error) {
    expect(error).toBeInstanceOf(HearthError);
    return error as HearthError;
  }
  throw new Error("the request was not refused");
}

describe("toChatRequests", () => {
  it("keeps what was given and leaves out what was not", () => {
    expect(toGenerateRequest({ messages, temperature: 0, max_tokens: 5, seed: null })).toEqual({
      messages,
      temperature: 0,
      max_tokens: 5,
    });
  });

  it("prefers max_completion_tokens, makes one stop a list, developer a system message, parts a text", () => {
    expect(
      toGenerateRequest({
        messages: [
          {
            role: "developer",
            content: [
              { type: "text", text: "be " },
              { type: "text", text: "brief" },
            ],
          },
          ...messages,
        ],
        max_tokens: 1,
        max_completion_tokens: 2,
        stop: "\n",
      }),
    ).toEqual({ messages: [{ role: "system", content: "be brief" }, ...messages], max_tokens: 2, stop: ["\n"] });
  });

  it.each([
    ["messages", { messages: [] }],
    ["messages[0].role", { messages: [{ role: "robot", content: "" }] }],
    ["messages[0].content", { messages: [{ role: "user" }] }],
    ["messages[0].content", { messages: [{ role: "user", content: [{ type: "image_url" }] }] }],
    ["max_tokens", { max_tokens: 0 }],
    ["temperature", { temperature: Number.NaN }],
    ["temperature", { temperature: "0" }],
    ["top_p", { top_p: 1.5 }],
    ["top_k", { top_k: 1.5 }],
    ["min_p", { min_p: -1 }],
    ["seed", { seed: 0.5 }],
    ["stop", { stop: ["a", ""] }],
    ["tools[0].type", { tools: [{}] }],
    ["tools[0].function.name", { tools: [{ type: "function", function: { name: "a b" } }] }],
    ["tools", { tools: 5 }],
    ["tool_choice", { tool_choice: "required" }],
    ["tool_choice", { tool_choice: "always" }],
    ["tool_choice.function.name", { tool_choice: { type: "function", function: { name: "none" } } }],
    ["messages[0].tool_calls", { messages: [{ role: "assistant", tool_calls: [{}] }] }],
    ["messages[0].content", { messages: [{ role: "user", content: null }] }],
    ["response_format.type", { response_format: { type: "xml" } }],
    ["response_format.json_schema.schema", { response_format: { type: "json_schema", json_schema: { schema: [] } } }],
    ["structured_outputs", { structured_outputs: {} }],
    ["structured_outputs", { structured_outputs: { regex: "a", grammar: "b" } }],
    ["structured_outputs.choice", { structured_outputs: { choice: [] } }],
    ["structured_outputs.choice", { structured_outputs: { choice: ["a", ""] } }],
    ["structured_outputs.regex", { structured_outputs: { regex: 5 } }],
    ["structured_outputs.json", { structured_outputs: { json: "{" } }],
    ["structured_outputs", { structured_outputs: { regex: "a" }, response_format: { type: "json_object" } }],
    ["logprobs", { top_logprobs: 2 }],
    ["top_logprobs", { logprobs: true, top_logprobs: 21 }],
    ["functions", { functions: [{}] }],
    ["presence_penalty", { presence_penalty: 2.5 }],
    ["repetition_penalty", { repetition_penalty: 0 }],
    ["typical_p", { typical_p: -0.1 }],
    ["logit_bias", { logit_bias: { 5: 101 } }],
    ["logit_bias", { logit_bias: [1] }],
    ["n", { n: 0 }],
    ["n", { n: 1.5 }],
    ["n", { n: 1000 }],
  ])("refuses %s in %j", (field, params) => {
    expect(refused(params)).toMatchObject({ code: "invalid_request" });
    expect(refused(params).message).toContain(field);
  });

  it("takes unsupported fields that mean nothing", () => {
    const params = {
      messages,
      tools: [],
      n: 1,
      response_format: { type: "text" },
    };
    expect(toGenerateRequest(params as ChatCompletionCreateParams)).toEqual({ messages });
  });

  it("passes penalties and biases on", () => {
    const params = {
      messages,
      typical_p: 0.9,
      repetition_penalty: 1.1,
      frequency_penalty: -0.5,
      presence_penalty: 0,
      logit_bias: { 7: -100 },
    };
    expect(toGenerateRequest(params)).toEqual(params);
  });

  it("gives each of several answers a seed of its own", () => {
    const { requests } = toChatRequests({ messages, n: 3, seed: 2 ** 32 - 1 }, null);
    expect(requests.map(({ seed }) => seed)).toEqual([2 ** 32 - 1, 0, 1]);
    expect(toChatRequests({ messages, n: 2 }, null).requests).toEqual([{ messages }, { messages }]);
  });

  it("goes on with an answer, but not in a format", () => {
    const unfinished = [...messages, { role: "assistant" as const, content: "Once", reasoning_content: "Hm" }];
    const request = toGenerateRequest({ messages: unfinished, continue_final_message: true });
    expect(request).toMatchObject({ continue_final_message: true, messages: unfinished });
    expect(toGenerateRequest({ messages, continue_final_message: false })).toEqual({ messages });
    const format = { response_format: { type: "json_object" } };
    expect(refused({ continue_final_message: true, ...format }).message).toContain("continue_final_message");
  });

  it("names the format of an answer", () => {
    const format = (params: object): unknown => toGenerateRequest({ messages, ...params })?.format;
    expect(format({ response_format: { type: "text" } })).toBeUndefined();
    expect(format({ response_format: { type: "json_object" } })).toEqual({ json_schema: { type: "object" } });
    const schema = { type: "array" };
    const json_schema = { name: "list", schema, strict: true };
    expect(format({ response_format: { type: "json_schema", json_schema } })).toEqual({ json_schema: schema });
    expect(format({ structured_outputs: { json: '{"type":"array"}' } })).toEqual({ json_schema: schema });
    expect(format({ structured_outputs: { regex: "a+" } })).toEqual({ regex: "a+" });
    expect(format({ structured_outputs: { choice: ["a"] } })).toEqual({ choice: ["a"] });
    expect(format({ structured_outputs: { grammar: "start: A" } })).toEqual({ grammar: "start: A" });
  });

  it("passes log-probabilities and the template's variables on", () => {
    const params = { messages, logprobs: true, top_logprobs: 3, chat_template_kwargs: { enable_thinking: false } };
    expect(toGenerateRequest(params)).toEqual(params);
    expect(toTextRequests({ prompt: "a", logprobs: 0 })[0]).toMatchObject({ logprobs: true, top_logprobs: 0 });
  });
});

describe("toTextRequests", () => {
  it("takes one prompt or several, and OpenAI's limit", () => {
    expect(toTextRequests({ prompt: "a" })).toEqual([{ prompt: "a", max_tokens: 16 }]);
    const requests = toTextRequests({ prompt: ["a", "b"], n: 2, max_tokens: 3, seed: 1 });
    expect(requests).toEqual([
      { prompt: "a", max_tokens: 3, seed: 1 },
      { prompt: "a", max_tokens: 3, seed: 2 },
      { prompt: "b", max_tokens: 3, seed: 1 },
      { prompt: "b", max_tokens: 3, seed: 2 },
    ]);
  });

  it.each([[], [5], undefined])("refuses %j", (prompt) => {
    expect(() => toTextRequests({ prompt } as never)).toThrow("prompt");
  });
});
