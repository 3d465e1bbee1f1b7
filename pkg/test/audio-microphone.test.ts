/** Tests of live transcription from a microphone: how it is heard and given free, and what keeps it from being heard. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Live, settle, Source, useMicrophone } from "./audio-live-support.js";

let live: Live;

beforeEach(() => {
  live = new Live();
});

afterEach(() => {
  vi.unstubAllGlobals();
});

describe("a microphone", () => {
  it.each(["end", "stop"] as const)("is heard until its track ends, and then given free: %s", async (how) => {
    const device = useMicrophone();
    live.listen({ stream: device.stream });
    await device.opened();
    expect(device.context.resumed).toBe(1);
    device.play(new Source(48_000).quiet(1).speech(0.4));
    await settle();
    device[how]();
    // A track that was stopped gives silence.
    device.play(new Source(48_000).quiet(0.01));
    (await live.run(1)).answer(" Hello.");
    await live.ended;
    expect([live.seen, live.failure, device.context.isClosed]).toEqual([["! Hello."], undefined, true]);
  });

  it("is given free by an abort", async () => {
    const device = useMicrophone();
    const controller = new AbortController();
    live.listen({ stream: device.stream, signal: controller.signal });
    await device.opened();
    controller.abort();
    await live.ended;
    expect([live.failure, device.context.isClosed]).toEqual([expect.objectContaining({ code: "cancelled" }), true]);
  });

  it("whose script a page's policy refuses says so", async () => {
    const refused = new DOMException("Unable to load a worklet's module.", "AbortError");
    const device = useMicrophone({ addModule: () => Promise.reject(refused) });
    live.listen({ stream: device.stream });
    await live.ended;
    expect(live.failure).toMatchObject({
      code: "capture_failed",
      cause: refused,
      hint: expect.stringContaining("audio-capture.js") as string,
    });
    expect(device.context.isClosed).toBe(true);
  });

  it("that is none says so", async () => {
    const empty = { getAudioTracks: () => [] } as unknown as MediaStream;
    live.listen({ stream: empty });
    await live.ended;
    expect(live.failure).toMatchObject({
      code: "capture_failed",
      message: expect.stringContaining("no audio track") as string,
    });
    vi.unstubAllGlobals();
    live.listen({ stream: { getAudioTracks: () => [{}] } as unknown as MediaStream });
    await live.ended;
    expect(live.failure).toMatchObject({ message: expect.stringContaining("no AudioContext") as string });
  });

  it("that is faster than its runs makes one of the utterances that wait", async () => {
    const device = useMicrophone();
    live.listen({ stream: device.stream });
    await device.opened();
    for (let i = 0; i < 4; i++) device.play(new Source(48_000).quiet(1).speech(0.4));
    device.play(new Source(48_000).quiet(1));
    const first = await live.run(1);
    await settle();
    // Speech in the last block is reported with the next one.
    device.play(new Source(48_000).quiet(0.1));
    await settle();
    first.answer(" one");
    const rest = await live.run(2);
    expect(rest.seconds).toBeGreaterThan(3);
    rest.answer(" and the rest");
    device.end();
    await live.ended;
    expect(live.seen).toEqual(["! one", "! and the rest"]);
    expect(live.texts[1]?.start).toBeGreaterThan(live.texts[0]?.end ?? 0);
  });
});
