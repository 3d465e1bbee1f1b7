/**
 * Tokens are given, and requests ended, in the very task in which the bytes came or the caller aborted: no timer and no
 * buffer is between. Counted in tasks of the event loop, which a busy machine does not change.
 */
import { describe, expect, it } from "vitest";
import { Remote, Router, type RouterOptions } from "../../src/remote/index.js";
import { backend } from "../documents/support.js";
import { MODELS } from "./server.js";
import { failure, messages } from "./support.js";

/** A server whose answers are streamed when the test says so. */
class Wire {
  signal: AbortSignal | undefined;
  #body: ReadableStreamDefaultController<Uint8Array> | undefined;

  readonly fetch: typeof fetch = (input, init) => {
    if ((input as string).endsWith("/models")) return Promise.resolve(Response.json(MODELS));
    const signal = init?.signal ?? undefined;
    this.signal = signal;
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#body = controller;
        // As a browser's fetch does.
        signal?.addEventListener("abort", () => {
          controller.error(signal.reason);
        });
      },
    });
    return Promise.resolve(new Response(body, { headers: { "Content-Type": "text/event-stream" } }));
  };

  send(text: string): void {
    this.#body?.enqueue(new TextEncoder().encode(text));
  }
}

const event = (content: string): string => {
  const choice = { index: 0, delta: { content }, finish_reason: null };
  return `data: ${JSON.stringify({ id: "c", object: "chat.completion.chunk", created: 1, model: "m", choices: [choice] })}\n\n`;
};

/** Counts the tasks that begin from now on: those of timers, and those after input. */
function tasks(): () => number {
  let count = 0;
  const begun = (): void => {
    count++;
  };
  setTimeout(begun);
  setImmediate(begun);
  return () => count;
}

/** Lets everything run that only waits for its turn. */
const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

async function open(
  wire: Wire,
  signal?: AbortSignal,
  through?: Partial<RouterOptions>,
): Promise<() => Promise<string>> {
  const remote = await Remote.connect({ baseURL: "http://server.test/v1", fetch: wire.fetch });
  const local = { backend: backend({}, {}) } as unknown as RouterOptions["local"];
  const asked = through === undefined ? remote : await Router.create({ local, remote, ...through });
  const options = signal === undefined ? {} : { signal };
  const stream = await asked.chat.completions.create({ messages, stream: true }, options);
  const chunks = stream[Symbol.asyncIterator]();
  const next = async (): Promise<string> => {
    const { value } = await chunks.next();
    return value?.choices[0]?.delta.content ?? "";
  };
  return next;
}

describe.each<[string, Partial<RouterOptions> | undefined]>([
  ["a connection", undefined],
  ["a router with a fallback", { prefer: "remote", fallback: true }],
])("%s", (_, through) => {
  it("gives a token in the task in which its bytes came", async () => {
    const wire = new Wire();
    const next = await open(wire, undefined, through);
    for (const token of ["one", " two", " three"]) {
      const waiting = next();
      await settle();
      const begun = tasks();
      wire.send(event(token));
      expect([await waiting, begun()]).toEqual([token, 0]);
    }
    // Several in one piece.
    const waiting = next();
    await settle();
    const begun = tasks();
    wire.send(event(" four") + event(" five"));
    expect([await waiting, await next(), begun()]).toEqual([" four", " five", 0]);
  });

  it("gives a token with the last of its bytes, and not before", async () => {
    const wire = new Wire();
    const next = await open(wire, undefined, through);
    const text = event("one");
    let given: string | undefined;
    const waiting = next().then((token) => (given = token));
    await settle();
    wire.send(text.slice(0, -1));
    await settle();
    expect(given).toBeUndefined();
    const begun = tasks();
    wire.send(text.slice(-1));
    expect([await waiting, begun()]).toEqual(["one", 0]);
  });

  it("ends the request and the stream in the task of the abort", async () => {
    const [wire, abort] = [new Wire(), new AbortController()];
    const next = await open(wire, abort.signal, through);
    const waiting = next();
    await settle();
    wire.send(event("one"));
    expect(await waiting).toBe("one");
    const ended = failure(next());
    await settle();
    expect(wire.signal?.aborted).toBe(false);
    const begun = tasks();
    abort.abort();
    // The browser closes the connection with this signal.
    expect(wire.signal?.aborted).toBe(true);
    expect([(await ended).code, begun()]).toEqual(["cancelled", 0]);
  });
});
