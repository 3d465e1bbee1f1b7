/** Serves plain files from folders; a test can stop the server and change its responses. */
import { readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

const TYPES: Record<string, string> = {
  html: "text/html",
  js: "text/javascript",
  css: "text/css",
  svg: "image/svg+xml",
  wasm: "application/wasm",
  webmanifest: "application/manifest+json",
};

export interface FileServer {
  /** Address of the server; ends in a slash. */
  url: string;
  stop: () => void;
}

const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() === true;

/** Serves `mounts`, which map the beginning of a path to a folder or a file; the first match counts. */
export async function serveFiles(
  mounts: Record<string, string>,
  change: (path: string, body: Buffer) => Buffer | string = (_, body) => body,
): Promise<FileServer> {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    const path = pathname.endsWith("/") ? `${pathname}index.html` : pathname;
    const [prefix, folder] = Object.entries(mounts).find(([start]) => path.startsWith(start)) ?? ["", ""];
    const named = join(folder, path.slice(prefix.length));
    // Addresses of pages may leave out their ending.
    const file = isFile(named) ? named : `${named}.html`;
    if (folder === "" || !isFile(file)) {
      response.writeHead(404).end();
      return;
    }
    const type = TYPES[file.split(".").at(-1) ?? ""] ?? "application/octet-stream";
    response
      .writeHead(200, { "Content-Type": type, "Cache-Control": "no-cache" })
      .end(change(path, readFileSync(file)));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const port = String((server.address() as AddressInfo).port);
  const stop = (): void => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://localhost:${port}/`, stop };
}
