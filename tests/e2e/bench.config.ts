import { defineConfig } from "@playwright/test";
import base from "./playwright.config.js";

/** `cargo xtask bench`: the real model in each browser, one Markdown row each. */
export default defineConfig(base, {
  testDir: "bench",
  timeout: 900_000,
  reporter: "./support/table-reporter.ts",
});
