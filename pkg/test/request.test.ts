import { describe, expect, it } from "vitest";
import { HearthError } from "../src/errors.js";
import type { ChatCompletionCreateParams } from "../src/openai.js";
import { toGenerateRequest } from "../src/request.js";

const messages = [{ role: "user" as const, content: "hi" }];

function refused(params: object): HearthError {
  try {
    toGenerateRequest({ messages, ...params });
  } catch (error) {
    expect(error).toBeInstanceOf(HearthError);
    return error as HearthError;
  }
  throw new Error("the request was not refused");
}

describe("toGenerateRequest", () => {
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
    ["tools", { tools: [{}] }],
    ["response_format", { response_format: { type: "json_object" } }],
    ["presence_penalty", { presence_penalty: 2.5 }],
    ["repetition_penalty", { repetition_penalty: 0 }],
    ["typical_p", { typical_p: 0 }],
    ["logit_bias", { logit_bias: { 5: 101 } }],
    ["logit_bias", { logit_bias: [1] }],
    ["n", { n: 2 }],
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
});
