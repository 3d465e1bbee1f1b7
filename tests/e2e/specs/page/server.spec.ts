/** A conversation that goes on with a model on a server, and comes back. */
import type { Chat } from "../../support/chat.js";
import { keptMessages } from "../../support/conversations.js";
import { FAKE_MODEL, serveFakePage } from "../../support/fake-page.js";
import type { FileServer } from "../../support/file-server.js";
import { LlmServer } from "../../support/llm-server.js";
import { expect, test, type BrowserName } from "../../support/test.js";

// One build of the page is enough.
test.describe.configure({ mode: "default" });

const BROWSERS: BrowserName[] = ["chromium", "firefox"];
const KEY = "sk-very-secret";

let page: FileServer;
let server: LlmServer;

test.beforeAll(async () => {
  page = await serveFakePage();
});

test.afterAll(() => {
  (page as FileServer | undefined)?.stop();
});

test.beforeEach(async () => {
  server = new LlmServer();
  await server.listen();
});

test.afterEach(() => {
  server.close();
});

/** Opens the form, in the dialog of a running model, and asks the server for its models. */
async function listModels(chat: Chat, key = ""): Promise<void> {
  await chat.tab.click("#change-model");
  await chat.unfoldServer();
  await chat.tab.fill("#server-address", server.address);
  if (key !== "") await chat.tab.fill("#server-key", key);
  await chat.tab.press("Enter");
}

async function useServer(chat: Chat, key = ""): Promise<void> {
  await listModels(chat, key);
  await chat.tab.waitVisible("#server-use", 20_000);
  await chat.tab.click("#server-use");
  await expect.poll(() => chat.count("dialog")).toBe(0);
  await expect.poll(() => chat.text("#device-label")).toContain(server.host);
}

const place = (chat: Chat): Promise<string> => chat.text(".message.assistant:last-child .place");

test("a conversation goes on with a server's model and back, and each answer says where it was made", async ({
  launch,
}) => {
  const chat = await launch("chromium");
  await chat.load(FAKE_MODEL, {}, page.url);
  expect(await chat.ask("!echo From here")).toBe("From here");
  expect(await place(chat)).toBe("on this device");
  expect(server.asked).toEqual([]);

  server.key = KEY;
  await useServer(chat, KEY);
  expect(await chat.text("#status")).toContain(server.host);
  expect(await chat.ask("And you?")).toBe("From afar");
  expect(await place(chat)).toBe(`on ${server.host}`);
  expect(server.asked.at(-1)?.messages).toEqual([
    { role: "user", content: "!echo From here" },
    { role: "assistant", content: "From here" },
    { role: "user", content: "And you?" },
  ]);
  expect(server.asked.every(({ authorization }) => authorization === `Bearer ${KEY}`)).toBe(true);

  const before = server.asked.length;
  await chat.tab.click("#change-model");
  await chat.tab.fill("#models #url", FAKE_MODEL);
  await chat.tab.press("Enter");
  await chat.tab.waitVisible("#models #start", 30_000);
  await chat.tab.click("#models #start");
  await expect.poll(() => chat.text("#device-label"), { timeout: 60_000 }).toMatch(/WebGPU|CPU/);
  expect(await chat.ask("!echo Back here")).toBe("Back here");
  expect(await place(chat)).toBe("on this device");
  expect(server.asked).toHaveLength(before);

  const kept = await keptMessages(chat);
  const places = kept.filter(({ role }) => role === "assistant").map(({ content, places = [] }) => [content, places]);
  expect(Object.fromEntries(places)).toEqual({
    "From here": [{ where: "here" }],
    "From afar": [{ where: "server", server: server.host }],
    "Back here": [{ where: "here" }],
  });
  const seen = await chat.tab.evaluate(
    () => [
      JSON.stringify(localStorage),
      location.href,
      ...performance.getEntriesByType("resource").map(({ name }) => name),
    ],
    null,
  );
  expect([...seen, JSON.stringify(kept), ...chat.tab.errors].join("\n")).not.toContain(KEY);
});

test("an answer from a server is stopped with Escape, keeps its text, and the server hears of it", async ({
  launch,
}) => {
  const chat = await launch("chromium");
  await chat.load(FAKE_MODEL, {}, page.url);
  await useServer(chat);
  await chat.send("Say one word and wait");
  await chat.waitStreaming();
  await chat.tab.press("Escape");
  expect(await chat.waitAnswer()).toBe("From");
  await expect.poll(() => server.asked.at(-1)?.isCut).toBe(true);
});

test("after a reload nothing is asked of the server, and its key is forgotten, until the visitor says so", async ({
  launch,
}) => {
  const chat = await launch("chromium");
  await chat.load(FAKE_MODEL, {}, page.url);
  server.key = KEY;
  await useServer(chat, KEY);
  await chat.ask("Hi");
  const before = server.asked.length;
  await chat.open({}, page.url);
  await chat.tab.click("#conversations .entry-title");
  await chat.tab.waitVisible("#wake-server", 20_000);
  expect(server.asked).toHaveLength(before);
  await chat.tab.click("#wake-server");
  await chat.tab.waitVisible("#server-address", 20_000);
  const fields = await chat.tab.evaluate(
    () => [...document.querySelectorAll<HTMLInputElement>("#server-address, #server-key")].map(({ value }) => value),
    null,
  );
  expect(fields).toEqual([server.address, ""]);
  await chat.tab.click("#server-list");
  await chat.tab.waitVisible("#server .error", 20_000);
  expect(await chat.error("#server .error")).toMatchObject({ code: "remote_auth" });
});

for (const browser of BROWSERS) {
  test(`a server that does not allow the page, or is not there, is reported with what helps · ${browser}`, async ({
    launch,
  }) => {
    const chat = await launch(browser);
    await chat.load(FAKE_MODEL, {}, page.url);
    const expectUnreachable = async (): Promise<void> => {
      await chat.tab.waitVisible("#server .error", 30_000);
      const error = await chat.error("#server .error");
      expect(error).toMatchObject({ code: "remote_unreachable" });
      expect(`${error?.message ?? ""} ${error?.hint ?? ""}`).toMatch(/CORS.*Access-Control-Allow-Origin/s);
    };
    server.allowsPages = false;
    await listModels(chat);
    await expectUnreachable();
    // A browser tells neither from the other.
    server.close();
    await chat.tab.click("#server-list");
    await expectUnreachable();
    await chat.tab.press("Escape");
    await expect.poll(() => chat.count("dialog")).toBe(0);
    // The model here stays.
    expect(await chat.ask("!echo Still here")).toBe("Still here");
  });
}
