import js from "@eslint/js";
import tseslint from "typescript-eslint";

export default tseslint.config(
  {
    ignores: [
      "**/node_modules/",
      "**/dist/",
      "pkg/wasm/",
      "pkg/grammar/",
      "pkg/audio/",
      "pkg/pictures/",
      "pkg/translation/",
      "pkg/docs/",
      "docs/api/",
      "docs/.vitepress/cache/",
      "target/",
      "shared/",
      ".cache/",
      "crate/",
      "xtask/",
      "tests/goldens/",
    ],
  },
  js.configs.recommended,
  {
    files: ["**/*.ts", "**/*.tsx"],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      "max-lines": ["error", 400],
      // `async *` and Promise-returning event handlers are how this code base streams.
      "@typescript-eslint/no-misused-promises": ["error", { checksVoidReturn: false }],
    },
  },
  {
    files: ["**/*.js", "**/*.mjs"],
    languageOptions: {
      globals: Object.fromEntries(
        ["console", "process", "AbortController", "URL", "URLSearchParams", "Buffer", "setTimeout"].map((name) => [
          name,
          "readonly",
        ]),
      ),
    },
  },
  {
    files: ["tests/e2e/bench/*.js"],
    languageOptions: {
      globals: Object.fromEntries(["self", "fetch", "performance", "postMessage"].map((name) => [name, "readonly"])),
    },
  },
  {
    files: ["examples/**/*.js"],
    languageOptions: {
      globals: Object.fromEntries(
        ["document", "location", "navigator", "self", "caches", "fetch", "chrome"].map((name) => [name, "readonly"]),
      ),
    },
  },
);
