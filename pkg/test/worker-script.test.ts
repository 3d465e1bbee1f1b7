import { afterEach, describe, expect, it, vi } from "vitest";
import { WorkerRpc } from "../src/backend/rpc.js";
import { NOT_FOUND_HINT, startFrom } from "../src/backend/worker-script.js";

class FakeWorker {
  static started: string[] = [];
  onmessage = null;
  onerror: ((event: { message: string; preventDefault(): void }) => void) | null = null;
  onmessageerror = null;
  constructor(url: string | URL) {
    const address = String(url);
    if (address.startsWith("https://cdn")) throw new DOMException("not this origin", "SecurityError");
    FakeWorker.started.push(address);
  }
  terminate(): void {
    // There is nothing to end.
  }
}

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
  FakeWorker.started = [];
});

function onPage(origin: string): void {
  vi.stubGlobal("location", new URL(`${origin}/`));
  vi.stubGlobal("Worker", FakeWorker);
}

describe("a worker's script", () => {
  it("from this origin is taken as it is", () => {
    onPage("https://page.example");
    startFrom(() => new Worker("https://page.example/worker.js"), "https://page.example/worker.js", "w");
    expect(FakeWorker.started).toEqual(["https://page.example/worker.js"]);
  });

  it("from another origin is imported by a script of this one", async () => {
    onPage("https://page.example");
    let script: Blob | undefined;
    vi.spyOn(URL, "createObjectURL").mockImplementation((blob) => {
      script = blob as Blob;
      return "blob:https://page.example/1";
    });
    startFrom(() => new Worker("https://cdn.example/worker.js"), "https://cdn.example/worker.js", "w");
    expect(FakeWorker.started).toEqual(["blob:https://page.example/1"]);
    expect(await script?.text()).toBe('import "https://cdn.example/worker.js";');
  });

  it("that cannot start says what to do", () => {
    onPage("https://page.example");
    const start = (): Worker => {
      throw new DOMException("refused by the policy", "SecurityError");
    };
    expect(() => startFrom(start, "/worker.js", "w")).toThrow(
      expect.objectContaining({ code: "worker_died", hint: NOT_FOUND_HINT }) as Error,
    );
  });

  it("that is not found says what to do, one that fails later what it said", async () => {
    for (const [message, hint] of [
      ["", NOT_FOUND_HINT],
      ["boom", expect.not.stringContaining("Vite") as string],
    ] as const) {
      const worker = new FakeWorker("/worker.js");
      const client = new WorkerRpc(worker as unknown as Worker);
      worker.onerror?.({ message, preventDefault: () => undefined });
      expect(await client.closed).toMatchObject({ code: "worker_died", hint });
    }
  });
});
