/** The service worker as a whole: each request has one answer, and the strict mode spares the program. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

const PROGRAM = "https://page.test/assets/index-1.js";
const READER = "https://page.test/assets/on-demand/pdf-1.js";
const MODEL = "https://page.test/models/tiny.gguf";

vi.mock(import("workbox-precaching"), () => ({
  precache: () => undefined,
  addRoute: () => undefined,
  cleanupOutdatedCaches: () => undefined,
  getCacheKeyForURL: (url: string) => (url === PROGRAM ? `${url}?key` : undefined),
}));

type Listener = (event: Record<string, unknown>) => void;

let listeners: Map<string, Listener[]>;
let told: { host: string; isRefused: boolean }[];
const claim = vi.fn(() => Promise.resolve());

beforeEach(async () => {
  vi.resetModules();
  listeners = new Map();
  told = [];
  const kept = new Map<string, Response>();
  const cache = {
    match: (name: string) => Promise.resolve(kept.get(name)?.clone()),
    put: (name: string, response: Response) => Promise.resolve(void kept.set(name, response)),
    delete: (name: string) => Promise.resolve(kept.delete(name)),
    keys: () => Promise.resolve([]),
  };
  vi.stubGlobal("caches", { open: () => Promise.resolve(cache) });
  vi.stubGlobal("fetch", () => Promise.resolve(new Response("from the network")));
  vi.stubGlobal("self", {
    __PRECACHE: [],
    __ON_DEMAND: ["assets/on-demand/pdf-1.js"],
    registration: { scope: "https://page.test/" },
    clients: { claim, matchAll: () => Promise.resolve([{ postMessage: (one: (typeof told)[0]) => told.push(one) }]) },
    addEventListener: (type: string, listener: Listener) => {
      listeners.set(type, [...(listeners.get(type) ?? []), listener]);
    },
  });
  await import("../src/sw.js");
  // The disk has told by then whether the mode is on.
  await setStrict(undefined);
});

afterEach(() => {
  vi.unstubAllGlobals();
});

/** Returns the answers that the service worker gives to a request; none leaves it to the browser or to workbox. */
function ask(url: string, mode = "cors"): Promise<Response>[] {
  const answers: Promise<Response>[] = [];
  const request = { url, mode, method: "GET" };
  for (const listener of listeners.get("fetch") ?? []) {
    listener({ request, respondWith: (answer: Promise<Response>) => answers.push(answer) });
  }
  return answers;
}

function setStrict(isStrict: boolean | undefined): Promise<boolean> {
  return new Promise((resolve) => {
    const ports = [{ postMessage: resolve }];
    for (const listener of listeners.get("message") ?? []) {
      listener({ data: { type: "STRICT", isStrict }, ports, waitUntil: () => undefined });
    }
  });
}

describe("the service worker", () => {
  it("leaves requests for models to the browser, and tells the page of them", async () => {
    expect([ask(MODEL), ask("https://hub.test/model.gguf")]).toEqual([[], []]);
    await vi.waitFor(() => {
      expect(told.map(({ host }) => host)).toEqual(["page.test", "hub.test"]);
    });
  });

  it("refuses them in the strict mode, and neither the page nor a file of the program", async () => {
    expect(await setStrict(true)).toBe(true);
    for (const url of [MODEL, "https://hub.test/model.gguf"]) {
      const answers = ask(url);
      expect(answers).toHaveLength(1);
      expect((await answers[0])?.type).toBe("error");
    }
    expect([ask(PROGRAM), ask("https://page.test/?model=a", "navigate")]).toEqual([[], []]);
    const [reader] = ask(READER);
    expect(await (await reader)?.text()).toBe("from the network");
    expect(told.map(({ isRefused }) => isRefused)).toEqual([true, true]);
    expect(await setStrict(false)).toBe(false);
    expect(ask(MODEL)).toEqual([]);
  });

  it("watches the visit in which it was installed", () => {
    for (const listener of listeners.get("activate") ?? []) listener({ waitUntil: () => undefined });
    expect(claim).toHaveBeenCalledTimes(1);
  });
});
