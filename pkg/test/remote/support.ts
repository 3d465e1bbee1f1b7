/** A server and connections to it for each test, and what tests ask of them. */
import { afterEach, beforeEach, expect } from "vitest";
import { HearthError } from "../../src/core/errors.js";
import { Remote, type RemoteOptions } from "../../src/remote/index.js";
import { delta, json, LlmServer } from "./server.js";

export const CHAT = "chat/completions";
export const messages = [{ role: "user" as const, content: "hi" }];
export const WHOLE = {
  id: "c-1",
  object: "chat.completion",
  created: 7,
  model: "m",
  choices: [{ index: 0, message: { role: "assistant", content: "hello" }, finish_reason: "stop" }],
  usage: { prompt_tokens: 2, completion_tokens: 1, total_tokens: 3 },
};
export const KEY = "sk-very-secret";
export const ANSWER = [
  delta({ role: "assistant", content: "" }),
  delta({ content: "one " }),
  delta({ content: "two" }, "stop"),
];

export let server: LlmServer;
const open: Remote[] = [];

/** Starts a server before each test of the calling file, and closes it and all connections afterwards. */
export function useServer(): void {
  beforeEach(async () => {
    server = new LlmServer();
    await server.listen();
    server.answers[CHAT] = json(WHOLE);
  });
  afterEach(() => {
    for (const remote of open.splice(0)) remote.dispose();
    server.close();
  });
}

export async function connect(options: Partial<RemoteOptions> = {}): Promise<Remote> {
  const remote = await Remote.connect({ baseURL: server.address, ...options });
  open.push(remote);
  return remote;
}

export const failure = async (promise: Promise<unknown>): Promise<HearthError> => {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(HearthError);
  return error as HearthError;
};

/** Returns the text of a stream, and the error that ended it. */
export async function read(remote: Remote, params: object = {}): Promise<{ text: string; error?: HearthError }> {
  let text = "";
  try {
    for await (const chunk of await remote.chat.completions.create({ messages, stream: true, ...params })) {
      text += chunk.choices[0]?.delta.content ?? "";
    }
    return { text };
  } catch (error) {
    return { text, error: error as HearthError };
  }
}
