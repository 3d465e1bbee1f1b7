import { defineConfig } from "@playwright/test";

/** Configuration of `cargo xtask bench --web`: one JSON line per case on stdout, one browser at a time. */
export default defineConfig({
  testDir: "bench",
  testMatch: "*.bench.ts",
  outputDir: "../../node_modules/.cache/hearth-bench",
  workers: 1,
  timeout: 600_000,
  // Its lines are no JSON and go to stderr, see xtask/src/bench.
  reporter: [["list"]],
});
