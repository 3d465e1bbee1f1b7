/**
 * Builds dist/: compiles the TypeScript and puts the generated core beside it.
 * `--without-core` leaves the core out, for work on the page with the fake one.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { minifyAll } from "./minify.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const dist = join(root, "dist");
/** What cargo xtask build leaves, all of which goes to dist/wasm. */
const GENERATED = {
  wasm: ["hearth.js", "hearth.d.ts", "hearth_bg.wasm", "hearth_cpu.wasm"],
  grammar: ["grammar.js", "grammar.d.ts", "grammar_bg.wasm"],
};

const typescript = dirname(createRequire(import.meta.url).resolve("typescript/package.json"));
rmSync(dist, { recursive: true, force: true });
/** Comments belong to the types and to the sources within the maps: of what is downloaded they are a seventh. */
const PASSES = [
  ["--removeComments", "--declaration", "false"],
  ["--emitDeclarationOnly", "--sourceMap", "false", "--inlineSources", "false"],
];
try {
  for (const flags of PASSES) {
    const args = [join(typescript, "bin/tsc"), "-p", join(root, "tsconfig.build.json"), ...flags];
    execFileSync(process.execPath, args, { stdio: "inherit" });
  }
} catch {
  process.exit(1);
}

if (!process.argv.includes("--without-core")) {
  mkdirSync(join(dist, "wasm"), { recursive: true });
  for (const [folder, files] of Object.entries(GENERATED)) {
    const missing = files.filter((file) => !existsSync(join(root, folder, file)));
    if (missing.length > 0) {
      console.error(
        `hearth: pkg/${folder} lacks ${missing.join(", ")}: build the Rust parts first with \`cargo xtask build\``,
      );
      process.exit(1);
    }
    // wasm-bindgen may add snippets/, which the bindings import, so the whole folder is copied.
    cpSync(join(root, folder), join(dist, "wasm"), {
      recursive: true,
      filter: (from) => !/(package\.json|\.gitignore|README\.md)$/.test(from),
    });
  }
}
minifyAll(dist);

/** What is in the package and what it was made of. */
function provenance() {
  const ask = (command, ...args) => {
    try {
      return execFileSync(command, args, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
    } catch {
      return null;
    }
  };
  const files = readdirSync(dist, { recursive: true })
    .map((name) => name.replaceAll("\\", "/"))
    .filter((name) => /\.(js|wasm)$/.test(name))
    .sort()
    .map((name) => [
      name,
      createHash("sha256")
        .update(readFileSync(join(dist, name)))
        .digest("hex"),
    ]);
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  return {
    version,
    commit: ask("git", "rev-parse", "HEAD"),
    isClean: ask("git", "status", "--porcelain") === "",
    rustc: ask("rustc", "--version"),
    node: process.version,
    recipe: "cargo xtask build",
    sha256: Object.fromEntries(files),
  };
}

writeFileSync(join(dist, "provenance.json"), `${JSON.stringify(provenance(), null, 2)}\n`);
console.log("hearth: dist/ is ready");
