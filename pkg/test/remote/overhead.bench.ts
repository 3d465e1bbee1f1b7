/** Measures what `Remote` adds to a server: `npx vitest bench test/remote/overhead`, in `pkg`. The server is in the same process and answers at once. */
import { afterAll, beforeAll, bench, describe } from "vitest";
import { Remote } from "../../src/remote/index.js";
import { events, LlmServer, stream } from "./server.js";
import { ANSWER, CHAT, messages } from "./support.js";

const server = new LlmServer();
let remote: Remote;

beforeAll(async () => {
  const baseURL = await server.listen();
  remote = await Remote.connect({ baseURL, model: "m" });
});

afterAll(() => {
  remote.dispose();
  server.close();
});

describe("a stream", () => {
  bench("from the request to its first token", async () => {
    server.answers[CHAT] = stream(events(...ANSWER));
    for await (const chunk of await remote.chat.completions.create({ messages, stream: true })) {
      if (chunk.choices[0]?.delta.content) break;
    }
  });
});
