/** Tests that the packed files are short, and that bundlers find the expressions they search for. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { SourceMap, type SourceMapPayload } from "node:module";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import ts from "typescript";
import { afterAll, beforeAll, expect, it } from "vitest";
import { minifyAll } from "../scripts/minify.mjs";

const NAMES = ["engine", "worker", "core/errors"];
const folder = mkdtempSync(join(tmpdir(), "hearth-minify-"));
const sourceOf = (name: string): string => readFileSync(join(import.meta.dirname, "../src", `${name}.ts`), "utf8");
const made = (file: string): string => readFileSync(join(folder, file), "utf8");
const long: Record<string, number> = {};

beforeAll(() => {
  const compilerOptions = {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    sourceMap: true,
    inlineSources: true,
  };
  for (const name of NAMES) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    const options = { compilerOptions, fileName: `${name}.ts` };
    const { outputText, sourceMapText = "" } = ts.transpileModule(sourceOf(name), options);
    writeFileSync(join(folder, `${name}.js`), outputText);
    writeFileSync(join(folder, `${name}.js.map`), sourceMapText);
    long[name] = outputText.length;
  }
  minifyAll(folder);
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

it.each(NAMES)("%s is shorter, and its map leads to the source", (name) => {
  const code = made(`${name}.js`);
  expect(code.length).toBeLessThan(0.8 * (long[name] ?? 0));
  expect(code).toMatch(new RegExp(`\n//# sourceMappingURL=${basename(name)}\\.js\\.map\n$`));
  const map = new SourceMap(JSON.parse(made(`${name}.js.map`)) as SourceMapPayload);
  const words = {
    engine: "a file, an address or a repository",
    worker: "unhandledrejection",
    errors: "Correct the named field",
  };
  const text = words[name as keyof typeof words];
  const found = map.findEntry(0, code.indexOf(text));
  expect("originalLine" in found && sourceOf(name).split("\n")[found.originalLine]).toContain(text);
});

it("keeps the expressions by which bundlers find files, and hides the others", () => {
  const all = made("engine.js") + made("worker.js");
  const addresses = [...all.matchAll(/new URL\("([^"]+)", import\.meta\.url\)/g)].map(([, path]) => path).sort();
  const wasm = ["grammar_bg", "hearth_bg", "hearth_cpu", "pictures_bg"].map((name) => `./wasm/${name}.wasm`);
  expect(addresses).toEqual(["./cpu-worker.js", ...wasm, "./worker.js"]);
  const workers = [...all.matchAll(/new Worker\(new URL\([^)]+\),\{type:"module",name:"([\w-]+)"\}\)/g)];
  expect(workers.map(([, name]) => name)).toEqual(["hearth", "hearth-cpu"]);
});
