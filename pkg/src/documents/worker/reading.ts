/**
 * Reading of documents in a worker, so that a large file does not stop the page, and a hostile one can be ended. Where no
 * worker starts, and for what a worker lacks, files are read on the page as without it.
 */
import { cancelled, deserializeError, HearthError, throwIfAborted } from "../../core/errors.js";
import { Lock } from "../../core/lock.js";
import type { ExtractOptions } from "../extract/index.js";
import type { Ingest, SourceBytes } from "../ingest.js";
import type { StoredDocument } from "../store.js";
import type { FromReader, ReadJob } from "./protocol.js";
import { startWorker, type DocumentsWorkerOptions } from "./start.js";

/** Milliseconds without a file after which the worker is ended: what pdf.js keeps is much. */
const IDLE_MS = 30_000;
/** Milliseconds for each byte beyond `stallMs`: cutting a text into passages reports nothing. */
const MS_PER_BYTE = 0.05;

/** Thrown for a worker that has not said that it runs. */
class NotStarted extends Error {}

export class ReadingWorker {
  readonly #url: string | URL | undefined;
  readonly #turns = new Lock();
  #worker: Worker | undefined;
  #isReady = false;
  #isRefused = false;
  #idle: ReturnType<typeof setTimeout> | undefined;

  constructor({ workerUrl }: DocumentsWorkerOptions = {}) {
    this.#url = workerUrl;
  }

  /** Reads files for a library: `Library.open({ extractors: { read: worker.read } })`. */
  readonly read: Ingest = (source, options, local) => this.#turns.run(() => this.#read(source, options, local));

  /** Ends the worker; the next file starts another one. */
  close(): void {
    clearTimeout(this.#idle);
    this.#worker?.terminate();
    this.#worker = undefined;
    this.#isReady = false;
  }

  async #read(source: SourceBytes, options: ExtractOptions, local: Ingest): Promise<StoredDocument> {
    throwIfAborted(options.signal);
    // A page's own extractors are functions, which cannot be sent.
    const hasOwn = options.pdfjs !== undefined || options.mammoth !== undefined;
    if (!hasOwn && !this.#isRefused) {
      try {
        return await this.#inWorker(source, options);
      } catch (error) {
        if (error instanceof NotStarted) this.#isRefused = true;
        // For HTML, workers have no DOMParser.
        else if (!(error instanceof HearthError) || error.code !== "extractor_missing") throw error;
      }
    }
    return local(source, options, local);
  }

  #inWorker(source: SourceBytes, options: ExtractOptions): Promise<StoredDocument> {
    const { limits, password, cMapUrl, signal, onProgress } = options;
    const worker = this.#started();
    return new Promise<StoredDocument>((resolve, reject) => {
      let timer: ReturnType<typeof setTimeout>;
      const end = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
      };
      // A worker in the middle of a file hears nothing, so it is ended with it.
      const giveUp = (error: HearthError): void => {
        end();
        const hasStarted = this.#isReady || error.code === "cancelled";
        this.close();
        reject(hasStarted ? error : new NotStarted());
      };
      const onAbort = (): void => {
        giveUp(cancelled(signal?.reason));
      };
      const watch = (): void => {
        clearTimeout(timer);
        const most = limits.stallMs + source.bytes.length * MS_PER_BYTE;
        timer = setTimeout(() => {
          const message = `${source.name} was given up: no progress for ${most.toFixed(0)} ms`;
          giveUp(new HearthError("document_stalled", message));
        }, most);
      };
      const died = (): void => {
        const hint = "Add the file again; if it stays, the file takes more memory than there is.";
        giveUp(new HearthError("worker_died", `${source.name} was given up: the worker that read it ended`, { hint }));
      };
      worker.onmessage = ({ data }: MessageEvent<FromReader>) => {
        if (data.type === "ready") this.#isReady = true;
        if (data.type === "ready" || data.type === "progress") watch();
        if (data.type === "progress") onProgress?.(data.progress);
        if (data.type !== "done" && data.type !== "failed") return;
        end();
        this.#rest();
        if (data.type === "done") resolve(data.document);
        else reject(deserializeError(data.error));
      };
      worker.onmessageerror = died;
      worker.onerror = (event) => {
        event.preventDefault();
        died();
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      watch();
      // The bytes are copied: they are needed here if the worker lacks an extractor.
      const job: ReadJob = { type: "read", ...source, limits, password, cMapUrl: absolute(cMapUrl) };
      worker.postMessage(job);
    });
  }

  #started(): Worker {
    clearTimeout(this.#idle);
    try {
      return (this.#worker ??= startWorker(this.#url));
    } catch {
      throw new NotStarted();
    }
  }

  /** Ends the worker when it has had nothing to do for a while. */
  #rest(): void {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => {
      this.close();
    }, IDLE_MS);
  }
}

function absolute(url: string | undefined): string | undefined {
  return url === undefined ? undefined : new URL(url, document.baseURI).href;
}
