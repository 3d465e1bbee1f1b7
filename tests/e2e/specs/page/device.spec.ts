/** The page without WebGPU, after losing the device, and with a full context. */
import { IS_FAKE, screenshotFile, TINY } from "../../support/env.js";
import { oneBrowser } from "../../support/full.js";
import { SKIPS } from "../../support/skips.js";
import { expect, test, type BrowserName } from "../../support/test.js";

const BROWSERS: BrowserName[] = ["chromium", "firefox"];

for (const browser of BROWSERS) {
  test(`without WebGPU the page says why and offers the CPU · ${browser}`, async ({ launch }) => {
    const chat = await launch(browser, { webgpu: false });
    await chat.open({ model: TINY, max_tokens: 4 });
    const error = await chat.waitError(30_000);
    expect(error.code).toBe("no_webgpu");
    expect(error.message).toContain("WebGPU is not available: ");
    await chat.tab.screenshot(screenshotFile(`no-webgpu-${browser}`));
    await chat.clickButton("Use the CPU (slow)");
    await chat.waitReady();
    expect((await chat.device()).kind).toBe("cpu");
    expect(await chat.isVisible("#banner")).toBe(true);
    await chat.ask("Hi, 42!");
  });
}

test("the offer of the CPU is made only without WebGPU", async ({ launch }) => {
  const chat = await launch("chromium");
  await chat.open({ model: "/nothing-here.gguf" });
  expect((await chat.waitError(30_000)).code).toBe("download_http");
  expect(await chat.text("#failure")).not.toContain("CPU");
});

for (const browser of oneBrowser("firefox")) {
  test(`a lost device that is not replaced is reported, and the model can be loaded again · ${browser}`, async ({
    launch,
  }) => {
    const chat = await launch(browser, { alone: true });
    await chat.load(TINY, { max_tokens: 16, recover: "off" });
    if (IS_FAKE) await chat.send("!lost");
    else await chat.loseDevice();
    expect((await chat.waitError(60_000)).code).toBe("device_lost");
    await chat.clickButton("Load the model again");
    await chat.waitReady();
    await chat.ask("Hi, 42!");
  });
}

/** Simulates an adapter without timestamp-query, which rejects any request for it. */
const NO_TIMESTAMPS = `{
  const has = GPUSupportedFeatures.prototype.has;
  GPUSupportedFeatures.prototype.has = function (name) { return name !== "timestamp-query" && has.call(this, name); };
  const requestDevice = GPUAdapter.prototype.requestDevice;
  GPUAdapter.prototype.requestDevice = function (descriptor) {
    console.error("asked for a device");
    if ([...(descriptor?.requiredFeatures ?? [])].includes("timestamp-query")) throw new TypeError("no timestamp-query");
    return requestDevice.call(this, descriptor);
  };
}
`;

test("an adapter without timestamp-query runs the model", async ({ launch }) => {
  test.skip(IS_FAKE, SKIPS.fake);
  const chat = await launch("chromium", { workerPrelude: NO_TIMESTAMPS });
  await chat.load(TINY, { max_tokens: 8 });
  expect((await chat.device()).kind).toBe("webgpu");
  await chat.ask("Hi, 42!");
  expect(chat.tab.errors.join()).toContain("asked for a device");
});

for (const browser of oneBrowser("chromium")) {
  test(`a device lost in the middle of an answer costs it nothing but time · ${browser}`, async ({ launch }) => {
    test.skip(IS_FAKE, SKIPS.fake);
    const chat = await launch(browser, { alone: true });
    // Sampled, not greedy: the replacement device samples the tokens that the first one would have sampled.
    await chat.load(TINY, { temperature: 0.9, seed: 5, max_tokens: 200 });
    const whole = await chat.ask("Hi, 42!");
    await chat.clickButton("New chat");
    await chat.send("Hi, 42!");
    await chat.loseDeviceWhileAnswering();
    expect(await chat.waitAnswer()).toBe(whole);
    await expect.poll(() => chat.text("#banner")).toContain("was lost");
  });
}

test("a prompt beyond the context is refused, and the next one is answered", async ({ launch }) => {
  const chat = await launch("chromium");
  await chat.load(TINY, { device: "cpu", max_tokens: 4 });
  await chat.send("The fire is lit. ".repeat(400));
  expect((await chat.waitError(60_000)).code).toBe("context_overflow");
  await chat.clickButton("New chat");
  await chat.ask("Hi, 42!");
});

test("a request that makes no sense is refused with the field's name", async ({ launch }) => {
  const chat = await launch("chromium");
  await chat.load(TINY, { device: "cpu", temperature: -1 });
  await chat.send("Hi");
  const error = await chat.waitError(10_000);
  expect(error.code).toBe("invalid_request");
  expect(error.message).toContain("temperature");
});
