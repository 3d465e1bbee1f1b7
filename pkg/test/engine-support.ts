/** Engines on the fake core, and helpers of the tests that use them. */
import { afterEach, beforeEach, expect, vi } from "vitest";
import { Engine, HearthError, type ChatCompletionChunk, type EngineOptions } from "../src/index.js";
import { resetFakePictures } from "./fake-pictures.js";
import { fake, resetFake } from "./fake-wasm.js";
import { WorkerDouble } from "./worker-double.js";

export const FILE = new TextEncoder().encode("GGUF".padEnd(100_000, "x"));
const engines: Engine[] = [];

/** Installs the fake core before each test of the calling file, and cleans up after each. */
export function useFakeCore(): void {
  beforeEach(() => {
    vi.stubGlobal("Worker", WorkerDouble);
    resetFake();
    resetFakePictures();
  });

  afterEach(async () => {
    // The double cannot end its host, so running generations must finish before the counters are reset.
    fake.stepMs = 0;
    await vi.waitFor(
      () => {
        expect(fake.liveGenerations).toBe(0);
      },
      { timeout: 20_000 },
    );
    for (const engine of engines.splice(0)) engine.dispose();
    vi.unstubAllGlobals();
    vi.restoreAllMocks();
  });
}

export async function create(options: Partial<EngineOptions> = {}): Promise<Engine> {
  const engine = await Engine.create({ model: new Blob([FILE]), device: "cpu", ...options });
  engines.push(engine);
  return engine;
}

export function ask(content: string): { messages: { role: "user"; content: string }[] } {
  return { messages: [{ role: "user", content }] };
}

export async function collect(stream: AsyncIterable<ChatCompletionChunk>): Promise<ChatCompletionChunk[]> {
  const chunks: ChatCompletionChunk[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

export function text(chunks: ChatCompletionChunk[]): string {
  return chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("");
}

/** Returns the code of the error that a promise rejects with. */
export async function code(promise: Promise<unknown>): Promise<string> {
  const error: unknown = await promise.catch((e: unknown) => e);
  expect(error).toBeInstanceOf(HearthError);
  return (error as HearthError).code;
}
