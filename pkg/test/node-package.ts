/** The package as Node runs it: the sources compiled into a folder, beside the modules that were built. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import ts from "typescript";

const root = join(import.meta.dirname, "..");
const MODULES = { hearth: "wasm", grammar: "grammar", audio: "audio", pictures: "pictures" };

/** Whether the core was built, without which nothing runs. */
export const HAS_CORE = existsSync(join(root, "wasm/hearth_bg.wasm"));

/** Compiles the package; returns its folder, in which `dist` lies. */
export function compilePackage(): string {
  const folder = mkdtempSync(join(tmpdir(), "hearth-node-"));
  const dist = join(folder, "dist");
  cpSync(join(root, "package.json"), join(folder, "package.json"));
  const compilerOptions = {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    verbatimModuleSyntax: true,
  };
  for (const name of readdirSync(join(root, "src"), { recursive: true }).map(String)) {
    if (!name.endsWith(".ts") || name.endsWith(".d.ts")) continue;
    const to = join(dist, name.replace(/\.ts$/, ".js"));
    mkdirSync(dirname(to), { recursive: true });
    const text = readFileSync(join(root, "src", name), "utf8");
    writeFileSync(to, ts.transpileModule(text, { compilerOptions, fileName: name }).outputText);
  }
  mkdirSync(join(dist, "wasm"), { recursive: true });
  for (const [module, from] of Object.entries(MODULES)) {
    if (existsSync(join(root, from, `${module}_bg.wasm`)))
      cpSync(join(root, from), join(dist, "wasm"), { recursive: true });
    else writeFileSync(join(dist, "wasm", `${module}.js`), "export default () => { throw new Error('not built'); };\n");
  }
  return folder;
}
