import { defineConfig } from "vitest/config";

/** What needs no browser; the rest of the page is tested in two of them, in tests/e2e. */
export default defineConfig({ test: { include: ["test/*.test.ts"] } });
