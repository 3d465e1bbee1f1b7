/**
 * The guard of the linker trap: when wasm-ld wraps every export in a call of all constructors, a call of any export takes
 * about 2 ms instead of well under a microsecond. See ARCHITECTURE.md.
 */
import { BASE_URL, IS_FAKE } from "../support/env.js";
import { expect, test } from "../support/test.js";

const CALLS = 500;
const LIMIT_US = 100;

test("an export's call runs no constructors", async ({ launch }) => {
  test.skip(IS_FAKE, "the fake core has no exports of a linker");
  const chat = await launch("chromium");
  await chat.open();
  const microseconds = await chat.tab.evaluate(
    async ({ url, calls }) => {
      const core = (await import(url)) as { default(): Promise<unknown>; version(): string };
      await core.default();
      core.version();
      const start = performance.now();
      for (let call = 0; call < calls; call++) core.version();
      return ((performance.now() - start) * 1000) / calls;
    },
    { url: `${BASE_URL}pkg/dist/wasm/hearth.js`, calls: CALLS },
  );
  console.log(`${microseconds.toFixed(1)} us per call of version()`);
  expect(microseconds).toBeLessThan(LIMIT_US);
});
