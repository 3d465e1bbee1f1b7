import { defineConfig } from "@playwright/test";

const specs = (...names: string[]): string[] => names.map((name) => `**/${name}.spec.ts`);

/** Specs that check the ids a model gives: no result depends on a clock, and SwiftShader compiles on one core. */
const MODELS = specs("families", "folders", "tiny", "embeddings", "gemma");

/** Specs that need the machine to themselves: they run a real model, measure, or install frameworks. */
const HEAVY = specs("counters", "frameworks", "lifetimes", "memory", "performance", "smollm2", "threads", "true-shape");

/**
 * Runs against a server (HEARTH_URL) with fault injection: `cargo xtask serve --faults`, or `cargo xtask test`, which
 * starts one, gives `models` and `light` two workers, and then `heavy` one. Each worker has one browser of each kind.
 */
export default defineConfig({
  testDir: "specs",
  // The pictures that `visual.spec.ts` compares against; the README shows some of them.
  snapshotPathTemplate: "screens/{arg}{ext}",
  outputDir: "../../node_modules/.cache/hearth-e2e",
  workers: 1,
  projects: [
    { name: "models", testMatch: MODELS, fullyParallel: true },
    { name: "light", testIgnore: [...MODELS, ...HEAVY], fullyParallel: true },
    { name: "heavy", testMatch: HEAVY },
  ],
  // Timeouts are not under test here: alongside other work a software GPU takes ten times as long to compile a shader.
  timeout: 420_000,
  // Two browsers on two cores may be slow to show something; an expectation that never comes true takes this long.
  expect: { timeout: 20_000 },
  // Prints one line per test, and the counts as the last lines, which `cargo xtask test` reads.
  reporter: [["list"], ["./support/skips-reporter.ts"]],
  forbidOnly: process.env.CI !== undefined,
});
