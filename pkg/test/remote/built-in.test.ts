/** The browser's own model, on a double of the Prompt API that records what it is asked. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { BrowserModel } from "../../src/remote/built-in-backend.js";
import { BuiltIn } from "../../src/remote/index.js";
import { failure, messages } from "./support.js";

let asked: { initialPrompts: unknown; text: string; constraint: unknown }[];
let live: number;
let state: string;
let pieces: string[];
let fault: Error | undefined;
/** Whether an answer never ends by itself. */
let waits: boolean;

const double: BrowserModel = {
  availability: () => Promise.resolve(state),
  create: ({ initialPrompts }) => {
    live++;
    return Promise.resolve({
      promptStreaming: (text, { signal, responseConstraint }) => {
        asked.push({ initialPrompts, text, constraint: responseConstraint });
        return new ReadableStream<string>({
          start: (controller) => {
            for (const piece of pieces) controller.enqueue(piece);
            if (fault !== undefined) controller.error(fault);
            else if (!waits) controller.close();
            signal.addEventListener("abort", () => {
              controller.error(new DOMException("stopped", "AbortError"));
            });
          },
        });
      },
      destroy: () => {
        live--;
      },
    });
  },
};

beforeEach(() => {
  [asked, live, state, pieces, fault, waits] = [[], 0, "available", ["one ", "two"], undefined, false];
  vi.stubGlobal("LanguageModel", double);
});

afterEach(() => {
  // No session outlives its request.
  expect(live).toBe(0);
  vi.unstubAllGlobals();
});

describe("the browser's own model", () => {
  it("answers in a stream and whole, and says that it did", async () => {
    const { chat, backend } = await BuiltIn.connect();
    expect(backend.servedBy).toEqual({ where: "browser", model: "browser" });
    const conversation = [
      { role: "system" as const, content: "Be brief." },
      { role: "user" as const, content: "one?" },
      { role: "assistant" as const, content: "1", reasoning_content: "hm" },
      ...messages,
    ];
    const stream_options = { include_usage: true, continuous_usage_stats: true };
    const stream = await chat.completions.create({ messages: conversation, stream: true, stream_options });
    let [text, end] = ["", ""];
    for await (const { choices, served_by } of stream) {
      text += choices[0]?.delta.content ?? "";
      end = choices[0]?.finish_reason ?? "";
      expect(served_by?.where).toBe("browser");
    }
    expect([text, end]).toEqual(["one two", "stop"]);
    const initialPrompts = [
      { role: "system", content: "Be brief." },
      { role: "user", content: "one?" },
      { role: "assistant", content: "1" },
    ];
    expect(asked).toEqual([{ initialPrompts, text: "hi", constraint: undefined }]);
    const whole = await chat.completions.create({ messages });
    expect(whole.choices[0]?.message.content).toBe("one two");
  });

  it("is given a JSON schema", async () => {
    const { chat } = await BuiltIn.connect();
    const schema = { type: "object" };
    const json_schema = { name: "answer", schema };
    await chat.completions.create({ messages, response_format: { type: "json_schema", json_schema } });
    expect(asked[0]?.constraint).toEqual(schema);
  });

  it.each(["unavailable", "downloadable", "downloading"])("is not taken while it is %s", async (found) => {
    state = found;
    expect((await failure(BuiltIn.connect())).code).toBe("remote_model");
  });

  it("is not taken where the browser has none", async () => {
    vi.stubGlobal("LanguageModel", undefined);
    expect((await failure(BuiltIn.connect())).code).toBe("remote_model");
  });

  it.each([
    ["temperature", { temperature: 0.2 }],
    ["continue_final_message", { continue_final_message: true }],
    ["JSON schemas", { response_format: { type: "json_object" as const } }],
    ["the user's", { messages: [...messages, { role: "assistant" as const, content: "1" }] }],
    ["texts", { messages: [{ role: "tool" as const, content: "1", tool_call_id: "c" }] }],
  ])("refuses what it would ignore: %s", async (words, fields) => {
    const { chat } = await BuiltIn.connect();
    for (const stream of [true, false]) {
      const error = await failure(chat.completions.create({ messages, ...fields, stream }));
      expect([error.code, error.message]).toEqual(["unsupported_by_server", expect.stringContaining(words)]);
    }
    expect(asked).toEqual([]);
  });

  it.each([
    ["QuotaExceededError", "context_overflow"],
    ["UnknownError", "remote_error"],
  ])("that fails with %s is reported as %s", async (name, code) => {
    const { chat } = await BuiltIn.connect();
    fault = new DOMException("no", name);
    expect((await failure(chat.completions.create({ messages }))).code).toBe(code);
  });

  it("stops when it is told to, and ends with its disposal", async () => {
    waits = true;
    const built = await BuiltIn.connect();
    for (const end of ["abort", "dispose"]) {
      const abort = new AbortController();
      const stream = await built.chat.completions.create({ messages, stream: true }, { signal: abort.signal });
      const read = async (): Promise<void> => {
        for await (const chunk of stream) {
          if (chunk.choices[0]?.delta.content !== "two") continue;
          if (end === "abort") abort.abort();
          else built.dispose();
        }
      };
      expect((await failure(read())).code).toBe(end === "abort" ? "cancelled" : "disposed");
    }
    expect((await built.backend.closed).code).toBe("disposed");
    expect((await failure(built.chat.completions.create({ messages }))).code).toBe("disposed");
  });
});
