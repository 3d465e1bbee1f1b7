/** A file server controlled by the test: it counts what it sends, and can slow down, change the file or vanish. */
import { createReadStream, statSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Transform } from "node:stream";
import { CORS, partOf } from "./ranges.js";

export class CountingServer {
  /** Bytes of bodies that the network has accepted. */
  sent = 0;
  requests = 0;
  /** Bodies that have begun and not ended. */
  underWay = 0;
  etag = '"v1"';
  /** Bytes per second of each response; unlimited if undefined. */
  speed: number | undefined;
  readonly size: number;
  readonly #file: string;
  readonly #server: Server;

  constructor(file: string) {
    this.#file = file;
    this.size = statSync(file).size;
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
    if (request.method === "OPTIONS") {
      response.writeHead(204, CORS).end();
      return;
    }
    const { start, end, status, headers } = partOf(request, this.size);
    response.writeHead(status, { ...headers, ETag: this.etag });
    if (request.method === "HEAD") {
      response.end();
      return;
    }
    this.requests += 1;
    this.underWay += 1;
    const { speed } = this;
    const count = new Transform({
      transform: (chunk: Buffer, _encoding, done) => {
        this.sent += chunk.length;
        if (speed === undefined) done(null, chunk);
        else setTimeout(done, (chunk.length / speed) * 1000, null, chunk);
      },
    });
    // Bytes read ahead for a connection that broke were not sent.
    response.on("close", () => {
      this.sent -= response.writableLength;
      this.underWay -= 1;
    });
    createReadStream(this.#file, { start, end: end - 1 })
      .pipe(count)
      .pipe(response);
  }
}
