/**
 * Builds dist/: compiles the TypeScript and puts the generated core beside it.
 * `--without-core` leaves the core out, for work on the page with the fake one.
 */
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const dist = join(root, "dist");
const core = join(root, "wasm");
const CORE_FILES = ["hearth.js", "hearth.d.ts", "hearth_bg.wasm", "hearth_cpu.wasm"];

const typescript = dirname(createRequire(import.meta.url).resolve("typescript/package.json"));
rmSync(dist, { recursive: true, force: true });
try {
  execFileSync(process.execPath, [join(typescript, "bin/tsc"), "-p", join(root, "tsconfig.build.json")], {
    stdio: "inherit",
  });
} catch {
  process.exit(1);
}

if (!process.argv.includes("--without-core")) {
  const missing = CORE_FILES.filter((file) => !existsSync(join(core, file)));
  if (missing.length > 0) {
    console.error(`hearth: pkg/wasm lacks ${missing.join(", ")}: build the Rust core first with \`cargo xtask build\``);
    process.exit(1);
  }
  // wasm-bindgen may add snippets/, which hearth.js imports, so the whole folder is copied.
  mkdirSync(join(dist, "wasm"), { recursive: true });
  cpSync(core, join(dist, "wasm"), {
    recursive: true,
    filter: (from) => !/(package\.json|\.gitignore|README\.md)$/.test(from),
  });
}
console.log("hearth: dist/ is ready");
