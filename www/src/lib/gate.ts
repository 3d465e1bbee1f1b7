/**
 * The service worker's gate: it tells the page of every request that leaves for the network, and in the strict mode it
 * refuses them. Files of the program itself pass: they are on this device.
 */

/** A request as the page is told of it. */
export interface Passed {
  type: "REQUEST";
  host: string;
  method: string;
  /** Bytes of its body. */
  up: number;
  isRefused: boolean;
}

const CACHE = "hearth-gate";
const MARK = "./strict";

export class Gate {
  /** Undefined until the disk has told; a service worker may be started for a single request. */
  #isStrict: boolean | undefined;
  readonly #known: Promise<void>;
  readonly #tell: (passed: Passed) => void;

  constructor(tell: (passed: Passed) => void) {
    this.#tell = tell;
    this.#known = this.#read();
  }

  /** Turns the strict mode on or off; it outlasts the page. */
  async set(isStrict: boolean): Promise<void> {
    this.#isStrict = isStrict;
    const cache = await caches.open(CACHE);
    if (isStrict) await cache.put(MARK, new Response("1"));
    else await cache.delete(MARK);
  }

  async isStrict(): Promise<boolean> {
    await this.#known;
    return this.#isStrict === true;
  }

  /** Returns the answer to a request, or undefined for one that the browser sends as it would without a gate. */
  answer(request: Request): Promise<Response> | undefined {
    if (this.#isStrict === false) {
      void this.#report(request, false);
      return undefined;
    }
    return this.isStrict().then(async (isStrict) => {
      await this.#report(request, isStrict);
      return isStrict ? Response.error() : await fetch(request);
    });
  }

  async #read(): Promise<void> {
    const isKept = await caches
      .open(CACHE)
      .then((cache) => cache.match(MARK))
      // Without a disk there is nothing to remember either.
      .catch(() => undefined);
    this.#isStrict ??= isKept !== undefined;
  }

  async #report(request: Request, isRefused: boolean): Promise<void> {
    const { method, url } = request;
    const hasBody = method !== "GET" && method !== "HEAD";
    const up = hasBody ? (await request.clone().arrayBuffer()).byteLength : 0;
    this.#tell({ type: "REQUEST", host: new URL(url).host, method, up, isRefused });
  }
}
