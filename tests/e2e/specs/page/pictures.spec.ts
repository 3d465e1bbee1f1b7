/**
 * Pictures in the conversation: pasted, dropped, chosen and taken; sent, shown, kept, exported and deleted. The model is a
 * server that takes whatever it is given, since what a model sees in a picture is not under test here.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { chromium } from "@playwright/test";
import { Chat } from "../../support/chat.js";
import { openChromium } from "../../support/chromium.js";
import { conversationFile, keptAll, titles } from "../../support/conversations.js";
import { CHROMIUM, goldenFile, TINY } from "../../support/env.js";
import { inFull, oneBrowser } from "../../support/full.js";
import { LlmServer } from "../../support/llm-server.js";
import { looksOnce } from "../../support/looks.js";
import { drawn, dropPicture, keptFiles, paste, shownPictures, useServer } from "../../support/pictures.js";
import { expect, test } from "../../support/test.js";

const WAIT = { timeout: 30_000 };

let server: LlmServer;

test.beforeEach(async () => {
  server = new LlmServer();
  await server.listen();
});

test.afterEach(() => {
  server.close();
});

/** Returns the content of the last question as the server got it. */
const asked = (): unknown => server.asked.at(-1)?.messages.at(-1)?.content;

for (const browser of ["chromium", "firefox"] as const) {
  test(`a picture is pasted and another one dropped, and both are sent with the question · ${browser}`, async ({
    launch,
  }) => {
    const chat = await launch(browser);
    await chat.open();
    await useServer(chat, server);
    await chat.tab.fill("#prompt", "What are these?");
    await paste(chat, "red");
    await expect.poll(() => shownPictures(chat, "#pictures"), WAIT).toEqual(["Picture 1 20x10"]);
    await dropPicture(chat, "blue", "sky.png");
    await expect.poll(() => shownPictures(chat, "#pictures"), WAIT).toEqual(["Picture 1 20x10", "sky.png 20x10"]);
    // A picture given twice is one picture.
    await dropPicture(chat, "blue", "again.png");
    await dropPicture(chat, "green", "grass.png");
    await expect.poll(() => chat.count("#pictures img"), WAIT).toBe(3);
    await chat.tab.click('#pictures [aria-label="Remove grass.png"]');
    await expect.poll(() => chat.count("#pictures img")).toBe(2);

    await chat.tab.click("#send");
    expect(await chat.waitAnswer()).toBe("From afar");
    expect(await chat.count("#pictures")).toBe(0);
    expect(await shownPictures(chat, ".message.user")).toEqual(["Picture 1 20x10", "sky.png 20x10"]);
    // The bytes are those that were given.
    const [red, blue] = await Promise.all([drawn(chat, "red"), drawn(chat, "blue")]);
    expect(asked()).toEqual([
      { type: "image_url", image_url: { url: `data:image/png;base64,${red}` } },
      { type: "image_url", image_url: { url: `data:image/png;base64,${blue}` } },
      { type: "text", text: "What are these?" },
    ]);

    await chat.tab.click('.message.user [aria-label="Show sky.png larger"]');
    await chat.tab.waitVisible("dialog#picture img", 20_000);
    expect(await chat.text("dialog#picture h2")).toBe("sky.png");
    await chat.tab.press("Escape");
    await expect.poll(() => chat.count("dialog")).toBe(0);
    expect(chat.tab.errors).toEqual([]);
  });
}

for (const browser of oneBrowser("chromium")) {
  test(`pictures stay with their conversation: reloaded, edited, exported, imported, deleted · ${browser}`, async ({
    launch,
  }) => {
    const chat = await launch(browser);
    await chat.open();
    await useServer(chat, server);
    await dropPicture(chat, "red", "fire.png");
    await chat.tab.waitVisible("#pictures img", 20_000);
    // Pictures that are not sent yet survive a reload as well.
    await expect.poll(async () => (await keptAll<unknown[]>(chat, "draftPictures")).length, WAIT).toBe(1);
    await chat.tab.reload();
    await useServer(chat, server);
    await expect.poll(() => shownPictures(chat, "#pictures"), WAIT).toEqual(["fire.png 20x10"]);
    await chat.ask("What burns?");
    await expect.poll(() => keptFiles(chat)).toEqual(["image/png Blob"]);

    await chat.tab.reload();
    await chat.tab.waitVisible("#conversations .entry-title", 20_000);
    await chat.tab.click("#conversations .entry-title");
    await expect.poll(() => shownPictures(chat, ".message.user"), WAIT).toEqual(["fire.png 20x10"]);
    await useServer(chat, server);
    await chat.tab.click('.message.user .icon-button[aria-label="Edit message"]');
    await chat.tab.fill("textarea.edit", "And what is warm?");
    await chat.tab.press("Enter");
    await chat.waitAnswer();
    expect(asked()).toMatchObject([{ type: "image_url" }, { type: "text", text: "And what is warm?" }]);
    await chat.tab.click('.message.assistant .icon-button[aria-label="Answer again"]');
    await chat.tab.waitVisible(".message.assistant .branches", 20_000);
    await chat.waitAnswer();
    expect(asked()).toMatchObject([{ type: "image_url" }, { type: "text", text: "And what is warm?" }]);

    const path = conversationFile("pictures", []);
    await chat.tab.evaluate(() => {
      const make = URL.createObjectURL.bind(URL);
      URL.createObjectURL = (blob) => {
        const { type } = blob as Blob;
        if (type === "application/json") {
          void (blob as Blob).text().then((text) => Object.assign(globalThis, { saved: text }));
        }
        return make(blob);
      };
    }, null);
    await chat.tab.click(".transfers summary");
    await chat.tab.click("#export-json");
    await expect.poll(() => chat.tab.evaluate(() => "saved" in globalThis, null)).toBe(true);
    writeFileSync(path, await chat.tab.evaluate(() => (globalThis as { saved?: string }).saved ?? "", null));
    expect(readFileSync(path, "utf8")).toContain(await drawn(chat, "red"));
    await chat.tab.setFile("#import", path);
    await expect.poll(() => titles(chat)).toHaveLength(2);
    await expect.poll(() => shownPictures(chat, ".message.user"), WAIT).toEqual(["fire.png 20x10"]);
    await expect.poll(() => keptFiles(chat)).toHaveLength(2);

    for (const left of [1, 0]) {
      await chat.tab.click('#conversations li .icon-button[aria-label^="Delete"]');
      await expect.poll(() => keptFiles(chat)).toHaveLength(left);
    }
    expect(chat.tab.errors).toEqual([]);
  });
}

for (const browser of oneBrowser("chromium")) {
  test(`a model that does not see says what to load, and leaves pictures out · ${browser}`, async ({ launch }) => {
    const chat = await launch(browser);
    await chat.open({ device: "cpu", max_tokens: 8 });
    await chat.waitScreen("welcome", 60_000);
    // There is no model yet.
    await dropPicture(chat, "red", "fire.png");
    await expect.poll(() => chat.text("#toast")).toContain("first load a model that sees");
    await useServer(chat, server);
    await dropPicture(chat, "red", "fire.png");
    await chat.tab.waitVisible("#pictures img", 20_000);
    await chat.ask("What burns?");

    await chat.tab.click("#change-model");
    await chat.tab.waitVisible("#models #url", 20_000);
    await chat.tab.fill("#models #url", `${TINY}?pictures`);
    await chat.tab.press("Enter");
    await chat.tab.waitVisible("#models #start", 30_000);
    await chat.tab.click("#models #start");
    // The server's model stays until this one is there.
    await expect.poll(() => chat.text("#device-label"), { timeout: 60_000 }).toContain("CPU");
    await expect.poll(() => chat.count("#picture-file")).toBe(0);
    await paste(chat, "blue");
    await chat.tab.waitVisible("#pictures .error", 20_000);
    expect((await chat.error("#pictures .error"))?.code).toBe("blind");
    await chat.clickButton("Dismiss");
    await chat.send("Say more");
    await chat.tab.waitVisible('.message.assistant:last-child[data-state="stopped"], .left-out', 60_000);
    await expect.poll(() => chat.text(".left-out")).toBe("Left out: 1 picture that the model cannot see");
    expect(await shownPictures(chat, ".message.user")).toEqual(["fire.png 20x10"]);
  });
}

test("the camera takes a picture, which goes into the message · chromium", async () => {
  const args = ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"];
  const browser = await chromium.launch({ executablePath: CHROMIUM, args });
  const chat = new Chat(await openChromium(browser, {}, () => browser.close()));
  try {
    await chat.open();
    await useServer(chat, server);
    await chat.tab.click("#open-camera");
    await chat.tab.waitVisible("#take, #camera .error", 20_000);
    expect(await chat.error("#camera .error")).toBeUndefined();
    await expect
      .poll(() => chat.tab.evaluate(() => document.querySelector("video")?.videoWidth ?? 0, null))
      .toBeGreaterThan(0);
    await chat.tab.click("#take");
    await chat.tab.waitVisible("#camera img", 20_000);
    await chat.tab.click("#retake");
    await chat.tab.waitVisible("#take", 20_000);
    await expect
      .poll(() => chat.tab.evaluate(() => document.querySelector("video")?.videoWidth ?? 0, null))
      .toBeGreaterThan(0);
    await chat.tab.click("#take");
    await chat.tab.waitVisible("#use-picture", 20_000);
    await chat.tab.click("#use-picture");
    await expect.poll(() => chat.count("dialog")).toBe(0);
    await expect.poll(() => chat.count("#pictures img"), WAIT).toBe(1);
    expect(await chat.ask("What is this?")).toBe("From afar");
    expect(JSON.stringify(asked())).toContain('"url":"data:image/jpeg;base64,');
    expect(chat.tab.errors).toEqual([]);
  } finally {
    await chat.tab.close();
  }
});

for (const browserName of inFull("chromium")) {
  test(`a camera that is denied is told · ${browserName}`, async () => {
    const args = ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream=deny"];
    const browser = await chromium.launch({ executablePath: CHROMIUM, args });
    const chat = new Chat(await openChromium(browser, {}, () => browser.close()));
    try {
      await chat.open();
      await useServer(chat, server);
      await chat.tab.click("#open-camera");
      await chat.tab.waitVisible("#camera .error", 20_000);
      expect((await chat.error("#camera .error"))?.code).toBe("denied");
    } finally {
      await chat.tab.close();
    }
  });
}

/**
 * The files are a tiny SmolVLM and its projector, whose words mean nothing: that it answers, and that its prompt has more tokens than the text alone, is what can be seen here.
 */
const SMOLVLM = ["model.gguf", "mmproj.gguf"].map((name) => goldenFile(`vision/vision_smolvlm/gguf/${name}`));

for (const browserName of ["chromium", "firefox"] as const) {
  test(`a model that sees looks at each picture once on this device, and nothing is sent · ${browserName}`, async ({
    launch,
  }) => {
    const chat = await launch(browserName);
    await chat.open({ device: "cpu", max_tokens: 4, temperature: 0 });
    await chat.tab.setFile("#file", ...SMOLVLM);
    await chat.waitReady();
    await looksOnce(chat);
    expect(server.asked).toEqual([]);
    expect(chat.tab.errors).toEqual([]);
  });
}
