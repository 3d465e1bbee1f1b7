/**
 * Common bundlers, in the versions that people have, each with a one-file app. Full runs only: the bundlers are
 * installed.
 */
import { join } from "node:path";
import { Bundled, serveFolder, type Tool } from "../../support/bundled.js";
import { FULL } from "../../support/full.js";
import { packed } from "../../support/packed.js";
import { expect, test } from "../../support/test.js";

const WAIT = { timeout: 120_000 };

// One after the other: two workers would pack the package at once.
test.describe.configure({ mode: "default" });

/**
 * Configures Vite as the README says: workers that import, top-level await; and in Vite 6 and 7, no pre-bundling of the
 * package.
 */
const vite = (exclude: boolean): string => `export default {
  build: { target: "es2022" },
  worker: { format: "es" },
  ${exclude ? 'optimizeDeps: { exclude: ["hearth-llm"] },' : ""}
  server: { headers: { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" } },
};
`;
const packing = `export default {
  mode: "production",
  entry: "./main.js",
  output: { filename: "main.js", clean: true },
  performance: { hints: false },
};
`;

const viteTools = ["6.4.6", "7.3.8", "8.3.8"].flatMap((version): Tool[] => {
  const packages = [`vite@${version}`];
  const files = { "vite.config.js": vite(!version.startsWith("8")) };
  return [
    { name: `Vite ${version}, dev`, packages, files, command: ["vite"], isServer: true },
    { name: `Vite ${version}, build`, packages, files, command: ["vite", "build"] },
  ];
});

const TOOLS: Tool[] = [
  ...viteTools,
  {
    name: "webpack 5",
    packages: ["webpack@5.113.0", "webpack-cli@7.3.1"],
    files: { "webpack.config.js": packing },
    command: ["webpack"],
  },
  {
    name: "Rspack 2",
    packages: ["@rspack/core@2.3.3", "@rspack/cli@2.2.8"],
    files: { "rspack.config.js": packing },
    command: ["rspack", "build"],
  },
  {
    name: "Parcel 2",
    packages: ["parcel@2.16.4"],
    script: "./main.js",
    command: ["parcel", "build", "index.html", "--no-cache"],
  },
  {
    // esbuild bundles no workers: the package's files are copied, and named in the options.
    name: "esbuild, with workerUrl",
    packages: ["esbuild@0.28.2"],
    command: ["esbuild", "main.js", "--bundle", "--format=esm", "--outfile=dist/main.js"],
    copies: true,
    options: { workerUrl: "/hearth/worker.js" },
  },
];

if (FULL) {
  for (const tool of TOOLS) {
    test(tool.name, async ({ launch }) => {
      test.setTimeout(300_000);
      const app = new Bundled();
      try {
        const url = await app.start(tool);
        const chat = await launch("chromium");
        await chat.tab.goto(url);
        await expect.poll(() => chat.text("#status"), WAIT).not.toBe("");
        expect(await chat.text("#status")).toMatch(/^Done 2 [1-9]/);
      } finally {
        app.close();
      }
    });
  }
}

/** Loads the package without a bundler, from another origin, as from a CDN. */
for (const browser of FULL ? (["chromium", "firefox"] as const) : (["firefox"] as const)) {
  test(`from another origin · ${browser}`, async ({ launch }) => {
    const app = new Bundled();
    const cdn = await serveFolder(join(packed().folder, "node_modules/hearth-llm"));
    try {
      const map = `<script type="importmap">{"imports":{"hearth-llm":"${cdn.url}dist/index.js"}}</script>`;
      const html = `<!doctype html><link rel="icon" href="data:,"><p id="status"></p>${map}<script type="module" src="/main.js"></script>`;
      const page = await app.start({ name: "none", packages: [], files: { "index.html": html }, command: [] });
      const chat = await launch(browser);
      await chat.tab.goto(page);
      await expect.poll(() => chat.text("#status"), WAIT).not.toBe("");
      expect(await chat.text("#status")).toMatch(/^Done 2 [1-9]/);
    } finally {
      app.close();
      cdn.server.close();
    }
  });
}
