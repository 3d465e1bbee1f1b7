/**
 * The package as npm packs it: its contents, its size, and its use in a separate project in both browsers and in Node.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants } from "node:zlib";
import { goldenFile, IS_FAKE, root } from "../../support/env.js";
import { FULL, oneBrowser } from "../../support/full.js";
import { packed, Project } from "../../support/packed.js";
import { SKIPS } from "../../support/skips.js";
import { expect, test } from "../../support/test.js";

// One worker packs, for all tests here.
test.describe.configure({ mode: "default" });

let project: Project | undefined;
let url: string;

test.beforeAll(async () => {
  test.skip(IS_FAKE, SKIPS.fake);
  project = new Project("vite");
  cpSync(join(root, "examples/node.mjs"), join(project.folder, "node.mjs"));
  project.add(goldenFile("tiny/tiny_llama.gguf"), "model.gguf");
  url = await project.serve();
});

test.afterAll(async () => {
  await project?.close();
});

/** A software GPU is measured and compiles all pipelines. */
const WAIT = { timeout: 300_000 };

for (const browser of oneBrowser("chromium")) {
  test(`an app that installs and bundles the package answers and stops · ${browser}`, async ({ launch }) => {
    const chat = await launch(browser);
    await chat.tab.goto(url);
    await expect.poll(() => chat.text("#status"), WAIT).toContain("Ready on");
    await chat.tab.click("form button");
    await expect.poll(() => chat.text("#status"), WAIT).toBe("Done");
    expect(await chat.text("#answer")).not.toBe("");
    expect(chat.tab.errors).toEqual([]);
  });
}

test("the package can be imported in Node, and says there what it cannot do", () => {
  const said = execFileSync("node", ["node.mjs"], {
    cwd: project?.folder,
    encoding: "utf8",
    // The developer's own models are elsewhere.
    env: { ...process.env, FORCE_COLOR: "0", XDG_CACHE_HOME: join(project?.folder ?? "", "cache") },
  });
  expect(said).toBe("function function function 0\nio_error\n");
});

test("the tarball has what a bundler or a person looks for, and no test or source", () => {
  const { paths } = packed();
  expect(paths).toEqual(expect.arrayContaining(["README.md", "dist/index.d.ts", "dist/wasm/hearth_bg.wasm"]));
  expect(paths.filter((path) => !/^(dist\/|README\.md$|package\.json$)/.test(path))).toEqual([]);
});

test("each file is the one that provenance.json names", () => {
  const { sha256, version } = JSON.parse(readFileSync(join(root, "pkg/dist/provenance.json"), "utf8")) as {
    sha256: Record<string, string>;
    version: string;
  };
  expect(version).toBe(
    (JSON.parse(readFileSync(join(root, "pkg/package.json"), "utf8")) as { version: string }).version,
  );
  const dist = project?.read.bind(project);
  const found = Object.keys(sha256).map((name) => [
    name,
    createHash("sha256")
      .update(dist?.(`node_modules/hearth-llm/dist/${name}`) ?? "")
      .digest("hex"),
  ]);
  expect(Object.fromEntries(found)).toEqual(sha256);
  expect(Object.keys(sha256)).toEqual(
    expect.arrayContaining(["wasm/hearth_bg.wasm", "wasm/grammar_bg.wasm", "index.js"]),
  );
});

// Measures the module as shipped, which only a full run builds.
if (FULL) {
  test("the package keeps to its size", () => {
    const dist = join(root, "pkg/dist");
    const size = (name: string): number =>
      brotliCompressSync(readFileSync(join(dist, name)), {
        params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_LGWIN]: 24 },
      }).length;
    const names = readdirSync(dist, { recursive: true }).map(String);
    const module = (name: string): string => join("wasm", `${name}_bg.wasm`);
    const [grammar, speech, pictures] = [module("grammar"), module("audio"), module("pictures")];
    // Fetched only where the CPU path has threads.
    const threads = join("wasm", "hearth_cpu.wasm");
    // Entries of their own are not reached by the main one; `pkg/test/payload.test.ts` has their caps.
    const isApart = (name: string): boolean =>
      name === grammar ||
      name === threads ||
      /^(audio[\\/]|audio-|translation-|wasm[\\/](audio|pictures|translation))/.test(name) ||
      /^(node|remote|documents|ai-sdk|prompt-api|shared|chat|react|element|toolbox|translations?)[\\/]/.test(name);
    const core = names.filter((name) => /\.(js|wasm)$/.test(name) && !isApart(name));
    const sum = core.map(size).reduce((a, b) => a + b, 0);
    console.log(`brotli: ${String(sum)} bytes, formats ${String(size(grammar))}`);
    expect(sum).toBeLessThanOrEqual(1_606_000);
    expect(size(threads)).toBeLessThanOrEqual(34_000);
    expect(size(grammar)).toBeLessThanOrEqual(600_000);
    expect(size(speech)).toBeLessThanOrEqual(200_000);
    expect(size(pictures)).toBeLessThanOrEqual(90_000);
  });
}
