import { defineConfig } from "@playwright/test";

/** Which model gives which ids: no clock decides there, and SwiftShader compiles on one core. */
const MODELS = ["families", "folders", "tiny", "embeddings", "gemma"].map((name) => `**/${name}.spec.ts`);

/**
 * Against a running server (HEARTH_URL) with fault injection: `cargo xtask serve --faults`, or `cargo xtask test`,
 * which starts one, and gives `models` two workers. Otherwise one, because each browser computes on all cores.
 */
export default defineConfig({
  testDir: "specs",
  // The pictures that `visual.spec.ts` compares with; the README shows some of them.
  snapshotPathTemplate: "screens/{arg}{ext}",
  outputDir: "../../node_modules/.cache/hearth-e2e",
  workers: 1,
  projects: [
    { name: "models", testMatch: MODELS, fullyParallel: true },
    { name: "page", testIgnore: MODELS },
  ],
  timeout: 180_000,
  // One line a test, and the counts as the last lines, which `cargo xtask test` reads.
  reporter: "list",
  forbidOnly: process.env.CI !== undefined,
});
