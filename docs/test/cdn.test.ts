/** The package from a CDN: all that an entry needs is found beside it, and the examples name what is published. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import ts from "typescript";
import { expect, it } from "vitest";
import { ROOT } from "../.vitepress/pages.js";

const pkg = join(ROOT, "pkg");
const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");
const { name, version, exports, dependencies } = JSON.parse(read("pkg/package.json")) as {
  name: string;
  version: string;
  exports: Record<string, string | { default: string }>;
  dependencies: Record<string, string>;
};

const known = new Map<string, string[]>();

/** Returns what a module imports, at once or later, and the files that it names by its own address. */
function references(file: string): string[] {
  const before = known.get(file);
  if (before !== undefined) return before;
  const found: string[] = [];
  known.set(file, found);
  const visit = (node: ts.Node): void => {
    let named: ts.Node | undefined;
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) named = node.moduleSpecifier;
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) named = node.arguments[0];
    if (ts.isNewExpression(node) && node.arguments?.[1]?.getText() === "import.meta.url") named = node.arguments[0];
    if (named !== undefined && ts.isStringLiteralLike(named)) found.push(named.text);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, readFileSync(file, "utf8"), ts.ScriptTarget.ESNext, true, ts.ScriptKind.JS));
  return found;
}

interface Reached {
  files: Set<string>;
  packages: Set<string>;
}

/** Follows what a file of `dist` refers to. */
function reach(file: string, reached: Reached = { files: new Set(), packages: new Set() }): Reached {
  if (reached.files.has(file)) return reached;
  reached.files.add(file);
  if (!existsSync(file)) throw new Error(`${relative(pkg, file)} is not there: cargo xtask build`);
  if (!file.endsWith(".js")) return reached;
  for (const path of references(file)) {
    if (/^\.|\.wasm$/.test(path)) reach(join(dirname(file), path), reached);
    else reached.packages.add(path);
  }
  return reached;
}

const reachedBy = (entry: string): { files: string[]; packages: string[] } => {
  const { files, packages } = reach(join(pkg, entry));
  return { files: [...files].map((file) => relative(pkg, file)), packages: [...packages] };
};

it("the main entry finds its workers and modules beside itself, and needs no other package", () => {
  const { files, packages } = reachedBy("dist/index.js");
  expect(packages).toEqual([]);
  for (const needed of [
    "worker.js",
    "cpu-worker.js",
    "wasm/hearth_bg.wasm",
    "wasm/hearth_cpu.wasm",
    "wasm/hearth.js",
  ]) {
    expect(files).toContain(join("dist", needed));
  }
  expect(files.filter((file) => !file.startsWith("dist/"))).toEqual([]);
});

const ENTRIES = Object.values(exports).map((to) => (typeof to === "string" ? to : to.default));

it.each(ENTRIES.filter((path) => path.endsWith(".js")))("%s refers to published files, and to peers", (path) => {
  const { files, packages } = reachedBy(path);
  expect(files.filter((file) => !file.startsWith("dist/"))).toEqual([]);
  const peers = [/^minisearch$/, /^mammoth$/, /^pdfjs-dist\//, /^react$/];
  // The entry for runtimes outside browsers has their modules, and the optional Dawn.
  if (path.startsWith("./dist/node/")) peers.push(/^node:/, /^webgpu$/);
  expect(packages.filter((used) => !peers.some((peer) => peer.test(used)))).toEqual([]);
});

it.each(["index.html", "documents.html"])("examples/cdn/%s names this version and files that it has", (example) => {
  const html = read(`examples/cdn/${example}`);
  const addresses = [...html.matchAll(/https:\/\/cdn\.jsdelivr\.net\/npm\/([\w-]+)@([\d.]+)\/([^"']+)/g)];
  expect(addresses.length).toBeGreaterThan(0);
  for (const [, from, which, path = ""] of addresses) {
    expect(which).toBe(from === name ? version : dependencies[from ?? ""]);
    expect(existsSync(join(from === name ? pkg : join(ROOT, "node_modules", from ?? ""), path)), path).toBe(true);
  }
  const mapped = addresses.map(([, from]) => from).filter((from) => from !== name);
  const entries = addresses.flatMap(([, from, , path = ""]) => (from === name ? [path] : []));
  const needed = entries.flatMap((path) => reachedBy(path).packages).filter((used) => used in dependencies);
  expect(mapped).toEqual([...new Set(needed)]);
});

it("the element's page names a file of the package", () => {
  const [, path = ""] = /hearth-llm\/(dist\/[^"]+)/.exec(read("docs/snippets/element.html")) ?? [];
  expect(ENTRIES).toContain(`./${path}`);
});
