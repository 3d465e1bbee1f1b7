import { defineConfig } from "@playwright/test";
import base from "./playwright.config.js";

/** Runs the same specs on the page with the fake core, for work on the page and on the specs themselves. */
const url = "http://localhost:8931/";
process.env.HEARTH_FAKE = "1";
process.env.HEARTH_URL = url;
process.env.HEARTH_SMOLLM2 = "fake";

export default defineConfig(base, {
  timeout: 30_000,
  webServer: { command: "node support/fake-server.mjs 8931", url, reuseExistingServer: false },
});
