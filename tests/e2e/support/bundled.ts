/** A one-file app using the package as packed, bundled by a tool that is installed for it. Needs the npm registry. */
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { cpSync, createReadStream, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { goldenFile } from "./env.js";
import { packed } from "./packed.js";

const APP = `import { Engine } from "hearth-llm";
const status = document.querySelector("#status");
try {
  const options = { model: new URL("/tiny.gguf", location.href), device: "cpu", threads: 2, ...globalThis.OPTIONS };
  const engine = await Engine.create({ ...options, onNotice: (notice) => console.log(notice.message) });
  const { choices } = await engine.chat.completions.create({
    messages: [{ role: "user", content: "Hi" }], max_tokens: 4, temperature: 0, response_format: { type: "json_object" },
  });
  status.textContent = "Done " + engine.device.threads + " " + choices[0].message.content.length;
} catch (error) {
  status.textContent = error.code + ": " + error.message + " " + error.hint;
}
`;

const page = (
  script: string,
  options = {},
): string => `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">
<p id="status"></p><script>globalThis.OPTIONS = ${JSON.stringify(options)}</script>
<script type="module" src="${script}"></script>
`;

export interface Tool {
  name: string;
  /** Packages to install, with exact versions. */
  packages: string[];
  /** Files in addition to the app and its page. */
  files?: Record<string, string>;
  /** Command of the tool's program that builds into `dist`, or serves. */
  command: string[];
  /** Whether the tool itself is the server. */
  isServer?: boolean;
  /** Script that the page loads, if not the app itself. */
  script?: string;
  /** Options that the page passes to the engine. */
  options?: object;
  /** Whether the package's files are copied into `dist/hearth`. */
  copies?: boolean;
}

/** Headers that allow a page to use threads. */
const ISOLATED = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "cross-origin",
  "Access-Control-Allow-Origin": "*",
};
const TYPES: Record<string, string> = { ".html": "text/html", ".js": "text/javascript", ".wasm": "application/wasm" };

/** Serves a folder. */
export async function serveFolder(folder: string): Promise<{ url: string; server: Server }> {
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? "/", "http://localhost").pathname);
    const file = join(folder, path.endsWith("/") ? `${path}index.html` : path);
    const isThere = existsSync(file) && statSync(file).isFile();
    const type = TYPES[extname(file)] ?? "application/octet-stream";
    response.writeHead(isThere ? 200 : 404, {
      ...ISOLATED,
      "Content-Type": type,
      "Content-Length": isThere ? statSync(file).size : 0,
    });
    if (isThere) createReadStream(file).pipe(response);
    else response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, "localhost", resolve));
  return { url: `http://localhost:${String((server.address() as AddressInfo).port)}/`, server };
}

export class Bundled {
  readonly folder = mkdtempSync(join(tmpdir(), "hearth-bundled-"));
  #server: Server | undefined;
  #process: ChildProcess | undefined;

  /** Writes the app, installs the tool, builds and serves; returns the address. */
  async start(tool: Tool): Promise<string> {
    const { folder } = this;
    const hearth = join(packed().folder, "node_modules/hearth-llm");
    const write = (name: string, text: string): void => {
      writeFileSync(join(folder, name), text);
    };
    const manifest = {
      name: "app",
      private: true,
      type: "module",
      "@parcel/resolver-default": { packageExports: true },
    };
    write("package.json", JSON.stringify(manifest));
    write("main.js", APP);
    write("index.html", page(tool.isServer === true ? "/main.js" : (tool.script ?? "/main.js"), tool.options));
    for (const [name, text] of Object.entries(tool.files ?? {})) write(name, text);
    if (tool.packages.length > 0) {
      execFileSync("npm", ["install", "--no-audit", "--no-fund", "--save-exact", ...tool.packages], {
        cwd: folder,
        stdio: "pipe",
      });
    }
    mkdirSync(join(folder, "node_modules"), { recursive: true });
    cpSync(hearth, join(folder, "node_modules/hearth-llm"), { recursive: true });
    mkdirSync(join(folder, "public"), { recursive: true });
    cpSync(goldenFile("tiny/tiny_llama.gguf"), join(folder, "public/tiny.gguf"));
    const [program = "", ...args] = tool.command;
    const path = join(folder, "node_modules/.bin", program);
    if (tool.isServer === true) return this.#serveBy(path, args);
    if (program !== "") execFileSync(path, args, { cwd: folder, stdio: "pipe" });
    const dist = join(folder, "dist");
    mkdirSync(dist, { recursive: true });
    cpSync(goldenFile("tiny/tiny_llama.gguf"), join(dist, "tiny.gguf"));
    if (!existsSync(join(dist, "index.html"))) cpSync(join(folder, "index.html"), join(dist, "index.html"));
    // Without a bundler the app is served as it is.
    if (program === "") cpSync(join(folder, "main.js"), join(dist, "main.js"));
    if (tool.copies === true) cpSync(join(hearth, "dist"), join(dist, "hearth"), { recursive: true });
    const { url, server } = await serveFolder(dist);
    this.#server = server;
    return url;
  }

  async #serveBy(path: string, args: string[]): Promise<string> {
    const env = { ...process.env, NO_COLOR: "1", FORCE_COLOR: "0" };
    const started = (this.#process = spawn(path, args, { cwd: this.folder, env, detached: true }));
    return new Promise((resolve, reject) => {
      let said = "";
      started.stdout.on("data", (data: Buffer) => {
        said += String(data);
        const found = /http:\/\/localhost:\d+\//.exec(said)?.[0];
        if (found !== undefined) resolve(found);
      });
      started.on("exit", () => {
        reject(new Error(`the tool ended: ${said}`));
      });
    });
  }

  close(): void {
    this.#server?.close();
    if (this.#process?.pid !== undefined) process.kill(-this.#process.pid);
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  }
}
