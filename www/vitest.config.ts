import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const file = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** Tests that need no browser; the rest of the page is tested in two of them, in tests/e2e. */
export default defineConfig({
  // The package's sources, as in tsconfig.json: these tests need no build.
  resolve: {
    alias: [
      { find: /^hearth-llm$/, replacement: file("../pkg/src/index.ts") },
      { find: /^hearth-llm\/cache$/, replacement: file("../pkg/src/cache/index.ts") },
      { find: /^hearth-llm\/remote$/, replacement: file("../pkg/src/remote/index.ts") },
      { find: /^hearth-llm\/audio$/, replacement: file("../pkg/src/audio/index.ts") },
      { find: /^hearth-llm\/shared$/, replacement: file("../pkg/src/shared/index.ts") },
      { find: /^hearth-llm\/documents$/, replacement: file("../pkg/src/documents/index.ts") },
      { find: /^hearth-llm\/documents\/worker$/, replacement: file("../pkg/src/documents/worker/index.ts") },
    ],
  },
  // Tests share two cores with compilers; a limit is for a test that hangs.
  test: { include: ["test/*.test.{ts,tsx}"], testTimeout: 30_000, hookTimeout: 60_000, maxWorkers: 2 },
});
