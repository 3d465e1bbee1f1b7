/**
 * Speech on the page: a dropped recording becomes text with times, and the microphone writes into the message. Whisper tiny.en and
 * the recording are on the tests' server.
 */
import { chromium } from "@playwright/test";
import puppeteer from "puppeteer-core";
import { Chat } from "../../support/chat.js";
import { openChromium } from "../../support/chromium.js";
import { BASE_URL, CHROMIUM, FIREFOX, IS_FAKE, TINY } from "../../support/env.js";
import { openFirefox } from "../../support/firefox.js";
import { oneBrowser } from "../../support/full.js";
import { SKIPS } from "../../support/skips.js";
import { expect, test, type BrowserName } from "../../support/test.js";

const WHISPER = "/models/whisper-tiny.en/";
/** The beginning of "A Tale of Two Cities", 44 s long. */
const RECORDING = "/models/speech/two_cities.wav";
/** Path of that recording on this machine, which Chromium takes for a microphone. */
const SPOKEN = process.env.HEARTH_SPEECH_WAV;
const HAS_SPEECH = process.env.HEARTH_WHISPER_TINY_EN !== undefined && SPOKEN !== undefined;

/** The model that answers is not under test. */
const PARAMS = { device: "cpu", max_tokens: 8 };
const LOAD_MS = 120_000;
const LISTEN_MS = 300_000;

/** Notes that the specs put on the page's window. */
interface Noted {
  copied: string[];
  streams: MediaStream[];
}

test.beforeEach(() => {
  test.skip(IS_FAKE, SKIPS.fake);
  test.skip(!HAS_SPEECH, SKIPS.Whisper);
});

/** Starts a browser with a microphone that needs no device and no answer to a question, and opens the page with a model. */
async function open(name: BrowserName, isAllowed: boolean): Promise<Chat> {
  const chat = new Chat(await (name === "chromium" ? chromiumTab(isAllowed) : firefoxTab(isAllowed)));
  await chat.load(TINY, PARAMS);
  await chat.tab.evaluate(() => {
    const noted = globalThis as unknown as Noted;
    noted.streams = [];
    const { mediaDevices } = navigator;
    const ask = mediaDevices.getUserMedia.bind(mediaDevices);
    mediaDevices.getUserMedia = async (constraints) => {
      const stream = await ask(constraints);
      noted.streams.push(stream);
      return stream;
    };
  }, null);
  return chat;
}

async function chromiumTab(isAllowed: boolean) {
  const args = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--use-fake-device-for-media-stream",
    `--use-fake-ui-for-media-stream${isAllowed ? "" : "=deny"}`,
    ...(SPOKEN === undefined ? [] : [`--use-file-for-fake-audio-capture=${SPOKEN}%noloop`]),
  ];
  const browser = await chromium.launch({ executablePath: CHROMIUM, args });
  return openChromium(browser, {}, () => browser.close());
}

async function firefoxTab(isAllowed: boolean) {
  const browser = await puppeteer.launch({
    browser: "firefox",
    executablePath: FIREFOX,
    headless: true,
    protocolTimeout: 900_000,
    extraPrefsFirefox: {
      "media.navigator.streams.fake": true,
      // 2 is "block".
      ...(isAllowed ? { "media.navigator.permission.disabled": true } : { "permissions.default.microphone": 2 }),
      "app.update.enabled": false,
      "browser.safebrowsing.malware.enabled": false,
      "browser.safebrowsing.phishing.enabled": false,
      "datareporting.healthreport.uploadEnabled": false,
      "network.captive-portal-service.enabled": false,
      "network.connectivity-service.enabled": false,
      "services.settings.server": "",
      "dom.serviceWorkers.enabled": false,
    },
  });
  return openFirefox(browser, {}, () => browser.close());
}

/** Drops one of the server's files on the page, as from the desktop. */
function drop(chat: Chat, address: string, name: string): Promise<void> {
  return chat.tab.evaluate(
    async (arg) => {
      const file = new File([await (await fetch(arg.address)).blob()], arg.name);
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(file);
      for (const type of ["dragover", "drop"]) {
        document.body.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
      }
    },
    { address, name },
  );
}

/** Takes the speech model in the dialog that is open. */
async function choose(chat: Chat): Promise<void> {
  await chat.tab.waitVisible("#speech-models", 20_000);
  await chat.tab.fill("#speech-address", WHISPER);
  await chat.tab.click("#speech-address-form button");
}

const message = (chat: Chat): Promise<string> =>
  chat.tab.evaluate(() => document.querySelector<HTMLTextAreaElement>("#prompt")?.value ?? "", null);

/** Returns whether each stream that was given still has a live track. */
const live = (chat: Chat): Promise<boolean[]> =>
  chat.tab.evaluate(
    () =>
      (globalThis as unknown as Noted).streams.map((stream) =>
        stream.getTracks().some(({ readyState }) => readyState === "live"),
      ),
    null,
  );

for (const browser of oneBrowser("firefox")) {
  test(`a recording that is dropped becomes text with times, on this device · ${browser}`, async ({ launch }) => {
    const chat = await launch(browser);
    await chat.load(TINY, PARAMS);
    await chat.tab.evaluate(() => {
      const noted = globalThis as unknown as Noted;
      noted.copied = [];
      navigator.clipboard.writeText = (text) => Promise.resolve(void noted.copied.push(text));
    }, null);
    await chat.tab.fill("#prompt", "Sum this up:");
    await drop(chat, RECORDING, "two_cities.wav");
    await chat.tab.waitVisible("#speech-no-model", 20_000);
    expect(await chat.text("#recordings li .about")).toContain("two_cities.wav");
    await choose(chat);
    await chat.tab.waitVisible('#recordings li[data-state="listening"], #speech .error', LOAD_MS);
    expect(await chat.error("#speech .error")).toBeUndefined();
    await chat.tab.waitVisible('#recordings li:is([data-state="done"], [data-state="failed"])', LISTEN_MS);
    expect(await chat.error("#recordings .error")).toBeUndefined();

    const segments = await chat.tab.evaluate(
      () =>
        [...document.querySelectorAll<HTMLElement>("#recordings .segments li")].map((line) => ({
          time: line.querySelector("time")?.textContent ?? "",
          text: line.querySelector("span")?.textContent ?? "",
        })),
      null,
    );
    const text = segments.map((segment) => segment.text).join(" ");
    expect(text).toMatch(/best of times.*worst of times/is);
    expect(segments.length).toBeGreaterThan(2);
    const times = segments.map(({ time }) => time);
    expect(times[0]).toBe("0:00");
    expect(times).toEqual(times.toSorted());
    expect(await chat.text("#recordings small")).toContain("0:44");
    expect(await chat.text("#speech-status")).toBe("1 recording is transcribed");

    await chat.tab.click('#recordings [data-format="srt"]');
    await expect.poll(() => chat.text("#recordings .outcome")).toBe("Copied.");
    const [copied = ""] = await chat.tab.evaluate(() => (globalThis as unknown as Noted).copied, null);
    expect(copied).toMatch(/^1\n00:00:0\d,\d{3} --> 00:00:\d\d,\d{3}\n/);
    expect(copied.match(/ --> /g)).toHaveLength(segments.length);

    await chat.tab.click("#recordings .put-in");
    await expect.poll(() => chat.count("dialog")).toBe(0);
    expect(await message(chat)).toMatch(/^Sum this up: It was the best of times/i);

    // The page asks its own host only, and sends nothing anywhere else.
    const others = await chat.tab.evaluate((base) => {
      const urls = performance.getEntriesByType("resource").map(({ name }) => name);
      return urls.filter((url) => !url.startsWith(base) && !url.startsWith("blob:"));
    }, BASE_URL);
    expect(others).toEqual([]);
    expect(chat.tab.errors).toEqual([]);
  });
}

for (const browser of oneBrowser("chromium")) {
  test(`a recording that is none says so · ${browser}`, async ({ launch }) => {
    const chat = await launch(browser);
    await chat.load(TINY, PARAMS);
    await chat.tab.click("#open-speech");
    await choose(chat);
    await chat.tab.waitVisible("#speech-ready", LOAD_MS);
    // The tiny model is a file without any sound, whatever its name says.
    await chat.tab.evaluate(async (address) => {
      const bytes = (await (await fetch(address)).arrayBuffer()).slice(64, 4096);
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File([bytes], "call.mp3"));
      document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
    }, TINY);
    await chat.tab.waitVisible("#recordings .error", 60_000);
    expect((await chat.error("#recordings .error"))?.code).toBe("undecodable");
    expect(await chat.text("#recordings .error-message")).toContain("no sound in this file");
  });
}

test("what is said is written into the message, after what was typed · chromium", async () => {
  const chat = await open("chromium", true);
  try {
    await chat.tab.fill("#prompt", "He wrote:");
    await chat.tab.click("#dictate");
    await choose(chat);
    await chat.tab.waitVisible('#dictate[data-state="listening"], #dictation .error', LOAD_MS);
    expect(await chat.error("#dictation .error")).toBeUndefined();
    expect(await chat.count("dialog")).toBe(0);
    await expect.poll(() => message(chat), { timeout: LISTEN_MS }).toMatch(/^He wrote: .*times/is);
    expect(await live(chat)).toEqual([true]);
    await chat.tab.click("#dictate");
    await chat.tab.waitVisible('#dictate[data-state="off"]', LISTEN_MS);
    expect(await live(chat)).toEqual([false]);
    expect(await message(chat)).toMatch(/^He wrote: /);
    expect(chat.tab.errors).toEqual([]);
  } finally {
    await chat.tab.close();
  }
});

for (const browser of oneBrowser("firefox")) {
  test(`the microphone starts and stops, and Escape loses nothing · ${browser}`, async () => {
    const chat = await open(browser, true);
    try {
      await chat.tab.fill("#prompt", "Typed before");
      await chat.tab.click("#dictate");
      await choose(chat);
      for (const time of ["the first time", "again, without a question"]) {
        await chat.tab.waitVisible('#dictate[data-state="listening"], #dictation .error', LOAD_MS);
        expect(await chat.error("#dictation .error"), time).toBeUndefined();
        expect(
          await chat.tab.evaluate(() => document.querySelector("#dictate")?.getAttribute("aria-pressed"), null),
        ).toBe("true");
        expect((await live(chat)).at(-1), time).toBe(true);
        await chat.tab.press("Escape");
        await chat.tab.waitVisible('#dictate[data-state="off"]', LISTEN_MS);
        expect((await live(chat)).at(-1)).toBe(false);
        expect(await message(chat)).toMatch(/^Typed before/);
        await chat.tab.click("#dictate");
      }
      await chat.tab.waitVisible('#dictate[data-state="listening"]', LOAD_MS);
      expect(await live(chat)).toEqual([false, false, true]);
      expect(chat.tab.errors).toEqual([]);
    } finally {
      await chat.tab.close();
    }
  });
}

for (const browser of oneBrowser("chromium")) {
  test(`a microphone that is denied is told, and the message stays · ${browser}`, async () => {
    const chat = await open(browser, false);
    try {
      await chat.tab.fill("#prompt", "Typed before");
      await chat.tab.click("#dictate");
      await choose(chat);
      await chat.tab.waitVisible("#dictation .error", LOAD_MS);
      expect((await chat.error("#dictation .error"))?.code).toBe("denied");
      expect(await chat.text("#dictation .error-message")).toContain("does not let this page use the microphone");
      expect(await live(chat)).toEqual([]);
      // Another try is refused in the same way, and the card can be put away.
      await chat.tab.click("#dictation .error-actions .primary");
      await chat.tab.waitVisible("#dictation .error", 20_000);
      await chat.clickButton("Dismiss");
      await expect.poll(() => chat.count("#dictation")).toBe(0);
      expect(await message(chat)).toBe("Typed before");
    } finally {
      await chat.tab.close();
    }
  });
}
