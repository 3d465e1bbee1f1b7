/**
 * OpenAI's API over HTTP: `createFetch` behind `node:http`, with a key, CORS and limits. It has no routes of its own but `/` and
 * `/health`.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { HearthError, toHearthError } from "../core/errors.js";
import { createFetch, type EngineChoice, type FetchOptions } from "../openai-fetch.js";

export interface ServeOptions extends FetchOptions {
  /** Default 8080; 0 for any that is free. */
  port?: number;
  /** Address to listen on. Default: this machine alone, `127.0.0.1`. */
  host?: string;
  /** Key that requests have to carry, as `Authorization: Bearer …`. Default: none. */
  apiKey?: string | undefined;
  /** Origins of the pages that may ask, or `*`. Default: no page may. */
  cors?: readonly string[];
}

/** A server that runs. */
export interface Serving {
  /** Address of the API, which clients take as their `baseURL`. */
  readonly url: string;
  readonly port: number;
  /** Stops listening and waits for the answers that run; with `abort`, stops these. */
  close(options?: { abort?: boolean }): Promise<void>;
}

/** Bytes of a request: pictures come as base64, and recordings whole. */
const MOST_BYTES = 256 << 20;
const LOCAL = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/** Serves an engine, or any other backend, until it is closed. */
export async function serve(engine: EngineChoice, options: ServeOptions = {}): Promise<Serving> {
  const { port = 8080, host = "127.0.0.1", apiKey, cors = [], ...rest } = options;
  const answer = createFetch(engine, rest);
  const running = new Set<AbortController>();
  let isClosing = false;
  const server = createServer((request, response) => {
    const controller = new AbortController();
    running.add(controller);
    // A client that went away needs no answer.
    response.on("close", () => {
      controller.abort();
      running.delete(controller);
      // Otherwise the connection would be kept for the client's next request.
      if (isClosing) {
        setImmediate(() => {
          server.closeIdleConnections();
        });
      }
    });
    respond(request, response, controller.signal).catch((error: unknown) => {
      fail(response, error);
    });
  });

  async function respond(request: IncomingMessage, response: ServerResponse, signal: AbortSignal): Promise<void> {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    const refused = allowOrigin(request, response, cors) ?? checkHost(request, host);
    if (refused !== undefined) {
      send(response, 403, refused);
    } else if (request.method === "OPTIONS") {
      preflight(request, response);
    } else if (pathname === "/health") {
      json(response, 200, { status: "ok" });
    } else if (apiKey !== undefined && !isSame(request.headers.authorization ?? "", `Bearer ${apiKey}`)) {
      const hint = "Send the server's key: Authorization: Bearer …";
      send(response, 401, new HearthError("remote_auth", "the key is missing or wrong", { hint }));
    } else if (pathname === "/") {
      response.writeHead(200, { "Content-Type": "text/plain; charset=utf-8" });
      response.end("Hearth serves OpenAI's API at /v1.\n");
    } else {
      await pass(request, response, signal);
    }
  }

  async function pass(request: IncomingMessage, response: ServerResponse, signal: AbortSignal): Promise<void> {
    const { method = "GET" } = request;
    const headers = new Headers();
    for (const name of ["content-type", "accept"]) headers.set(name, String(request.headers[name] ?? ""));
    const body = method === "GET" || method === "HEAD" ? null : await bodyOf(request);
    const url = new URL(request.url ?? "/", "http://localhost");
    const answered = await answer(url, { method, headers, body, signal });
    response.writeHead(answered.status, Object.fromEntries(answered.headers));
    if (answered.body === null) {
      response.end();
      return;
    }
    const reader = answered.body.getReader();
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        if (!response.write(value)) await drained(response);
      }
      response.end();
    } finally {
      await reader.cancel().catch(() => undefined);
    }
  }

  await listen(server, port, host);
  const at = server.address() as AddressInfo;
  const name = at.family === "IPv6" ? `[${at.address}]` : at.address;
  return {
    url: `http://${name}:${String(at.port)}/v1`,
    port: at.port,
    close: async ({ abort = false } = {}) => {
      isClosing = true;
      const closed = new Promise<void>((resolve) => {
        server.close(() => {
          resolve();
        });
      });
      if (abort) for (const controller of running) controller.abort();
      server.closeIdleConnections();
      if (abort) server.closeAllConnections();
      await closed;
    },
  };
}

/** Fails as `serve` would if it cannot listen there: a model takes long to load. */
export async function checkPort(port: number, host: string): Promise<void> {
  const server = createServer();
  await listen(server, port, host);
  await new Promise((resolve) => server.close(resolve));
}

function listen(server: ReturnType<typeof createServer>, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const where = `${host}:${String(port)}`;
      reject(
        cause.code === "EADDRINUSE"
          ? new HearthError("busy", `something else listens on ${where}`, {
              hint: "Name another port, or end the program that has this one.",
              cause,
            })
          : new HearthError("io_error", `the server cannot listen on ${where}: ${cause.message}`, {
              hint: "Name another port or host.",
              cause,
            }),
      );
    });
    server.listen(port, host, resolve);
  });
}

/** Answers a page's origin with CORS headers. Returns an error for one that is not allowed: a page needs no answer to do harm. */
function allowOrigin(
  request: IncomingMessage,
  response: ServerResponse,
  cors: readonly string[],
): HearthError | undefined {
  const { origin } = request.headers;
  response.setHeader("Vary", "Origin");
  if (origin === undefined) return undefined;
  if (!cors.includes("*") && !cors.includes(origin)) {
    const hint = `Start the server with --cors ${origin} if that page may use it.`;
    return new HearthError("invalid_request", `pages of ${origin} may not use this server`, { hint });
  }
  response.setHeader("Access-Control-Allow-Origin", cors.includes("*") ? "*" : origin);
  response.setHeader("Access-Control-Expose-Headers", "x-should-retry");
  return undefined;
}

/** Refuses names that are not this machine's, by which a page could pretend to be of the server's origin (DNS rebinding). */
function checkHost(request: IncomingMessage, host: string): HearthError | undefined {
  const isLoopback = LOCAL.test(host) || host === "::1";
  const name = (request.headers.host ?? "").replace(/:\d+$/, "");
  if (!isLoopback || name === "" || LOCAL.test(name)) return undefined;
  const hint = "Ask for localhost, or start the server with the --host that clients use.";
  return new HearthError("invalid_request", `this server does not answer as ${name}`, { hint });
}

function preflight(request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(204, {
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": request.headers["access-control-request-headers"] ?? "*",
    "Access-Control-Allow-Private-Network": "true",
    "Access-Control-Max-Age": "600",
  });
  response.end();
}

async function bodyOf(request: IncomingMessage): Promise<Uint8Array<ArrayBuffer>> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of request as AsyncIterable<Uint8Array>) {
    length += piece.length;
    if (length > MOST_BYTES) {
      throw new HearthError("invalid_request", `the request has more than ${String(MOST_BYTES >> 20)} MiB`);
    }
    pieces.push(piece);
  }
  return new Uint8Array(Buffer.concat(pieces, length));
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const go = (): void => {
      response.off("drain", go);
      response.off("close", go);
      resolve();
    };
    response.on("drain", go);
    response.on("close", go);
  });
}

/** Compares secrets in a time that does not depend on where they differ. */
function isSame(a: string, b: string): boolean {
  const [x, y] = [a, b].map((text) => createHash("sha256").update(text).digest());
  return x !== undefined && y !== undefined && timingSafeEqual(x, y);
}

/** Ends an answer that failed: before its beginning by a status, later by an event, as streams have no other place for it. */
function fail(response: ServerResponse, error: unknown): void {
  const reason = toHearthError(error);
  if (response.destroyed || reason.code === "cancelled") {
    response.destroy();
  } else if (response.headersSent) {
    response.end(`data: ${JSON.stringify(toBody(reason))}\n\n`);
  } else {
    response.setHeader("Connection", "close");
    send(response, reason.code === "invalid_request" ? 400 : 500, reason);
  }
}

function send(response: ServerResponse, status: number, reason: HearthError): void {
  json(response, status, toBody(reason));
}

function json(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "Content-Type": "application/json", "x-should-retry": "false" });
  response.end(JSON.stringify(body));
}

function toBody({ code, message, hint }: HearthError): object {
  const type = code === "invalid_request" || code === "remote_auth" ? "invalid_request_error" : "server_error";
  return { error: { message: hint === "" ? message : `${message}. ${hint}`, type, code, param: null } };
}
