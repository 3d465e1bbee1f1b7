/** Models on a server: the real client and a server of the package's tests. */
import type { HearthError } from "hearth-llm";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { delta, events, json, LlmServer, stream } from "../../pkg/test/remote/server.js";
import { fromFile, toJson, toMarkdown } from "../src/store/exchange.js";
import { textOf } from "../src/store/parts.js";
import { backendOf, chunkOf } from "./backends.js";
import { emptyDisk, kept, openPage, type Page } from "./page.js";

const CHAT = "chat/completions";
const KEY = "sk-very-secret";
const KEYS = "hearth.settings";
const ANSWER = [
  delta({ role: "assistant", content: "" }),
  delta({ content: "one " }),
  delta({ content: "two" }, "stop"),
  { choices: [], usage: { prompt_tokens: 9, completion_tokens: 5, total_tokens: 14 } },
];

type Form = typeof import("../src/state/server.js");
type Model = typeof import("../src/state/model.js");

let llm: LlmServer;
let page: Page;
let form: Form;
let model: Model;

async function open(): Promise<void> {
  page = await openPage();
  [form, model] = await Promise.all([import("../src/state/server.js"), import("../src/state/model.js")]);
}

/** Returns a `localStorage` of its own. */
function storage(): Pick<Storage, "getItem" | "setItem" | "removeItem"> {
  const items = new Map<string, string>();
  return {
    getItem: (name) => items.get(name) ?? null,
    setItem: (name, value) => void items.set(name, value),
    removeItem: (name) => void items.delete(name),
  };
}

const here = (text: string) =>
  backendOf(async function* () {
    yield await Promise.resolve(chunkOf(text));
    yield chunkOf("", "stop");
  }, "Local");

beforeEach(async () => {
  emptyDisk();
  vi.stubGlobal("localStorage", storage());
  llm = new LlmServer();
  await llm.listen();
  llm.answers[CHAT] = stream(events(...ANSWER, "[DONE]"));
  await open();
});

afterEach(() => {
  model.unload();
  llm.close();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

const host = (): string => new URL(llm.address).host;
const places = (): unknown[] => page.chat.path.value.filter(({ role }) => role === "assistant").map((m) => m.places);

describe("a conversation", () => {
  it("goes on with a server's model and back with the same messages, and each answer says where it was made", async () => {
    page.use(here("zero"));
    await page.chat.send("First?");
    await form.list(llm.address);
    expect(form.server.value).toEqual({ name: "listed", address: llm.address, models: ["m"] });
    // The model here answers until another one is chosen.
    expect(model.backend.value?.model.name).toBe("Local");
    expect(await form.connect(llm.address, "m")).toBe(true);
    await page.chat.send("Second?");
    expect(llm.asked.at(-1)?.body.messages).toEqual([
      { role: "user", content: "First?" },
      { role: "assistant", content: "zero" },
      { role: "user", content: "Second?" },
    ]);
    page.use(here("three"));
    await page.chat.send("Third?");
    expect(llm.count(CHAT)).toBe(1);
    expect(page.chat.path.value.map(textOf)).toEqual(["First?", "zero", "Second?", "one two", "Third?", "three"]);
    expect(places()).toEqual([[{ where: "here" }], [{ where: "server", server: host() }], [{ where: "here" }]]);
    const stored = await kept().messages(page.chat.current.value?.id ?? "");
    expect(stored.filter(({ places }) => places?.[0]?.where === "server").map(textOf)).toEqual(["one two"]);
  });

  it("has the numbers of an answer whose server counts at its end alone", async () => {
    await form.connect(llm.address, "m");
    await page.chat.send("Hi");
    const stats = page.chat.path.value.at(-1)?.stats;
    expect(stats).toMatchObject({ tokens: 5, prompt: 9 });
    expect(stats?.firstToken).toBeGreaterThan(0);
    // Four tokens after the first.
    expect(stats?.tokensPerSecond).toBeGreaterThan(0);
  });

  it("keeps what had come when it is stopped, and the server hears of it", async () => {
    llm.answers[CHAT] = stream(events(...ANSWER.slice(0, 2)), [], "wait");
    await form.connect(llm.address, "m");
    const sent = page.chat.send("Hi");
    await vi.waitFor(() => {
      expect(page.chat.answering.value?.text.value).toBe("one ");
    });
    page.chat.stop();
    await sent;
    await llm.asked.at(-1)?.closed;
    expect(page.chat.path.value.at(-1)).toMatchObject({ end: "stopped", parts: [{ text: "one " }] });
    expect(page.chat.failure.value).toBeUndefined();
  });

  it("shows a server's error by name, and asks again where the server cannot continue", async () => {
    llm.answers.models = json({ data: [{ id: "m", owned_by: "library" }] });
    llm.answers[CHAT] = stream(events(...ANSWER.slice(0, 2)), [], "destroy");
    await form.connect(llm.address, "m");
    await page.chat.send("Hi");
    expect(page.chat.failure.value).toMatchObject({ error: { code: "remote_interrupted" } });
    expect(page.chat.path.value.at(-1)).toMatchObject({ end: "stopped", parts: [{ text: "one " }] });
    llm.answers[CHAT] = stream(events(...ANSWER, "[DONE]"));
    page.chat.failure.value?.retry();
    await vi.waitFor(() => {
      expect(page.chat.path.value.at(-1)).toMatchObject({ end: "stop", parts: [{ text: "one two" }] });
    });
    expect(llm.asked.at(-1)?.body.messages).toEqual([{ role: "user", content: "Hi" }]);
  });

  it("names both places of an answer that is continued elsewhere", async () => {
    page.use(here("zero"));
    await page.chat.send("Hi");
    await form.connect(llm.address, "m");
    const answer = page.chat.path.value.at(-1);
    if (answer === undefined) throw new Error("no answer");
    await page.chat.goOn(answer);
    expect(llm.asked.at(-1)?.body).toMatchObject({ continue_final_message: true });
    expect(places()).toEqual([[{ where: "here" }, { where: "server", server: host() }]]);
  });

  it("takes its places along as a file", async () => {
    await form.connect(llm.address, "m");
    await page.chat.send("Hi");
    const all = await page.chat.bundles();
    const json = await (await toJson(all)).text();
    for (const text of [json, ...all.map(toMarkdown)]) {
      const [bundle] = fromFile(text);
      expect(bundle?.messages.at(-1)).toMatchObject({ model: "m", places: [{ where: "server", server: host() }] });
    }
    const wrong = json.replace('"where": "server"', '"where": "elsewhere"');
    expect(() => fromFile(wrong)).toThrow("field");
  });
});

describe("a server", () => {
  it("is asked for nothing before its address is entered and its models are asked for", async () => {
    const fetched = vi.spyOn(globalThis, "fetch");
    page.settings.change({ server: { server: llm.address, model: "m" }, isOnServer: true });
    await open();
    expect(fetched).not.toHaveBeenCalled();
    await form.list(llm.address);
    expect(fetched.mock.calls.map(([url]) => url)).toEqual([`${llm.address}/models`]);
  });

  it("that is not there leaves the model here", async () => {
    page.use(here("zero"));
    const { address } = llm;
    llm.close();
    await form.list(address);
    expect(form.server.value).toMatchObject({
      name: "failed",
      error: { code: "remote_unreachable" },
      isListless: false,
    });
    expect(await form.connect(address, "m")).toBe(false);
    expect(model.backend.value?.model.name).toBe("Local");
    expect(page.settings.settings.value.isOnServer).toBe(false);
  });

  it.each([
    ["a wrong key", 401, "remote_auth", false],
    ["no list of models", 404, "remote_error", true],
  ])("that has %s is reported by name", async (_, status, code, isListless) => {
    llm.answers.models = json({}, status);
    await form.list(llm.address);
    expect(form.server.value).toMatchObject({ name: "failed", error: { code }, isListless });
    expect(await form.connect(llm.address, "m")).toBe(isListless);
  });

  it("is given up when the visitor does so, and takes nobody's place later", async () => {
    llm.answers.models = () => undefined;
    const listing = form.list(llm.address);
    await vi.waitFor(() => {
      expect(llm.count("models")).toBe(1);
    });
    form.forget();
    await listing;
    expect(form.server.value).toEqual({ name: "none" });
    await llm.asked[0]?.closed;
  });

  it("ends with its model when another one takes its place", async () => {
    await form.connect(llm.address, "m");
    const before = model.backend.value;
    await form.connect(llm.address, "m");
    await expect(before?.closed).resolves.toMatchObject({ code: "disposed" });
    expect(model.model.value.name).toBe("running");
  });
});

describe("a server's key", () => {
  const written = (): string => localStorage.getItem(KEYS) ?? "";

  it("goes to its server only, in a header, and into no file and no address", async () => {
    const other = new LlmServer();
    await other.listen();
    form.setKey(llm.address, KEY, false);
    await form.connect(llm.address, "m");
    await page.chat.send("Hi");
    await form.list(other.address);
    other.close();
    expect(llm.asked.map(({ headers }) => headers.authorization)).toEqual([`Bearer ${KEY}`, `Bearer ${KEY}`]);
    expect(other.asked.map(({ headers }) => headers.authorization)).toEqual([undefined]);
    expect(JSON.stringify(llm.asked.map(({ url, body }) => [url, body]))).not.toContain(KEY);
    const all = await page.chat.bundles();
    expect([await (await toJson(all)).text(), ...all.map(toMarkdown)].join("")).not.toContain(KEY);
    expect(written()).toContain(llm.address);
    expect(written()).not.toContain(KEY);
  });

  it("is forgotten with the page, unless the visitor keeps it", async () => {
    form.setKey(llm.address, KEY, false);
    expect(form.keyOf(llm.address)).toBe(KEY);
    await open();
    expect(form.keyOf(llm.address)).toBe("");
    form.setKey(llm.address, KEY, true);
    await open();
    expect([form.keyOf(llm.address), form.isKeyKept(llm.address)]).toEqual([KEY, true]);
    form.setKey(llm.address, KEY, false);
    expect(written()).not.toContain(KEY);
    await open();
    expect(form.keyOf(llm.address)).toBe("");
  });

  it.each([
    ["no header can hold", "密钥-very-secret", "invalid_request"],
    ["the server refuses", KEY, "remote_auth"],
  ])("that %s is in no message of the error", async (_, key, code) => {
    llm.answers.models = json({ error: { message: "no" } }, 401);
    form.setKey(llm.address, key, false);
    await form.list(llm.address);
    expect(form.server.value).toMatchObject({ name: "failed", error: { code } });
    const { error } = form.server.value as { error: HearthError };
    expect([error.message, error.hint, error.stack, String(error.cause)].join("\n")).not.toContain("very-secret");
  });
});

describe("the browser's own model", () => {
  it("is offered where it is ready, answers, and is named with its answer", async () => {
    await form.lookForBuiltIn();
    expect(form.hasBuiltIn.value).toBe(false);
    const fetched = vi.spyOn(globalThis, "fetch");
    const session = {
      promptStreaming: (text: string) =>
        new ReadableStream<string>({
          start: (controller) => {
            controller.enqueue(`You said ${text}`);
            controller.close();
          },
        }),
      destroy: () => undefined,
    };
    vi.stubGlobal("LanguageModel", {
      availability: () => Promise.resolve("available"),
      create: () => Promise.resolve(session),
    });
    await form.lookForBuiltIn();
    expect(form.hasBuiltIn.value).toBe(true);
    await form.useBuiltIn();
    await page.chat.send("Hi");
    expect(page.chat.failure.value).toBeUndefined();
    expect(page.chat.path.value.map(textOf)).toEqual(["Hi", "You said Hi"]);
    expect(places()).toEqual([[{ where: "browser" }]]);
    const all = await page.chat.bundles();
    for (const text of [await (await toJson(all)).text(), ...all.map(toMarkdown)]) {
      expect(fromFile(text)[0]?.messages.at(-1)?.places).toEqual([{ where: "browser" }]);
    }
    expect(fetched).not.toHaveBeenCalled();
    expect(page.settings.settings.value.isOnServer).toBe(false);
  });
});
