/** Entries of the package: what package.json exports has a source, a page of the reference and a place in the README. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";

const root = join(import.meta.dirname, "..");
const read = (name: string): string => readFileSync(join(root, name), "utf8");
const { exports, bin } = JSON.parse(read("package.json")) as {
  exports: Record<string, string | { types: string; node?: string; default: string }>;
  bin: Record<string, string>;
};
const typed = Object.entries(exports).flatMap(([name, to]) => (typeof to === "string" ? [] : [{ name, ...to }]));

function sourceOf(code: string): string {
  return code.replace("./dist/", "src/").replace(/\.js$/, ".ts");
}

it.each(typed)("$name has a source, types first and the reference", ({ types, node, default: code, ...entry }) => {
  const conditions = node === undefined ? ["types", "default"] : ["types", "node", "default"];
  expect(Object.keys(exports[entry.name] as object)).toEqual(conditions);
  expect(types).toBe(code.replace(/\.js$/, ".d.ts"));
  const source = sourceOf(code);
  expect(existsSync(join(root, source))).toBe(true);
  // The entry of Node is that of browsers, with the parts that it lacks.
  if (node !== undefined) {
    const path = source.replace("src/", "../").replace(/\.ts$/, ".js");
    expect(read(sourceOf(node))).toContain(`import "./platform.js";\n\nexport * from "${path}";`);
  }
  const { entryPoints } = JSON.parse(read("typedoc.json")) as { entryPoints: string[] };
  expect(entryPoints).toContain(source);
  const shown = `hearth-llm${entry.name.slice(1)}`;
  expect(read("README.md")).toContain(`| \`${shown}\` |`);
});

it("needs no package at run time but the one that finds words", () => {
  const { dependencies } = JSON.parse(read("package.json")) as { dependencies: object };
  expect(Object.keys(dependencies)).toEqual(["minisearch"]);
});

it("has a command, and nothing of Node outside of its folder, which browsers never load", () => {
  expect(Object.keys(bin)).toEqual(["hearth-llm"]);
  expect(read(sourceOf(bin["hearth-llm"] ?? ""))).toMatch(/^#!\/usr\/bin\/env node\n/);
  const sources = readdirSync(join(root, "src"), { recursive: true }).map((name) => String(name).replaceAll("\\", "/"));
  const outside = sources.filter((name) => name.endsWith(".ts") && !name.startsWith("node/"));
  expect(outside.length).toBeGreaterThan(100);
  const importing = outside.filter((name) => /from "(node:|[^"]*\/node\/)|import\("node:/.test(read(`src/${name}`)));
  expect(importing).toEqual([]);
});

it.each(["tests/e2e", "www"])(
  "has a path to its source for each entry that %s imports, so no check needs a build",
  (folder) => {
    const top = join(root, "..", folder);
    const sources = readdirSync(top, { recursive: true })
      .map((name) => String(name).replaceAll("\\", "/"))
      .filter((name) => /\.tsx?$/.test(name) && !/(^|\/)(node_modules|dist)\//.test(name));
    const imported = sources.flatMap((name) => [
      ...readFileSync(join(top, name), "utf8").matchAll(/(?:from |import\()"(hearth-llm(?:\/[a-z/-]+)?)"/g),
    ]);
    const config = readFileSync(join(top, "tsconfig.json"), "utf8");
    const paths = new Set([...config.matchAll(/"(hearth-llm[a-z/-]*)": \["/g)].map(([, name]) => name));
    expect(paths.size).toBeGreaterThan(3);
    expect([...new Set(imported.map(([, name]) => name))].filter((name) => !paths.has(name))).toEqual([]);
  },
);
