/** Worker side: makes the pictures of a request known to the core. The module that prepares them is loaded with the first. */
import type { PictureDetail } from "../../api/openai.js";
import { HearthError, throwIfAborted, toHearthError } from "../../core/errors.js";
import type { AskedMessage, PicturePart } from "../../core/protocol.js";
import type { ContentPart, Message, PictureProcessor, WasmEngine, WasmSha256 } from "../../core/wasm-contract.js";
import { isDataUrl } from "../../pictures/data-url.js";
import type { PicturesWasm } from "../../pictures/module.js";
import type { Pixels } from "../../pictures/pixels.js";
import type { PictureSource } from "../../pictures/source.js";
import { bytesOf } from "./bytes.js";
import { decode } from "./decode.js";

/** Pictures whose keys are remembered; the oldest are forgotten first. */
const MOST_KEYS = 512;
/** Bytes of RGBA after which the module's memory, which never shrinks, is given back. */
const LARGE = 32 << 20;

/** Runs a task with the engine, when nothing else uses it. */
export type WithEngine = <T>(task: (engine: WasmEngine) => T) => Promise<T>;

export interface PicturesOptions {
  wasm: PicturesWasm;
  /** Class that computes sums. */
  Sha256: new () => WasmSha256;
  withEngine: WithEngine;
}

export class Pictures {
  readonly #options: PicturesOptions;
  #starting: Promise<unknown> | undefined;
  /** Keys in the core by what tells pictures apart: address or sum, and detail. */
  readonly #keys = new Map<string, string>();

  constructor(options: PicturesOptions) {
    this.#options = options;
  }

  /**
   * Returns messages in which pictures are keys of the core. Those of earlier turns, which the core still has, are neither
   * decoded nor prepared again. `url`: the module's address.
   */
  async placed(messages: AskedMessage[], url: string | URL, signal: AbortSignal): Promise<Message[]> {
    const placed: Message[] = [];
    for (const message of messages) {
      const { content } = message;
      if (!Array.isArray(content)) {
        placed.push({ ...message, content });
        continue;
      }
      const parts: ContentPart[] = [];
      for (const part of content) {
        const isText = part.type === "text";
        parts.push(isText ? part : { type: "image", image: await this.keyOf(part, url, signal) });
        throwIfAborted(signal);
      }
      placed.push({ ...message, content: parts });
    }
    return placed;
  }

  /** Returns a picture's key in the core. */
  async keyOf({ image, detail }: PicturePart, url: string | URL, signal: AbortSignal): Promise<string> {
    const names: string[] = [];
    if (image.kind === "url" && !isDataUrl(image.url)) names.push(`${detail} ${image.url}`);
    let key = await this.#known(names);
    if (key !== undefined) return key;
    const bytes = image.kind === "pixels" ? image.rgba : await bytesOf(image, signal);
    names.push(await this.#nameOf(bytes, image, detail));
    key = await this.#known(names);
    if (key === undefined) {
      const { vision } = await this.#options.withEngine((engine) => engine.info());
      if (vision === null) throw new HearthError("invalid_request", "the model sees no pictures");
      await this.#start(url);
      throwIfAborted(signal);
      const pixels = image.kind === "pixels" ? image : await this.#decode(bytes);
      throwIfAborted(signal);
      key = await this.#add(pixels, vision, detail);
    }
    for (const name of names) this.#remember(name, key);
    return key;
  }

  /** Returns the key of a picture that the core still has. */
  async #known(names: readonly string[]): Promise<string | undefined> {
    const key = names.map((name) => this.#keys.get(name)).find((found) => found !== undefined);
    if (key === undefined) return undefined;
    const isThere = await this.#options.withEngine((engine) => engine.hasPicture(key));
    return isThere ? key : undefined;
  }

  #remember(name: string, key: string): void {
    this.#keys.delete(name);
    this.#keys.set(name, key);
    const [oldest] = this.#keys.keys();
    if (this.#keys.size > MOST_KEYS && oldest !== undefined) this.#keys.delete(oldest);
  }

  /** Names a picture by its bytes; pixels of other sides may be the same bytes. */
  async #nameOf(bytes: Uint8Array<ArrayBuffer>, image: PictureSource, detail: PictureDetail): Promise<string> {
    const sides = image.kind === "pixels" ? `${String(image.width)}x${String(image.height)} ` : "";
    return `${detail} ${sides}${await this.#sumOf(bytes)}`;
  }

  async #sumOf(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
    // Absent in pages without HTTPS.
    const subtle = (globalThis as { crypto?: { subtle?: SubtleCrypto } }).crypto?.subtle;
    if (subtle !== undefined) {
      const sum = new Uint8Array(await subtle.digest("SHA-256", bytes));
      return Array.from(sum, (byte) => byte.toString(16).padStart(2, "0")).join("");
    }
    const sha = new this.#options.Sha256();
    try {
      sha.update(bytes);
      return sha.finish();
    } finally {
      sha.free();
    }
  }

  async #start(url: string | URL): Promise<void> {
    // After a failure the next request tries again.
    this.#starting ??= this.#options.wasm.default({ module_or_path: url }).catch((cause: unknown) => {
      this.#starting = undefined;
      const reason = toHearthError(cause).message;
      throw new HearthError("wasm_failed", `the module that prepares pictures could not be started: ${reason}`, {
        cause,
        hint: "Check that the server has pictures_bg.wasm beside the worker, or name its place as picturesUrl.",
      });
    });
    await this.#starting;
  }

  async #decode(bytes: Uint8Array<ArrayBuffer>): Promise<Pixels> {
    return await decode(
      bytes,
      this.#run(() => this.#options.wasm.probe(bytes)),
    );
  }

  async #add({ rgba, width, height }: Pixels, processor: PictureProcessor, detail: PictureDetail): Promise<string> {
    const prepared = this.#run(() => this.#options.wasm.prepare(rgba, width, height, processor, detail));
    // Each of them is a copy, which outlives the module's memory.
    const { tilesHigh, tilesWide, grids, pixels } = prepared;
    prepared.free();
    if (rgba.length > LARGE) this.#options.wasm.__wbg_reset_state();
    return await this.#options.withEngine((engine) => engine.addPicture(tilesHigh, tilesWide, grids, pixels));
  }

  /** Calls the module. After a trap, which does not concern the core, another instance takes its place. */
  #run<T>(call: () => T): T {
    try {
      return call();
    } catch (cause) {
      if (!(cause instanceof WebAssembly.RuntimeError)) throw cause;
      this.#options.wasm.__wbg_reset_state();
      throw new HearthError("bad_picture", `the picture could not be prepared: ${cause.message}`, {
        hint: "Give a smaller picture, or another model.",
        cause,
      });
    }
  }
}
