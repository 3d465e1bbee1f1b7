/** A thread of `node:worker_threads` in the shape of the web's `Worker`; `thread.ts` is its other end. */
import { Worker as Thread, workerData, type Transferable as ThreadTransferable } from "node:worker_threads";
import { HearthError } from "../core/errors.js";
import type { SourceSpec } from "../core/protocol.js";

/** Data with which a thread starts. */
export interface ThreadStart {
  script: string;
  /** Whether the script computes on a GPU if there is one. */
  wantsGpu: boolean;
  /** Threads that were ended before it, whose locks are nobody's. */
  ended: number[];
}

/** This module's address, in a variable, since bundlers for servers would take the expression for a script of theirs. */
const HERE: string = import.meta.url;

const ended = new Set<number>((workerData as ThreadStart | null)?.ended);

/** Reports whether a thread of this process has ended. */
export function hasEnded(thread: number): boolean {
  return ended.has(thread);
}

/** Reports whether this is Node itself. */
export function isNode(): boolean {
  return process.versions.bun === undefined && !("Deno" in globalThis);
}

function notPassed(why: string, cause?: unknown): HearthError {
  return new HearthError("invalid_request", `invalid request: model cannot be passed to a thread: ${why}`, {
    hint: "Give the path of the file or of its folder.",
    cause,
  });
}

export class ThreadWorker extends EventTarget implements Worker {
  onmessage: Worker["onmessage"] = null;
  onerror: Worker["onerror"] = null;
  onmessageerror: Worker["onmessageerror"] = null;
  readonly #thread: Thread;
  readonly #id: number;
  #isOver = false;

  constructor(script: string | URL, name: string) {
    super();
    const start: ThreadStart = { script: String(script), wantsGpu: name === "hearth", ended: [...ended] };
    // Flags of this process, such as those of a test runner, are not for the package's own script.
    this.#thread = new Thread(new URL("./thread.js", HERE), { workerData: start, name, execArgv: [] });
    this.#id = this.#thread.threadId;
    this.#thread.on("message", (data: unknown) => {
      this.onmessage?.(new MessageEvent("message", { data }));
    });
    this.#thread.on("messageerror", () => {
      this.onmessageerror?.(new MessageEvent("messageerror"));
    });
    this.#thread.on("error", (error) => {
      this.#fail(error instanceof Error ? error.message : String(error));
    });
    this.#thread.on("exit", (code) => {
      this.#fail(`its thread ended with code ${String(code)}`);
      ended.add(this.#id);
    });
  }

  postMessage(message: unknown, options?: Transferable[] | StructuredSerializeOptions): void {
    const transfer = Array.isArray(options) ? options : options?.transfer;
    const { source } = (message as { params?: { source?: SourceSpec } | null }).params ?? {};
    // Files lose their names on the way to a thread of Node, by which the parts of a model are told apart.
    if (source?.kind === "files" && isNode()) throw notPassed("Files come without their names");
    try {
      this.#thread.postMessage(message, transfer as ThreadTransferable[] | undefined);
    } catch (cause) {
      throw notPassed(cause instanceof Error ? cause.message : String(cause), cause);
    }
  }

  terminate(): void {
    this.#isOver = true;
    ended.add(this.#id);
    void this.#thread.terminate();
  }

  #fail(message: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const event = Object.assign(new Event("error", { cancelable: true }), { message });
    this.onerror?.call(this, event as ErrorEvent);
  }
}
