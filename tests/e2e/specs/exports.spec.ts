/**
 * The guard of the linker trap: when wasm-ld wraps every export in a call of all constructors, they run again at each
 * call, 2 ms a time. A constructor of our own counts. See ARCHITECTURE.md.
 */
import { BASE_URL, IS_FAKE } from "../support/env.js";
import { expect, test } from "../support/test.js";

test("static constructors run once, however many exports are called", async ({ launch }) => {
  test.skip(IS_FAKE, "the fake core has no exports of a linker");
  const chat = await launch("chromium");
  await chat.open();
  const runs = await chat.tab.evaluate(async (url) => {
    const core = (await import(url)) as { default(): Promise<unknown>; version(): string; constructorRuns(): number };
    await core.default();
    for (let call = 0; call < 100; call++) core.version();
    return core.constructorRuns();
  }, `${BASE_URL}pkg/dist/wasm/hearth.js`);
  expect(runs).toBe(1);
});
