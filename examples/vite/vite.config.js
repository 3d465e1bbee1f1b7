/** @type {import("vite").UserConfig} */
export default {
  // For top-level await, and workers that import.
  build: { target: "es2022" },
  worker: { format: "es" },
};
