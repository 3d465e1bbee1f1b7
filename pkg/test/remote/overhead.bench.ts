/** Measures what `Remote` adds to a server: `npx vitest bench test/remote/overhead`, in `pkg`. The server is in the same process and answers at once. */
import { afterAll, beforeAll, bench, describe } from "vitest";
import { Remote } from "../../src/remote/index.js";
import { events, LlmServer, stream } from "./server.js";
import { ANSWER, CHAT, messages } from "./support.js";

const server = new LlmServer();
let remote: Remote;
/** Milliseconds from the server's first bytes, and from an abort, in this process. */
const [firsts, ends]: [number[], number[]] = [[], []];

beforeAll(async () => {
  const baseURL = await server.listen();
  remote = await Remote.connect({ baseURL, model: "m" });
});

afterAll(() => {
  remote.dispose();
  server.close();
  for (const [name, times] of Object.entries({ "first token": firsts, abort: ends })) {
    const sorted = times.sort((a, b) => a - b);
    const at = (share: number): string => (sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN).toFixed(2);
    console.log(
      `${name}: ${String(sorted.length)} times, median ${at(0.5)} ms, 99% within ${at(0.99)} ms, at most ${at(1)} ms`,
    );
  }
});

describe("a stream", () => {
  bench("from its first bytes to the first token", async () => {
    let since = 0;
    server.answers[CHAT] = (response, asked) => {
      since = performance.now();
      stream(events(...ANSWER))(response, asked);
    };
    for await (const chunk of await remote.chat.completions.create({ messages, stream: true })) {
      if (!chunk.choices[0]?.delta.content) continue;
      firsts.push(performance.now() - since);
      break;
    }
  });

  bench("from an abort to the end of the connection", async () => {
    server.answers[CHAT] = stream(events(...ANSWER.slice(0, 2)), [], "wait");
    const abort = new AbortController();
    const asked = await remote.chat.completions.create({ messages, stream: true }, { signal: abort.signal });
    let since = 0;
    try {
      for await (const chunk of asked) {
        if (!chunk.choices[0]?.delta.content) continue;
        since = performance.now();
        abort.abort();
      }
    } catch {
      await server.asked.at(-1)?.closed;
      ends.push(performance.now() - since);
    }
  });

  bench("from the request to its first token", async () => {
    server.answers[CHAT] = stream(events(...ANSWER));
    for await (const chunk of await remote.chat.completions.create({ messages, stream: true })) {
      if (chunk.choices[0]?.delta.content) break;
    }
  });
});
