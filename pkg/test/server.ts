/** A file server with the faults of the real world, for the download tests. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";

export interface Faults {
  /** Status of the first `times` requests. */
  status?: number;
  times?: number;
  /** Ends the connection after this many bytes of each response. */
  cutAfter?: number;
  /** Goes silent after this many bytes, in the first `times` responses. */
  stallAfter?: number;
  noRange?: boolean;
  /** Sends a different ETag with every response. */
  changing?: boolean;
  /** Number added to the announced length. */
  lengthError?: number;
  /** Sends no Content-Length at all. */
  chunked?: boolean;
  /** Sends pieces of the compressed file, like a browser's cache that holds it; the whole file is sent uncompressed. */
  compressed?: boolean;
}

export class FaultyServer {
  readonly requests: IncomingMessage[] = [];
  faults: Faults = {};
  etag = '"v1"';
  readonly #server: Server;

  constructor(public body: Uint8Array) {
    this.#server = createServer((request, response) => {
      this.#answer(request, response);
    });
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${String((this.#server.address() as AddressInfo).port)}/model.gguf`;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    this.requests.push(request);
    const { faults } = this;
    const count = this.requests.length;
    const isFaulty = count <= (faults.times ?? Number.POSITIVE_INFINITY);
    if (faults.status !== undefined && isFaulty) {
      response.writeHead(faults.status).end("no");
      return;
    }
    const range = faults.noRange ? null : /bytes=(\d+)-(\d*)/.exec(request.headers.range ?? "");
    const start = Number(range?.[1] ?? 0);
    const total = this.body.length + (faults.lengthError ?? 0);
    const end = range?.[2] ? Math.min(Number(range[2]) + 1, total) : total;
    const headers: Record<string, string | number> = { ETag: faults.changing ? `"v${String(count)}"` : this.etag };
    if (!faults.chunked) headers["Content-Length"] = end - start;
    if (start >= this.body.length) {
      response.writeHead(416, { "Content-Range": `bytes */${String(this.body.length)}` }).end();
      return;
    }
    const isPart = range !== null;
    if (isPart) headers["Content-Range"] = `bytes ${String(start)}-${String(end - 1)}/${String(total)}`;
    if (isPart && faults.compressed) {
      const all = gzipSync(this.body);
      headers["Content-Range"] = `bytes 0-${String(all.length - 1)}/${String(all.length)}`;
      headers["Content-Length"] = all.length;
      response.writeHead(206, { ...headers, "Content-Encoding": "gzip" }).end(all);
      return;
    }
    response.writeHead(isPart ? 206 : 200, headers);
    const rest = request.method === "HEAD" ? new Uint8Array() : this.body.subarray(start, end);
    const stop = isFaulty ? (faults.cutAfter ?? faults.stallAfter) : undefined;
    response.write(rest.subarray(0, stop), () => {
      if (stop === undefined || stop >= rest.length) {
        if ((faults.lengthError ?? 0) > 0) response.destroy();
        else response.end();
      } else if (faults.cutAfter !== undefined) response.destroy();
    });
  }
}
