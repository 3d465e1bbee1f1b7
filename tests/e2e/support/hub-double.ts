/** A hub with one repository, as the Hub's API and addresses are: a listing by commit, files that redirect to another origin. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { CORS, partOf } from "./ranges.js";

const COMMIT = "0123456789abcdef0123456789abcdef01234567";

export class HubDouble {
  /** Paths that were asked for, in their order, without repetitions. */
  readonly asked = new Set<string>();
  readonly #repository: string;
  readonly #files: ReadonlyMap<string, Buffer>;
  readonly #server: Server;

  /** `files`: names in the repository, and the files on this machine that they have the bytes of. */
  constructor(repository: string, files: Record<string, string>) {
    this.#repository = repository;
    this.#files = new Map(Object.entries(files).map(([name, path]) => [name, readFileSync(path)]));
    this.#server = createServer((request, response) => {
      this.#answer(request, response);
    });
  }

  /** Gives the address that takes the place of https://huggingface.co. */
  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${String((this.#server.address() as AddressInfo).port)}`;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    if (request.method === "OPTIONS") {
      response.writeHead(204, CORS).end();
      return;
    }
    const { pathname } = new URL(request.url ?? "/", "http://hub");
    this.asked.add(pathname);
    if (pathname === `/api/models/${this.#repository}/revision/main`) {
      const siblings = [...this.#files].map(([rfilename, bytes]) => {
        const sha256 = createHash("sha256").update(bytes).digest("hex");
        return { rfilename, size: bytes.length, lfs: { sha256, size: bytes.length } };
      });
      response.writeHead(200, { ...CORS, "Content-Type": "application/json" });
      response.end(JSON.stringify({ sha: COMMIT, tags: ["gguf"], siblings }));
      return;
    }
    const name = pathname.replace(`/${this.#repository}/resolve/${COMMIT}/`, "");
    const bytes = this.#files.get(name.replace("/cdn/", ""));
    if (bytes === undefined) {
      response.writeHead(404, CORS).end();
      return;
    }
    if (!name.startsWith("/cdn/")) {
      response.writeHead(302, { ...CORS, Location: `/cdn/${name}` }).end();
      return;
    }
    const { start, end, status, headers } = partOf(request, bytes.length);
    response.writeHead(status, { ...headers, ETag: '"v1"' });
    response.end(request.method === "HEAD" ? undefined : bytes.subarray(start, end));
  }
}
