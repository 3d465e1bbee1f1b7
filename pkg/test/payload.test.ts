/** Bytes that each entry of the package adds to what the main entry takes, compressed file by file as hosts do. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { brotliCompressSync, constants } from "node:zlib";
import { rolldown } from "rolldown";
import ts from "typescript";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { minifyAll } from "../scripts/minify.mjs";

const source = join(import.meta.dirname, "../src");
const folder = mkdtempSync(join(tmpdir(), "hearth-payload-"));

/**
 * Entries beside the main one, with their caps in bytes of brotli, just above what was measured. A bundle is about a third smaller.
 */
const CAPS: Record<string, number> = {
  "remote/index": 12_150,
  "documents/index": 24_100,
  "documents/worker/index": 1_900,
  "openai-fetch": 5_600,
  "ai-sdk/index": 4_400,
  "prompt-api/index": 5_000,
  "shared/index": 6_000,
  "react/index": 3_000,
  "element/index": 6_000,
  "toolbox/index": 4_200,
  "audio/index": 12_500,
  "translation/index": 4_600,
};

/** Returns the modules that an entry imports before it runs; types and `import()` are not among them. */
function reached(entry: string, found = new Map<string, string>()): Map<string, string> {
  if (found.has(entry)) return found;
  const compilerOptions = {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    removeComments: true,
    verbatimModuleSyntax: true,
  };
  const text = readFileSync(join(source, `${entry}.ts`), "utf8");
  const { outputText } = ts.transpileModule(text, { compilerOptions, fileName: `${entry}.ts` });
  found.set(entry, outputText);
  for (const [, path = ""] of outputText.matchAll(/^(?:import|export) (?:[^"]*? from )?"(\.[^"]+)\.js";$/gm)) {
    reached(join(dirname(entry), path), found);
  }
  return found;
}

const main = reached("index");

beforeAll(() => {
  const all = [...main, ...Object.keys(CAPS).flatMap((entry) => [...reached(entry)])];
  for (const [name, text] of new Map(all)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, `${name}.js`), text);
    // The minifier makes a new map of the compiler's.
    writeFileSync(join(folder, `${name}.js.map`), '{"version":3,"sources":[],"names":[],"mappings":""}');
  }
  minifyAll(folder);
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

function size(name: string): number {
  return compressed(readFileSync(join(folder, `${name}.js`)));
}

function compressed(code: string | Uint8Array): number {
  return brotliCompressSync(code, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }).length;
}

describe.each(Object.entries(CAPS))("%s", (entry, cap) => {
  it("is not reached by the main entry", () => {
    expect([...main.keys()].filter((name) => name.startsWith(dirname(entry)))).toEqual([]);
  });

  it("is small", () => {
    const own = [...reached(entry).keys()].filter((name) => !main.has(name));
    const [added, alone] = [own, [...reached(entry).keys()]].map((names) =>
      names.map(size).reduce((sum, bytes) => sum + bytes, 0),
    );
    console.log(`brotli: ${entry} adds ${String(added)} bytes, alone ${String(alone)}`);
    expect(own.length).toBeGreaterThan(0);
    expect(added).toBeLessThanOrEqual(cap);
    // The engine is loaded by a router that needs one, and by nothing else.
    expect([...reached(entry).keys()]).not.toContain("engine");
  });
});

/** Returns the code that an entry runs before any `import()`, bundled, and what it needs of other chunks. */
async function bundled(...entries: string[]): Promise<string> {
  const file = join(folder, "bundled.ts");
  writeFileSync(
    file,
    entries.map((entry) => `export * from ${JSON.stringify(join(source, `${entry}.ts`))};`).join("\n"),
  );
  const bundle = await rolldown({
    input: file,
    external: [/^pdfjs-dist/, "mammoth"],
    logLevel: "silent",
  });
  const { output } = await bundle.generate({ minify: true });
  await bundle.close();
  const chunks = new Map(output.flatMap((one) => (one.type === "chunk" ? [[one.fileName, one]] : [])));
  const needed = new Set([output[0].fileName]);
  for (const name of needed) for (const other of chunks.get(name)?.imports ?? []) needed.add(other);
  return [...needed].map((name) => chunks.get(name)?.code ?? "").join("\n");
}

it("a bundle with the engine and models on servers is little more than one with the engine", async () => {
  const [both, engine] = [await bundled("index", "remote/index"), await bundled("index")];
  const bytes = compressed(both) - compressed(engine);
  console.log(`brotli: remote adds ${String(bytes)} bytes to a bundle`);
  // Places that answer otherwise, pictures, and reasons why a server is not reached come when they are needed.
  const later = ["promptStreaming", "prefer is remote", "--enable-cors"];
  expect(later.filter((words) => both.includes(words))).toEqual([]);
  // Found, if it were there.
  expect(both.includes("OLLAMA_ORIGINS")).toBe(true);
  expect(bytes).toBeGreaterThan(3_000);
  expect(bytes).toBeLessThan(8_000);
});

it("a bundle of the documents with the library that finds words is small", async () => {
  const code = await bundled("documents/index");
  const bytes = compressed(code);
  console.log(`brotli: documents in one file ${String(bytes)} bytes`);
  // Readers of PDF and DOCX come with the first such file.
  expect(code.includes("pdfjs-dist")).toBe(false);
  expect(bytes).toBeGreaterThan(10_000);
  expect(bytes).toBeLessThan(22_700);
});

/**
 * Modules that are fetched on demand, with caps of their raw bytes as `cargo xtask build --no-opt` makes them: a release's are smaller, so
 * that either build may be at hand. Compressing them takes longer than all other tests of this file.
 */
const MODULES: Record<string, number> = {
  audio: 1_215_000,
  grammar: 2_120_000,
  pictures: 195_000,
  translation: 2_805_000,
};

describe.each(Object.entries(MODULES))("the module %s", (name, cap) => {
  const file = join(source, `../${name}/${name}_bg.wasm`);
  it.skipIf(!existsSync(file))("is small", () => {
    const { size: bytes } = statSync(file);
    console.log(`raw: ${name}_bg.wasm ${String(bytes)} bytes`);
    expect(bytes).toBeGreaterThan(100_000);
    expect(bytes).toBeLessThanOrEqual(cap);
  });
});
