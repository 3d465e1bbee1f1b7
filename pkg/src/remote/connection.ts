/**
 * The only place from which requests leave for a server. Each goes to the origin that the caller named, with the key in
 * a header, without cookies or referrer, and follows no redirect: another server must not get key or conversation.
 */
import { followSignals } from "../api/signals.js";
import { cancelled, HearthError, invalid } from "../core/errors.js";
import { retryAfter, sleep } from "../source/retry.js";
import { isLoopback, isNear } from "./addresses.js";
import { errorIn, parsed, refusal } from "./failures.js";
import type { ServerKind } from "./servers.js";

export interface Timeouts {
  /** Milliseconds until the list of models must have come. Default 10,000. */
  connectMs?: number;
  /** Milliseconds until an answer must have begun; a prompt may take minutes. Default 300,000. */
  firstMs?: number;
  /** Milliseconds without a byte after which an answer counts as interrupted. Default 60,000. */
  silenceMs?: number;
}

export interface ConnectionOptions {
  baseURL: string | URL;
  apiKey?: string | undefined;
  headers?: Record<string, string> | undefined;
  fetch?: typeof fetch | undefined;
  timeouts?: Timeouts | undefined;
}

/** Number of attempts at a busy server after the first, and the longest wait that it may ask for. */
const MOST_RETRIES = 3;
const LONGEST_WAIT_MS = 30_000;

/** A body that is being received, and the signal that ends it. */
export interface Received {
  response: Response;
  signal: AbortSignal;
  /** Restarts the clock that ends a silent answer. */
  touch: () => void;
  /** Ends the request, if it still runs, and frees what waits for it. */
  close: () => void;
}

export class Connection {
  readonly host: string;
  readonly firstMs: number;
  readonly connectMs: number;
  kind: ServerKind | undefined;
  readonly #base: URL;
  readonly #headers: Headers;
  readonly #fetch: typeof fetch;
  readonly #silenceMs: number;
  readonly #ended = new AbortController();

  constructor({ baseURL, apiKey, headers = {}, fetch: own, timeouts = {} }: ConnectionOptions) {
    this.#base = baseOf(baseURL);
    this.host = this.#base.host;
    this.#headers = headersOf(headers, apiKey);
    // A method of the global object, which some browsers refuse to call on another one.
    this.#fetch = own ?? ((input, init) => globalThis.fetch(input, init));
    this.connectMs = timeouts.connectMs ?? 10_000;
    this.firstMs = timeouts.firstMs ?? 300_000;
    this.#silenceMs = timeouts.silenceMs ?? 60_000;
  }

  /** Ends all requests; they and later ones reject with `reason`. */
  end(reason: HearthError): void {
    this.#ended.abort(reason);
  }

  /** Sends a request and returns its answer as JSON. */
  async json(route: string, body: object | undefined, signal: AbortSignal, firstMs = this.firstMs): Promise<unknown> {
    const received = await this.send(route, body, signal, firstMs);
    try {
      const text = await received.response.text();
      const found = parsed(text);
      if (typeof found === "object" && found !== null) {
        if ("error" in found && errorIn(found) !== undefined) throw refusal(500, text, this.host);
        return found;
      }
      throw refusal(received.response.status, text.trim() === "" ? "nothing" : text, this.host);
    } catch (error) {
      throw this.failure(error, received.signal, signal);
    } finally {
      received.close();
    }
  }

  /** Sends a request and returns its answer once its headers are here; waits for a busy server. */
  async send(route: string, body: object | undefined, signal: AbortSignal, firstMs = this.firstMs): Promise<Received> {
    for (let retry = 0; ; retry++) {
      const received = await this.#once(route, body, signal, firstMs);
      const { response } = received;
      if (response.ok) return received;
      let error: HearthError;
      try {
        error = refusal(response.status, await response.text(), this.host);
      } catch (cause) {
        throw this.failure(cause, received.signal, signal);
      } finally {
        received.close();
      }
      const wait = retryAfter(response.headers) || 1000 * 2 ** retry;
      if (error.code !== "remote_busy" || retry === MOST_RETRIES || wait > LONGEST_WAIT_MS) throw error;
      const { controller, unlink } = followSignals([signal, this.#ended.signal]);
      try {
        await sleep(Math.max(0, wait), controller.signal);
      } catch {
        throw this.failure(undefined, controller.signal, signal);
      } finally {
        unlink();
      }
    }
  }

  async #once(route: string, body: object | undefined, signal: AbortSignal, firstMs: number): Promise<Received> {
    const url = new URL(route, this.#base);
    const { controller, unlink } = followSignals([signal, this.#ended.signal]);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const limit = (ms: number, late: string): void => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        controller.abort(new HearthError("remote_interrupted", `${this.host} ${late} for ${String(ms / 1000)} s`));
      }, ms);
    };
    const close = (): void => {
      clearTimeout(timer);
      unlink();
      controller.abort();
    };
    const policy = watchPolicy(url);
    try {
      limit(firstMs, "did not answer");
      controller.signal.throwIfAborted();
      const response = await this.#fetch(url.href, this.#init(body, controller.signal));
      // Browsers hide where an answer that was not followed leads to.
      if (response.type === "opaqueredirect" || (response.status >= 300 && response.status < 400)) {
        throw new HearthError("remote_error", `${this.host} redirects to another address`, {
          hint: "Name the address that it redirects to, if you trust it: redirects are not followed.",
        });
      }
      const touch = (): void => {
        limit(this.#silenceMs, "sent nothing");
      };
      touch();
      return { response, signal: controller.signal, touch, close };
    } catch (error) {
      const { aborted } = controller.signal;
      const failed = this.failure(error, controller.signal, signal);
      close();
      if (aborted || error instanceof HearthError) throw failed;
      throw await unreached(url, error, await policy.blocked(), this.kind);
    } finally {
      policy.stop();
    }
  }

  /** Returns the error of a request that failed: the caller's abort, the end of the connection, or a time limit. */
  failure(error: unknown, own: AbortSignal, callers: AbortSignal): HearthError {
    if (error instanceof HearthError) return error;
    if (own.aborted && own.reason instanceof HearthError) return own.reason;
    if (callers.aborted) return cancelled(callers.reason);
    return new HearthError("remote_interrupted", `the connection to ${this.host} broke`, { cause: error });
  }

  #init(body: object | undefined, signal: AbortSignal): RequestInit {
    const headers = new Headers(this.#headers);
    headers.set("Accept", "application/json, text/event-stream");
    const init: RequestInit & { targetAddressSpace?: string } = {
      headers,
      signal,
      redirect: "manual",
      credentials: "omit",
      referrerPolicy: "no-referrer",
      cache: "no-store",
    };
    // Lets a page on https reach a server on http in the local network, where the browser (Chromium) asks first.
    const isInNetwork = isNear(this.#base) && !isLoopback(this.#base);
    if (this.#base.protocol === "http:" && isInNetwork) init.targetAddressSpace = "local";
    if (body === undefined) return init;
    headers.set("Content-Type", "application/json");
    return { ...init, method: "POST", body: JSON.stringify(body) };
  }
}

function headersOf(headers: Record<string, string>, apiKey = ""): Headers {
  try {
    const all = new Headers(headers);
    if (apiKey !== "") all.set("Authorization", `Bearer ${apiKey}`);
    return all;
  } catch {
    // The browser's own message holds the value, which is a secret.
    throw new HearthError("invalid_request", "invalid request: apiKey and headers must be values of HTTP headers");
  }
}

function baseOf(address: string | URL): URL {
  const expected = "an http or https address without a user, query or fragment";
  let url: URL;
  try {
    url = new URL(address);
  } catch {
    throw invalid("baseURL", expected, String(address));
  }
  const { protocol, username, password, search, hash } = url;
  if (!/^https?:$/.test(protocol) || [username, password, search, hash].some((part) => part !== "")) {
    // The address itself may hold a secret.
    throw invalid("baseURL", expected, `${protocol}//${url.host}/…`);
  }
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  return url;
}

async function unreached(url: URL, cause: unknown, blocked: boolean, kind?: ServerKind): Promise<HearthError> {
  try {
    const { unreachable } = await import("./unreachable.js");
    return await unreachable(url, cause, blocked, kind);
  } catch {
    // A page that is offline cannot load the reasons either.
    return new HearthError("remote_unreachable", `${url.host} cannot be reached`, { cause });
  }
}

/** Watches whether the page's policy blocks requests to an origin, which fetch itself does not say. */
function watchPolicy({ origin }: URL): { blocked: () => Promise<boolean>; stop: () => void } {
  const page = (globalThis as { document?: Document }).document;
  let found = false;
  const onViolation = ({ blockedURI, effectiveDirective }: SecurityPolicyViolationEvent): void => {
    if (effectiveDirective === "connect-src" && blockedURI.startsWith(origin)) found = true;
  };
  page?.addEventListener("securitypolicyviolation", onViolation);
  return {
    blocked: async () => {
      // The event comes in a task of its own, after the rejection.
      if (page !== undefined && !found) await new Promise((resolve) => setTimeout(resolve, 50));
      return found;
    },
    stop: () => {
      page?.removeEventListener("securitypolicyviolation", onViolation);
    },
  };
}
