/** The package as npm packs it, in projects of their own: examples that are installed without a network and built. */
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { build, preview, type PreviewServer } from "vite";
import { root } from "./env.js";

const npm = (args: string[], cwd: string): string => execFileSync("npm", args, { cwd, encoding: "utf8" });

/** Puts the tarball into `folder`; gives its path and what is in it. */
export function pack(folder: string): { tarball: string; paths: string[] } {
  const packed = JSON.parse(npm(["pack", "--json", "--pack-destination", folder], join(root, "pkg"))) as [
    { filename: string; files: { path: string }[] },
  ];
  const [{ filename, files }] = packed;
  return { tarball: join(folder, filename), paths: files.map(({ path }) => path) };
}

export class Project {
  readonly folder: string;
  #server: PreviewServer | undefined;

  /**
   * A copy of an example with the package installed from its tarball. Vite is the one of this repository. Only below the
   * repository are its other packages found, React among them.
   */
  constructor(example: string, where: "alone" | "below" = "alone") {
    // Not among node_modules, whose files Next takes as they are.
    const below = join(root, ".cache/hearth-examples");
    mkdirSync(below, { recursive: true });
    this.folder = mkdtempSync(join(where === "alone" ? tmpdir() : below, "hearth-"));
    cpSync(join(root, "examples", example), this.folder, { recursive: true });
    const file = join(this.folder, "package.json");
    const { tarball } = pack(this.folder);
    const manifest = { name: "example", private: true, type: "module", dependencies: { hearth: `file:${tarball}` } };
    writeFileSync(file, JSON.stringify(manifest));
    npm(["install", "--offline", "--no-audit", "--no-fund"], this.folder);
    // Next takes the nearest one for the edge of what it looks at.
    if (where === "below") rmSync(join(this.folder, "package-lock.json"));
  }

  /** Puts a file where the page finds it. */
  add(from: string, name: string): void {
    mkdirSync(dirname(join(this.folder, "public", name)), { recursive: true });
    cpSync(from, join(this.folder, "public", name));
  }

  /** Builds it and serves what came of it; gives the address. */
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
    rmSync(this.folder, { recursive: true, force: true });
  }
}
