/** The package as npm packs it, in a project of its own: installed without a network, built by Vite, run in both browsers. */
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build, preview, type PreviewServer } from "vite";
import { goldenFile, IS_FAKE, root } from "../support/env.js";
import { expect, test, type BrowserName } from "../support/test.js";

let project: string;
let server: PreviewServer | undefined;
let url: string;

test.beforeAll(async () => {
  test.skip(IS_FAKE, "needs the real package");
  project = mkdtempSync(join(tmpdir(), "hearth-package-"));
  const npm = (args: string[], cwd: string): string => execFileSync("npm", args, { cwd, encoding: "utf8" });
  const packed = JSON.parse(npm(["pack", "--json", "--pack-destination", project], join(root, "pkg"))) as [
    { filename: string; files: { path: string }[] },
  ];
  const [{ filename, files }] = packed;
  // What a bundler or a person looks for is there, and no test or source.
  const paths = files.map(({ path }) => path);
  expect(paths).toEqual(expect.arrayContaining(["README.md", "dist/index.d.ts", "dist/wasm/hearth_bg.wasm"]));
  expect(paths.filter((path) => !/^(dist\/|README\.md$|package\.json$)/.test(path))).toEqual([]);
  cpSync(join(root, "examples/vite"), project, { recursive: true });
  cpSync(join(root, "examples/node.mjs"), join(project, "node.mjs"));
  // Vite is the one of this repository; the package comes from its tarball and needs nothing else.
  const manifest = JSON.parse(readFileSync(join(project, "package.json"), "utf8")) as Record<string, unknown>;
  manifest.dependencies = { hearth: `file:${filename}` };
  delete manifest.devDependencies;
  writeFileSync(join(project, "package.json"), JSON.stringify(manifest));
  npm(["install", "--offline", "--no-audit", "--no-fund"], project);
  cpSync(goldenFile("tiny_llama.gguf"), join(project, "public/model.gguf"), { recursive: true });
  await build({ root: project, logLevel: "error" });
  server = await preview({ root: project, logLevel: "error", preview: { port: 0 } });
  url = server.resolvedUrls?.local[0] ?? "";
});

test.afterAll(async () => {
  if (IS_FAKE) return;
  await server?.close();
  rmSync(project, { recursive: true, force: true });
});

for (const browser of ["chromium", "firefox"] satisfies BrowserName[]) {
  test(`an app that installs and bundles the package answers and stops · ${browser}`, async ({ launch }) => {
    const chat = await launch(browser);
    await chat.tab.goto(url);
    await expect.poll(() => chat.text("#status"), { timeout: 60_000 }).toContain("Ready on");
    await chat.tab.click("form button");
    await expect.poll(() => chat.text("#status"), { timeout: 60_000 }).toBe("Done");
    expect(await chat.text("#answer")).not.toBe("");
    expect(chat.tab.errors).toEqual([]);
  });
}

test("the package can be imported in Node, and says there what it cannot do", () => {
  const said = execFileSync("node", ["node.mjs"], {
    cwd: project,
    encoding: "utf8",
    env: { ...process.env, FORCE_COLOR: "0" },
  });
  expect(said).toBe("function function function 0\nworker_died\n");
});
