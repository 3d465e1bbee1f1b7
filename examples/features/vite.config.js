/** One page per feature. */
const PAGES = ["abort", "json-schema", "offline", "rag", "tools", "zero-shot"];

/** @type {import("vite").UserConfig} */
export default {
  build: { target: "es2022", rolldownOptions: { input: PAGES.map((page) => `${page}.html`) } },
  worker: { format: "es" },
};
