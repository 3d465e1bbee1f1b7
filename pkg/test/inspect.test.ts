import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { HearthError, inspectModel } from "../src/index.js";
import { fake } from "./fake-wasm.js";
import { WorkerDouble } from "./worker-double.js";

beforeEach(() => {
  vi.stubGlobal("Worker", WorkerDouble);
  fake.inspectorsFreed = 0;
});

afterEach(() => {
  vi.unstubAllGlobals();
});

/** Returns a stream that counts the pulls. */
function stream(pieces: string[]): { body: ReadableStream<Uint8Array>; pulled: () => number } {
  let pulled = 0;
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const piece = pieces[pulled++];
        if (piece === undefined) controller.close();
        else controller.enqueue(new TextEncoder().encode(piece));
      },
    },
    { highWaterMark: 0 },
  );
  return { body, pulled: () => pulled };
}

describe("inspectModel", () => {
  it("reports from the first bytes, with what was asked", async () => {
    const report = await inspectModel({ model: new Blob(["GGUF".padEnd(100, "x")]), contextSize: 7 });
    expect(report).toMatchObject({ architecture: "fake", parameters: 7 });
    expect(report.unsupported?.code).toBe("unsupported_architecture");
    expect(fake.inspectorsFreed).toBe(1);
  });

  it("does not read on when it knows enough", async () => {
    const { body, pulled } = stream(["GGUF", "x".repeat(20), ...Array.from({ length: 50 }, () => "y".repeat(10))]);
    await inspectModel({ model: body });
    expect(pulled()).toBeLessThan(10);
  });

  it("says when the file ends too early or is no model", async () => {
    const code = async (text: string): Promise<string> => {
      const error: unknown = await inspectModel({ model: new Blob([text]) }).catch((e: unknown) => e);
      expect(error).toBeInstanceOf(HearthError);
      return (error as HearthError).code;
    };
    expect(await code("GGUF")).toBe("truncated_file");
    expect(await code("<html>")).toBe("bad_file");
  });

  it("ends when it is aborted", async () => {
    const controller = new AbortController();
    controller.abort();
    const failed = inspectModel({ model: new Blob(["GGUF"]), signal: controller.signal });
    await expect(failed).rejects.toMatchObject({ code: "cancelled" });
  });
});
