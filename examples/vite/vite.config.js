import { defineConfig } from "vite";

export default defineConfig({
  // Top-level await, and workers that import.
  build: { target: "es2022" },
  worker: { format: "es" },
});
