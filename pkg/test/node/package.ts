/** The package as Node runs it: the sources compiled into a folder, beside the modules that were built. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { transformSync } from "rolldown/utils";

const root = join(import.meta.dirname, "../..");
const MODULES = { hearth: "wasm", grammar: "grammar", audio: "audio", pictures: "pictures" };

/** Whether the core was built, without which nothing runs. */
export const HAS_CORE = existsSync(join(root, "wasm/hearth_bg.wasm"));

/** Compiles the package; returns its folder, in which `dist` lies. */
export function compilePackage(): string {
  const folder = mkdtempSync(join(tmpdir(), "hearth-node-"));
  const dist = join(folder, "dist");
  cpSync(join(root, "package.json"), join(folder, "package.json"));
  for (const name of readdirSync(join(root, "src"), { recursive: true }).map(String)) {
    if (!name.endsWith(".ts") || name.endsWith(".d.ts")) continue;
    const to = join(dist, name.replace(/\.ts$/, ".js"));
    mkdirSync(dirname(to), { recursive: true });
    const text = readFileSync(join(root, "src", name), "utf8");
    const { code, errors } = transformSync(name, text, { typescript: { onlyRemoveTypeImports: true } });
    if (errors[0] !== undefined) throw new Error(`${name}: ${errors[0].message}`);
    writeFileSync(to, code);
  }
  mkdirSync(join(dist, "wasm"), { recursive: true });
  for (const [module, from] of Object.entries(MODULES)) {
    if (existsSync(join(root, from, `${module}_bg.wasm`)))
      cpSync(join(root, from), join(dist, "wasm"), { recursive: true });
    else writeFileSync(join(dist, "wasm", `${module}.js`), "export default () => { throw new Error('not built'); };\n");
  }
  return folder;
}
