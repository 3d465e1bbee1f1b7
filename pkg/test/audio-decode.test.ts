/** Tests of recordings on their way to the module: WAV, what the browser decodes, and what nobody does. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { toSound } from "../src/audio/decode.js";
import type { AudioFile } from "../src/audio/openai.js";
import type { AudioSamples } from "../src/audio/protocol.js";
import { fake, ModuleError } from "./audio-module.js";
import { create, sound, useFakeModule, wav } from "./audio-support.js";

useFakeModule();

const { signal } = new AbortController();

function decode(file: unknown): Promise<AudioSamples> {
  const noWav = (): never => {
    throw new Error("this is no WAV");
  };
  return toSound(file as AudioFile, noWav, signal);
}

/** Returns decoded sound as browsers give it. */
function buffer(sampleRate: number, ...channels: number[][]): AudioBuffer {
  const numberOfChannels = channels.length;
  const getChannelData = (i: number): Float32Array => Float32Array.from(channels[i] ?? []);
  return { sampleRate, numberOfChannels, getChannelData } as unknown as AudioBuffer;
}

/** Gives the page a decoder; returns the contexts that were made of it. */
function useDecoder(decoded: () => AudioBuffer): unknown[][] {
  const made: unknown[][] = [];
  class Context {
    constructor(...args: unknown[]) {
      made.push(args);
    }

    decodeAudioData(bytes: ArrayBuffer): Promise<AudioBuffer> {
      // As browsers do.
      structuredClone(bytes, { transfer: [bytes] });
      return Promise.resolve().then(decoded);
    }
  }
  vi.stubGlobal("OfflineAudioContext", Context);
  return made;
}

const damaged = (): never => {
  throw new DOMException("Unable to decode audio data", "EncodingError");
};

afterEach(() => {
  vi.unstubAllGlobals();
});

describe("sound that is decoded already", () => {
  it("is copied, and resampled by the module", async () => {
    const { audio } = await create();
    const file = sound(2, 48_000);
    expect((await audio.transcriptions.create({ file })).text).toBe("w1 w2");
    expect(fake.resampled).toEqual([48_000]);
    expect(file.samples).toHaveLength(96_000);
    await audio.transcriptions.create({ file: sound(1) });
    expect(fake.resampled).toEqual([48_000]);
  });

  it("is the mean of its channels", async () => {
    const { samples, sampleRate } = await decode(buffer(44_100, [1, 0.5, 0], [0, 0.5, -1], [0.5, 0.5, 1]));
    expect([[...samples], sampleRate]).toEqual([[0.5, 0.5, 0], 44_100]);
    expect([...(await decode(buffer(8_000, [0.25]))).samples]).toEqual([0.25]);
  });

  it.each([
    [{ samples: [0, 1], sampleRate: 16_000 }, "file.samples must be a Float32Array"],
    [{ samples: new Float32Array(1), sampleRate: NaN }, "file.sampleRate must be the rate of the samples in hertz"],
    [{ samples: new Float32Array(1) }, "file.sampleRate must be"],
    ["speech.wav", "file must be a File, Blob, Response, ArrayBuffer, AudioBuffer or { samples, sampleRate }"],
    [undefined, "file must be a File"],
    [{}, "file must be a File"],
    [new Uint8Array(3), "file must be a File"],
  ])("is refused if it is none: %o", async (file, message) => {
    await expect(decode(file)).rejects.toMatchObject({
      code: "invalid_request",
      message: expect.stringContaining(message) as string,
    });
  });
});

describe("a WAV file", () => {
  it.each([
    ["File", () => new File([wav()], "a.wav")],
    ["Response", () => new Response(wav())],
    ["ArrayBuffer", () => wav().buffer],
  ])("is read by the module: %s", async (_, make) => {
    const { audio } = await create();
    await audio.transcriptions.create({ file: make() });
    expect([...(fake.runs[0]?.samples ?? [])]).toEqual([0, 0.5, 0.25]);
  });

  it("stays the caller's", async () => {
    const { audio } = await create();
    const { buffer: file } = wav();
    await audio.transcriptions.create({ file });
    expect(file.byteLength).toBe(15);
  });

  it("of an encoding that the module does not read is tried by the browser", async () => {
    const { audio } = await create();
    fake.wavFault = new ModuleError("bad_audio", "the sound cannot be read: format tag 2 with 4 bits");
    useDecoder(() => buffer(16_000, [0.75]));
    await audio.transcriptions.create({ file: new Blob([wav()]) });
    expect([...(fake.runs[0]?.samples ?? [])]).toEqual([0.75]);
  });

  it("that nobody reads is described by the module", async () => {
    const { audio } = await create();
    fake.wavFault = new ModuleError("bad_audio", "the sound cannot be read: the file ends within its samples");
    const failure = { code: "bad_audio", message: "the sound cannot be read: the file ends within its samples" };
    await expect(audio.transcriptions.create({ file: new Blob([wav()]) })).rejects.toMatchObject(failure);
    useDecoder(damaged);
    await expect(audio.transcriptions.create({ file: new Blob([wav()]) })).rejects.toMatchObject(failure);
  });

  it("that makes the module trap fails its request alone", async () => {
    const { audio } = await create();
    fake.wavFault = new WebAssembly.RuntimeError("unreachable");
    const file = new Blob([wav()]);
    await expect(audio.transcriptions.create({ file })).rejects.toMatchObject({ code: "worker_died" });
    fake.wavFault = undefined;
    expect((await audio.transcriptions.create({ file })).text).toBe("w1");
  });
});

describe("any other recording", () => {
  it("is decoded by the browser at the rate that models hear", async () => {
    const made = useDecoder(() => buffer(16_000, [1, 0], [0, 0]));
    const file = new ArrayBuffer(8);
    expect([...(await decode(file)).samples]).toEqual([0.5, 0]);
    expect(made).toEqual([[1, 1, 16_000]]);
    expect(file.byteLength).toBe(8);
  });

  it("that cannot be decoded says so", async () => {
    await expect(decode(new Blob(["OggS"]))).rejects.toMatchObject({
      code: "audio_undecodable",
      hint: expect.stringContaining("sampleRate") as string,
    });
    useDecoder(damaged);
    await expect(decode(new Blob(["OggS"]))).rejects.toMatchObject({
      code: "audio_undecodable",
      hint: expect.stringContaining("MP3") as string,
    });
  });

  it("that is empty says so", async () => {
    await expect(decode(new Blob([]))).rejects.toMatchObject({ code: "bad_audio" });
  });

  it("that did not arrive says so", async () => {
    await expect(decode(new Response("no", { status: 404 }))).rejects.toMatchObject({
      code: "download_http",
      status: 404,
    });
    const broken = new ReadableStream({
      start: (controller) => {
        controller.error(new TypeError("network error"));
      },
    });
    await expect(decode(new Response(broken))).rejects.toMatchObject({ code: "download_broken" });
    const used = new Response(wav());
    await used.text();
    await expect(decode(used)).rejects.toThrow("a Response that was not read yet");
    const gone = new Blob(["x"]);
    gone.arrayBuffer = () => Promise.reject(new DOMException("gone", "NotReadableError"));
    await expect(decode(gone)).rejects.toMatchObject({ code: "io_error" });
  });
});
