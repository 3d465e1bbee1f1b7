/** Sound in messages: refused by name where a model runs on this device, and passed on to servers as it is. */
import OpenAI from "openai";
import { describe, expect, it } from "vitest";
import type { ChatCompletionContentPartInputAudio, ChatCompletionMessageParam } from "../src/index.js";
import { createFetch } from "../src/openai-fetch.js";
import { create, useFakeCore } from "./engine-support.js";
import { fake } from "./fake-wasm.js";
import { CHAT, connect, failure, server, useServer, WHOLE } from "./remote/support.js";
import { json } from "./remote/server.js";

useFakeCore();
useServer();

const SOUND: ChatCompletionContentPartInputAudio = {
  type: "input_audio",
  input_audio: { data: btoa("RIFF....WAVE"), format: "wav" },
};
const MESSAGES: ChatCompletionMessageParam[] = [
  { role: "user", content: [{ type: "text", text: "What is said here?" }, SOUND] },
];
const REFUSED = "messages[0].content[1] is sound (input_audio)";

describe("sound in a message", () => {
  it("is refused by an engine, which says that it is to be transcribed first", async () => {
    const engine = await create();
    const error = await failure(engine.chat.completions.create({ messages: MESSAGES }));
    expect(error).toMatchObject({
      code: "invalid_request",
      hint: expect.stringContaining("transcriptions.create") as string,
    });
    expect(error.message).toContain(REFUSED);
    const streamed = engine.chat.completions.create({ messages: MESSAGES, stream: true });
    expect((await failure(streamed)).message).toContain(REFUSED);
    // Nothing reached the model.
    expect(fake.request).toBeUndefined();
  });

  it("is refused at the routes of createFetch with status 400", async () => {
    const engine = await create();
    const client = new OpenAI({ apiKey: "none", baseURL: "https://hearth.invalid/v1", fetch: createFetch(engine) });
    const messages = MESSAGES as OpenAI.ChatCompletionMessageParam[];
    const chat = client.chat.completions.create({ model: "any", messages });
    await expect(chat).rejects.toMatchObject({ status: 400, code: "invalid_request" });
    await expect(chat).rejects.toThrow(REFUSED);
    const response = client.responses.create({
      model: "any",
      input: [{ role: "user", content: [SOUND] }] as unknown as OpenAI.Responses.ResponseInput,
    });
    await expect(response).rejects.toMatchObject({ status: 400, code: "invalid_request" });
    await expect(response).rejects.toThrow("input_audio");
  });

  it("reaches a server as it is, from both APIs", async () => {
    server.answers[CHAT] = json(WHOLE);
    const remote = await connect();
    await remote.chat.completions.create({ messages: MESSAGES });
    expect((server.asked.at(-1)?.body as { messages: unknown }).messages).toEqual(MESSAGES);
    const client = new OpenAI({ apiKey: "none", baseURL: "https://hearth.invalid/v1", fetch: createFetch(remote) });
    const input = [{ role: "user", content: [{ type: "input_text", text: "What is said here?" }, SOUND] }];
    await client.responses.create({ model: "m", input: input as unknown as OpenAI.Responses.ResponseInput });
    expect((server.asked.at(-1)?.body as { messages: unknown }).messages).toEqual(MESSAGES);
  });
});
