/** Entries of the package: what package.json exports has a source, a page of the reference and a place in the README. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";

const root = join(import.meta.dirname, "..");
const read = (name: string): string => readFileSync(join(root, name), "utf8");
const { exports } = JSON.parse(read("package.json")) as {
  exports: Record<string, string | { types: string; default: string }>;
};
const typed = Object.entries(exports).flatMap(([name, to]) => (typeof to === "string" ? [] : [{ name, ...to }]));

it.each(typed)("$name has a source, types first and the reference", ({ types, default: code, ...entry }) => {
  expect(Object.keys(exports[entry.name] as object)).toEqual(["types", "default"]);
  expect(types).toBe(code.replace(/\.js$/, ".d.ts"));
  const source = code.replace("./dist/", "src/").replace(/\.js$/, ".ts");
  expect(existsSync(join(root, source))).toBe(true);
  const { entryPoints } = JSON.parse(read("typedoc.json")) as { entryPoints: string[] };
  expect(entryPoints).toContain(source);
  const shown = `hearth-llm${entry.name.slice(1)}`;
  expect(read("README.md")).toContain(`| \`${shown}\` |`);
});

it("needs no package at run time but the one that finds words", () => {
  const { dependencies } = JSON.parse(read("package.json")) as { dependencies: object };
  expect(Object.keys(dependencies)).toEqual(["minisearch"]);
});
