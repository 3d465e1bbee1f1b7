/** Conversations for user interfaces, over engines on the fake core. */
import { beforeEach, describe, expect, it, vi } from "vitest";
import { Conversation } from "../src/chat/conversation.js";
import type { ChatCompletionChunk, Engine } from "../src/index.js";
import { create, useFakeCore } from "./engine-support.js";
import { fake } from "./fake-wasm.js";

useFakeCore();

let engine: Engine;
let chat: Conversation;

beforeEach(async () => {
  engine = await create();
  chat = new Conversation([], engine);
});

const shown = (): string[] => chat.state().messages.map(({ role, content }) => `${role}: ${content}`);
const until = (status: string): Promise<void> =>
  vi.waitFor(() => {
    expect(chat.state().status).toBe(status);
  });

describe("a conversation", () => {
  it("streams answers, with what was said before and the instructions", async () => {
    const states: string[] = [];
    const unsubscribe = chat.subscribe(() => states.push(chat.state().status));
    chat.configure(engine, { system: "Be brief.", request: { temperature: 0 } });
    await chat.send("!echo one two");
    await chat.send("!echo three");
    unsubscribe();
    await chat.send("  ");
    expect(shown()).toEqual(["user: !echo one two", "assistant: one two", "user: !echo three", "assistant: three"]);
    expect([...new Set(states)]).toEqual(["submitted", "streaming", "ready"]);
    expect(fake.request?.messages?.map(({ role }) => role)).toEqual(["system", "user", "assistant", "user"]);
    const [, answer] = chat.state().messages;
    expect(answer).toMatchObject({ finish: "stop", usage: { completion_tokens: expect.any(Number) as number } });
    expect(new Set(chat.state().messages.map(({ id }) => id)).size).toBe(4);
  });

  it("stops, and keeps what has come", async () => {
    fake.stepMs = 5;
    const sent = chat.send("tell me");
    await until("streaming");
    chat.stop();
    await sent;
    expect(chat.state()).toMatchObject({ status: "ready", error: undefined });
    expect(chat.state().messages.at(-1)).toMatchObject({ role: "assistant", finish: "stopped" });
    chat.stop();
  });

  it("shows no empty answer when it is stopped before the first piece", async () => {
    const sent = chat.send("!echo a");
    expect(chat.state().status).toBe("submitted");
    chat.stop();
    await sent;
    expect(shown()).toEqual(["user: !echo a"]);
    expect(chat.state().status).toBe("ready");
  });

  it("stops the answer before when something is sent, several times at once too", async () => {
    fake.stepMs = 5;
    const first = chat.send("tell me");
    await until("streaming");
    await Promise.all([first, chat.send("!echo b"), chat.send("!echo c")]);
    expect(shown().filter((line) => line.startsWith("user"))).toEqual([
      "user: tell me",
      "user: !echo b",
      "user: !echo c",
    ]);
    expect(shown().at(-1)).toBe("assistant: c");
    expect(chat.state().messages[1]).toMatchObject({ role: "assistant", finish: "stopped" });
  });

  it("answers again in place of the last answer", async () => {
    await chat.send("!echo a");
    const [, first] = chat.state().messages;
    await chat.regenerate();
    expect(shown()).toEqual(["user: !echo a", "assistant: a"]);
    expect(chat.state().messages[1]?.id).not.toBe(first?.id);
    chat.setMessages([]);
    await chat.regenerate();
    expect(shown()).toEqual([]);
  });

  it("keeps failures in the state, and what has come before them", async () => {
    await chat.send("!lost");
    expect(chat.state().status).toBe("error");
    expect(chat.state().error?.code).toBeDefined();
    chat.configure(undefined, {});
    await chat.send("hello");
    expect(chat.state()).toMatchObject({ status: "error", error: { code: "invalid_request" } });
    chat.configure(await create(), {});
    await chat.regenerate();
    expect(chat.state()).toMatchObject({ status: "ready", error: undefined });
  });

  it("is left alone by an answer whose messages were replaced", async () => {
    fake.stepMs = 5;
    const sent = chat.send("tell me");
    await until("streaming");
    chat.setMessages([]);
    await sent;
    expect(chat.state()).toEqual({ messages: [], status: "ready", error: undefined });
  });

  it("takes its answers from a function, with thoughts and the place", async () => {
    const chunk = (delta: object, rest: object = {}): ChatCompletionChunk =>
      ({ choices: [{ delta, finish_reason: null }], ...rest }) as unknown as ChatCompletionChunk;
    const heard: unknown[] = [];
    chat.configure(undefined, {
      answer: async function* (messages) {
        heard.push(...messages);
        yield chunk({ reasoning_content: "hm" });
        await Promise.resolve();
        yield chunk({ content: "yes" }, { served_by: { where: "server" } });
      },
    });
    await chat.send("really?");
    expect(heard).toEqual([{ role: "user", content: "really?" }]);
    const answer = { content: "yes", reasoning: "hm", finish: "stop", servedBy: { where: "server" } };
    expect(chat.state().messages[1]).toMatchObject(answer);
  });
});
