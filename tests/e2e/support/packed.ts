/** The package as npm packs it, in separate projects: examples that are installed without a network and built. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { build, preview, type PreviewServer } from "vite";
import { root } from "./env.js";

const pkg = join(root, "pkg");
const npm = (args: string[], cwd: string): string => execFileSync("npm", args, { cwd, encoding: "utf8" });

interface Packed {
  /** Folder of the installation, which contains `node_modules`. */
  folder: string;
  /** Paths in the tarball. */
  paths: string[];
}

/** Returns a hash of all packed files. */
function hash(): string {
  const sum = createHash("sha256");
  const names = readdirSync(join(pkg, "dist"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  for (const name of [join(pkg, "package.json"), join(pkg, "README.md"), ...names]) {
    sum.update(`${name}\0`).update(readFileSync(name));
  }
  return sum.digest("hex").slice(0, 16);
}

/** Packs a folder into an archive in another one, and returns the archive's name and the paths in it. */
function pack(from: string, to: string, ...more: string[]): { filename: string; files: { path: string }[] } {
  const packed = JSON.parse(npm(["pack", "--json", ...more, "--pack-destination", to], from)) as [
    ReturnType<typeof pack>,
  ];
  return packed[0];
}

/**
 * Packs what the package depends on, from this repository's own installation: npm's cache has the files of `npm ci`, but
 * not what the registry says of them, so that an installation without a network would not find them.
 */
function packedDependencies(folder: string): Record<string, string> {
  const { dependencies } = JSON.parse(readFileSync(join(pkg, "package.json"), "utf8")) as {
    dependencies: Record<string, string>;
  };
  const packing = Object.keys(dependencies).map((name) => {
    const installed = join(root, "node_modules", name);
    return [name, `file:${pack(installed, folder, "--ignore-scripts").filename}`];
  });
  return Object.fromEntries(packing) as Record<string, string>;
}

/** Packs the package and installs it from its tarball, once for each build of it. */
export function packed(): Packed {
  // Not inside node_modules: from there npm would climb to the project that owns it.
  const cache = join(root, ".cache/hearth-packed");
  const folder = join(cache, hash());
  const list = join(folder, "paths.json");
  if (!existsSync(folder)) {
    mkdirSync(cache, { recursive: true });
    // Removes earlier builds, but not what another worker is making.
    for (const name of readdirSync(cache)) {
      if (!name.startsWith("new-")) rmSync(join(cache, name), { recursive: true, force: true });
    }
    const made = mkdtempSync(join(cache, "new-"));
    const { filename, files } = pack(pkg, made);
    const dependencies = { "hearth-llm": `file:${filename}`, ...packedDependencies(made) };
    writeFileSync(join(made, "package.json"), JSON.stringify({ name: "installed", private: true, dependencies }));
    npm(["install", "--offline", "--no-audit", "--no-fund"], made);
    writeFileSync(join(made, "paths.json"), JSON.stringify(files.map(({ path }) => path)));
    try {
      renameSync(made, folder);
    } catch (cause) {
      // Another worker has made it in the meantime.
      rmSync(made, { recursive: true, force: true });
      if (!existsSync(list)) throw cause;
    }
  }
  return { folder, paths: JSON.parse(readFileSync(list, "utf8")) as string[] };
}

export class Project {
  readonly folder: string;
  #server: PreviewServer | undefined;

  /**
   * Copies an example and the installed package. Vite comes from this repository. Its other packages, such as React,
   * are found only if the copy lies below the repository.
   */
  constructor(example: string, where: "alone" | "below" = "alone") {
    // Not inside node_modules, whose files Next uses unprocessed.
    const below = join(root, ".cache/hearth-examples");
    mkdirSync(below, { recursive: true });
    this.folder = mkdtempSync(join(where === "alone" ? tmpdir() : below, "hearth-"));
    cpSync(join(root, "examples", example), this.folder, { recursive: true });
    cpSync(join(packed().folder, "node_modules"), join(this.folder, "node_modules"), { recursive: true });
    const manifest = { name: "example", private: true, type: "module", dependencies: { "hearth-llm": "*" } };
    writeFileSync(join(this.folder, "package.json"), JSON.stringify(manifest));
  }

  /** Puts a file where the page finds it. */
  add(from: string, name: string): void {
    mkdirSync(dirname(join(this.folder, "public", name)), { recursive: true });
    cpSync(from, join(this.folder, "public", name));
  }

  /** Builds the project and serves the result; returns the address. */
  async serve(): Promise<string> {
    await build({ root: this.folder, logLevel: "error" });
    this.#server = await preview({ root: this.folder, logLevel: "error", preview: { port: 0 } });
    return this.#server.resolvedUrls?.local[0] ?? "";
  }

  read(path: string): Buffer {
    return readFileSync(join(this.folder, path));
  }

  async close(): Promise<void> {
    await this.#server?.close();
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  }
}
