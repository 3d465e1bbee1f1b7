import { join } from "node:path";
import { defineConfig } from "vitest/config";

const source = (name: string): string => join(import.meta.dirname, "src", name);

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts", "../docs/test/**/*.test.ts"],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // On two cores there would be one worker, which mostly waits for servers; threads start faster than processes.
    pool: "threads",
    maxWorkers: 2,
  },
  // The code in the documentation imports the package by its name.
  resolve: {
    alias: [
      { find: /^hearth-llm$/, replacement: source("index.ts") },
      { find: /^hearth-llm\/openai$/, replacement: source("openai-fetch.ts") },
      { find: /^hearth-llm\/tools$/, replacement: source("toolbox/index.ts") },
      { find: /^hearth-llm\/(.+)$/, replacement: source("$1/index.ts") },
    ],
  },
});
