/** Pictures on their way to a server: addresses, and what only the page has as data addresses. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { PictureInput } from "../../src/index.js";
import { FakeBitmap, FakeImageData, stubCanvas } from "../fake-canvas.js";
import { events, stream } from "./server.js";
import { ANSWER, CHAT, connect, failure, read, server, useServer } from "./support.js";

useServer();
beforeEach(stubCanvas);
afterEach(() => {
  vi.unstubAllGlobals();
});

const data = (type: string, text: string): string => `data:${type};base64,${btoa(text)}`;

/** Returns the picture as the server received it. */
async function sent(url: unknown, detail?: "low"): Promise<unknown> {
  const remote = await connect();
  const image_url = { url: url as PictureInput, ...(detail && { detail }) };
  const content = [
    { type: "text" as const, text: "what is it?" },
    { type: "image_url" as const, image_url },
  ];
  await remote.chat.completions.create({ messages: [{ role: "user", content }] });
  const { messages } = server.asked.at(-1)?.body as { messages: { content: { image_url: unknown }[] }[] };
  expect(messages[0]?.content[0]).toEqual(content[0]);
  return messages[0]?.content[1]?.image_url;
}

describe("a picture", () => {
  it.each(["https://x.test/a.png?token=1", data("image/png", "x")])("stays as it is: %s", async (url) => {
    expect(await sent(url, "low")).toEqual({ url, detail: "low" });
  });

  it.each<[string, unknown, string]>([
    ["a Blob", new Blob(["x"], { type: "image/webp" }), data("image/webp", "x")],
    ["a Blob without a type", new Blob([Uint8Array.of(0x89, 0x50, 0x4e, 0x47)]), data("image/png", "\x89PNG")],
    ["a JPEG without a type", new Blob(["x"]), data("image/jpeg", "x")],
    ["a bitmap", new FakeBitmap(3, 2), data("image/png", "3x2")],
    ["ImageData", new FakeImageData(new Uint8ClampedArray(24), 3, 2), data("image/png", "3x2")],
    ["a canvas", { width: 4, height: 1 }, data("image/png", "4x1")],
  ])("becomes a data address: %s", async (_, given, url) => {
    expect(await sent(given)).toEqual({ url });
  });

  it("behind the address of a Blob goes along", async () => {
    const url = URL.createObjectURL(new Blob(["x"], { type: "image/gif" }));
    expect(await sent(url)).toEqual({ url: data("image/gif", "x") });
    URL.revokeObjectURL(url);
  });

  it("that is none is refused before anything is sent", async () => {
    expect(await failure(sent(7))).toMatchObject({ code: "invalid_request" });
    expect(await failure(sent(new Blob([])))).toMatchObject({ code: "bad_picture" });
  });

  it("also streams", async () => {
    server.answers[CHAT] = stream(events(...ANSWER, "[DONE]"));
    const content = [{ type: "image_url" as const, image_url: { url: new Blob(["x"], { type: "image/png" }) } }];
    expect((await read(await connect(), { messages: [{ role: "user", content }] })).text).toBe("one two");
    expect(JSON.stringify(server.asked.at(-1)?.body)).toContain(data("image/png", "x"));
  });
});
