/** Tests of what has left the device, and the gate that lets nothing leave. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Gate, type Passed } from "../src/lib/gate.js";
import { counted, messagesSent, sent } from "../src/state/trust.js";
import { spokenBackend } from "./backends.js";

const MODEL = new Request("https://models.test/model.gguf");

let kept: Map<string, Response>;
let seen: Passed[];

beforeEach(() => {
  kept = new Map();
  seen = [];
  vi.stubGlobal("fetch", () => Promise.resolve(new Response("weights")));
  vi.stubGlobal("caches", {
    open: () =>
      Promise.resolve({
        match: (name: string) => Promise.resolve(kept.get(name)),
        put: (name: string, response: Response) => Promise.resolve(void kept.set(name, response)),
        delete: (name: string) => Promise.resolve(kept.delete(name)),
      }),
  });
});

afterEach(() => {
  vi.unstubAllGlobals();
});

const gate = (): Gate => new Gate((passed) => seen.push(passed));

describe("the gate", () => {
  it("leaves requests to the browser and tells of them, with the bytes that they carry", async () => {
    const open = gate();
    expect(await open.isStrict()).toBe(false);
    expect(open.answer(MODEL)).toBeUndefined();
    expect(open.answer(new Request("https://llm.test/v1", { method: "POST", body: "four" }))).toBeUndefined();
    await vi.waitFor(() => {
      expect(seen).toEqual([
        { type: "REQUEST", host: "models.test", method: "GET", up: 0, isRefused: false },
        { type: "REQUEST", host: "llm.test", method: "POST", up: 4, isRefused: false },
      ]);
    });
  });

  it("refuses every request in the strict mode, also after it was started again, until that is turned off", async () => {
    await gate().set(true);
    const again = gate();
    // Asked before the disk has told.
    expect((await again.answer(MODEL))?.type).toBe("error");
    expect((await again.answer(MODEL))?.type).toBe("error");
    expect(seen.map(({ isRefused }) => isRefused)).toEqual([true, true]);
    await again.set(false);
    expect(again.answer(MODEL)).toBeUndefined();
    expect(await gate().isStrict()).toBe(false);
  });

  it("answers from the network what was asked before the disk has told", async () => {
    expect(await (await gate().answer(MODEL))?.text()).toBe("weights");
  });
});

describe("the messages that were sent", () => {
  it("are those to servers, whatever sends them, and none for the browser's own model", async () => {
    const { backend } = spokenBackend();
    const { signal } = new AbortController();
    const own = counted({ ...backend, servedBy: { model: "", where: "browser" } });
    await own.streamChat({ messages: [], stream: true }, { signal });
    expect(messagesSent.value).toBe(0);
    const far = counted({ ...backend, servedBy: { model: "", where: "server", server: "gpu.example.org" } });
    await far.streamChat({ messages: [], stream: true }, { signal });
    await far.chat({ messages: [] }, { signal }).catch(() => undefined);
    far.dispose();
    expect([messagesSent.value, [...sent.value]]).toEqual([2, [["gpu.example.org", 2]]]);
    expect(far.model.name).toBe("Slow");
  });
});
