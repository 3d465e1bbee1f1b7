/** Broken downloads: repaired where possible, explained otherwise. */
import { SMOLLM2, IS_FAKE, TINY } from "../../support/env.js";
import { expectGolden } from "../../support/golden.js";
import { SKIPS } from "../../support/skips.js";
import { expect, test } from "../../support/test.js";

/** Returns a distinct address for each test, since the server counts faults by address. */
function broken(faults: string): string {
  return `${IS_FAKE ? SMOLLM2 : TINY}?${faults}&id=${crypto.randomUUID()}`;
}

const CPU = { device: "cpu" };

for (const [name, faults] of [
  ["cut again and again", IS_FAKE ? "cut=6000000" : "cut=65536"],
  ["cut once by a server without Range", "cut=65536&times=1&norange"],
  ["stalled once", "stall=65536&times=1"],
  ["refused once with a 503", "status=503&times=1"],
] as const) {
  test(`download heals: ${name}`, async ({ launch }) => {
    const chat = await launch("chromium");
    await chat.load(broken(faults), { ...CPU, stall_ms: 1500 });
    expect((await chat.device()).kind).toBe("cpu");
    // Checks that each weight is in its place.
    if (!IS_FAKE) await expectGolden(chat, "tiny_llama", 2e-2);
  });
}

for (const [name, faults, codes] of [
  ["404", "status=404", ["download_http"]],
  ["stalled for good", "stall=0", ["download_stalled"]],
  ["cut for good", "cut=0", ["download_broken"]],
  ["announced too long", "wrong_length=4096", ["download_broken", "download_length"]],
  ["announced too short", "wrong_length=-4096", ["truncated_file", "bad_file"]],
] as const) {
  test(`download fails: ${name}`, async ({ launch }) => {
    test.skip(IS_FAKE && faults === "wrong_length=-4096", SKIPS.fake);
    const chat = await launch("chromium");
    await chat.open({ model: broken(faults), ...CPU, stall_ms: faults.startsWith("stall") ? 700 : 15_000, retries: 2 });
    const error = await chat.waitError(60_000);
    expect(codes).toContain(error.code);
    expect(error.message).not.toBe("");
    expect(error.hint).not.toBe("");
    // The page stays usable: another model can be chosen.
    await chat.clickButton("Choose another model");
    await chat.waitScreen("welcome", 20_000);
  });
}

test("a load can be cancelled, and the next one works", async ({ launch }) => {
  const chat = await launch("chromium");
  await chat.open({ model: broken("slow=20000&times=1"), ...CPU });
  await chat.tab.waitVisible('#loading[data-phase="download"]', 20_000);
  await chat.tab.click("#cancel-load");
  await chat.waitScreen("welcome", 20_000);
  await chat.load(TINY, CPU);
});
