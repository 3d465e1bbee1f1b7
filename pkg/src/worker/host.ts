/**
 * The worker's logic: answers the page's calls using the core. It uses no worker globals, so it runs in tests too.
 *
 * A failed or cancelled load needs no cleanup here: the page ends the worker, which frees everything.
 */
import { cancelled, HearthError, serializeError, stopped, throwIfAborted, toHearthError } from "../core/errors.js";
import type { PicturesWasm } from "../pictures/module.js";
import { readAdapter } from "./adapter.js";
import { Contexts } from "./contexts.js";
import { fetchModel } from "./fetch.js";
import { Grammars } from "./grammar.js";
import { inspectModel } from "./inspect.js";
import { initCore, loadModel, openDevice, type StartPool } from "./load.js";
import { Pictures } from "./pictures/pictures.js";
import { Lock } from "../core/lock.js";
import type {
  AdapterRequest,
  AnswerRequest,
  Calls,
  CallName,
  Clocked,
  EmbedAsked,
  EmbedRequest,
  EmbedResult,
  FetchRequest,
  RankRequest,
  RankResult,
  FromWorker,
  InspectRequest,
  LoadProgress,
  LoadRequest,
  LoadResult,
  Notice,
  ToWorker,
} from "../core/protocol.js";
import type {
  AdapterInfo,
  EmbedInput,
  GenerateRequest,
  GrammarWasm,
  HearthWasm,
  ModelReport,
  WasmCpuPool,
  WasmEngine,
  WasmGeneration,
  WasmGrammar,
} from "../core/wasm-contract.js";
import { yieldToEventLoop } from "./yield.js";

/**
 * Delay before a trap or an error of the GPU is reported: it often comes just before the news that the device is lost,
 * which is its real cause.
 */
const TRAP_GRACE_MS = 150;
/** Texts that the core is offered for one step of embeddings. */
const MOST_OF_STEP = 64;

export interface HostOptions {
  wasm: HearthWasm;
  /** Address of `hearth_bg.wasm` unless the page names another one. */
  wasmUrl: string | URL;
  /** Module that enforces formats, loaded when first needed. */
  grammarWasm: GrammarWasm;
  grammarUrl: string | URL;
  /** Module that prepares pictures, loaded when first needed. */
  picturesWasm: PicturesWasm;
  picturesUrl: string | URL;
  post(message: FromWorker): void;
  /** Starts threads for the CPU path. */
  startPool: StartPool;
  /** Passes the load's options to the GPU shims before the device opens. */
  beforeOpen?: (request: LoadRequest) => void;
  /** Destroys the GPU device, to rehearse its loss. */
  destroyDevice?: () => void;
}

export class Host {
  readonly #options: HostOptions;
  readonly #lock = new Lock();
  readonly #running = new Map<number, AbortController>();
  readonly #grammars: Grammars;
  #engine: WasmEngine | undefined;
  #grammarUrl: string | URL;
  readonly #pictures: Pictures;
  #picturesUrl: string | URL;
  #contexts: Contexts | undefined;
  #isDead = false;

  constructor(options: HostOptions) {
    this.#options = options;
    this.#grammars = new Grammars(options.grammarWasm);
    this.#grammarUrl = options.grammarUrl;
    this.#picturesUrl = options.picturesUrl;
    this.#pictures = new Pictures({
      wasm: options.picturesWasm,
      Sha256: options.wasm.Sha256,
      withEngine: (task) => this.#withEngine(task),
    });
  }

  async handle(message: ToWorker): Promise<void> {
    if (message.type === "cancel") {
      this.#running.get(message.id)?.abort();
      return;
    }
    const { id } = message;
    const controller = new AbortController();
    this.#running.set(id, controller);
    try {
      const result = await this.#dispatch(message, controller.signal);
      this.#post({ type: "result", id, result });
    } catch (error) {
      this.#fail(id, error);
    } finally {
      this.#running.delete(id);
    }
  }

  /** Ends the worker: the GPU device is lost, and everything on it. */
  deviceLost(reason: string): void {
    this.#die(new HearthError("device_lost", `the GPU device was lost: ${reason}`));
  }

  /** Reports that the core trapped outside of any call: a panic in a task that it spawned. */
  trapped(error: unknown): void {
    setTimeout(() => {
      this.#die(toHearthError(error));
    }, TRAP_GRACE_MS);
  }

  #dispatch(message: Extract<ToWorker, { type: "call" }>, signal: AbortSignal): Promise<Calls[CallName]["result"]> {
    switch (message.call) {
      case "load":
        return this.#load(message.id, message.params, signal);
      case "inspect":
        return this.#inspect(message.params, signal);
      case "fetch":
        return this.#fetch(message.id, message.params, signal);
      case "generate":
        return this.#generate(message.id, message.params, signal);
      case "embed":
        return this.#embed(message.params, signal);
      case "rank":
        return this.#rank(message.params, signal);
      case "addAdapter":
        return this.#addAdapter(message.params, signal);
      case "removeAdapter": {
        const { name } = message.params;
        return this.#withEngine((engine) => engine.removeAdapter(name));
      }
      case "listAdapters":
        return this.#withEngine((engine) => engine.adapters());
      case "tokenize": {
        const { text } = message.params;
        return this.#withEngine((engine) => engine.tokenize(text));
      }
      case "detokenize": {
        const { ids } = message.params;
        return this.#withEngine((engine) => engine.detokenize(ids));
      }
      case "stats":
        return this.#withEngine((engine) => engine.stats());
      case "loseDevice":
        this.#options.destroyDevice?.();
        return Promise.resolve(null);
    }
  }

  async #load(id: number, request: LoadRequest, signal: AbortSignal): Promise<LoadResult> {
    const { wasm, wasmUrl, beforeOpen, startPool } = this.#options;
    await initCore(wasm, request.wasmUrl ?? wasmUrl);
    throwIfAborted(signal);
    beforeOpen?.(request);
    // Fetching the threads' module may take long; starting the threads may not.
    const watched = async (threads: number): Promise<WasmCpuPool> => {
      try {
        return await startPool(threads, () => {
          this.#clock(id, "threads");
        });
      } finally {
        this.#clock(id, null);
      }
    };
    const { device, notices: found } = await openDevice(wasm, request, watched);
    throwIfAborted(signal);
    const notices: Notice[] = [...found];
    const report = (progress: LoadProgress): void => {
      this.#post({ type: "progress", id, progress });
    };
    const engine = await loadModel(wasm, device, request, signal, report, (notice) => notices.push(notice));
    this.#engine = engine;
    if (request.contextStore !== undefined) {
      this.#contexts = new Contexts({
        ...request.contextStore,
        conversations: request.conversations ?? 1,
        withEngine: (task) => this.#withEngine(task),
        trapped: (error) => {
          this.trapped(error);
        },
      });
    }
    this.#grammarUrl = request.grammarUrl ?? this.#grammarUrl;
    this.#picturesUrl = request.picturesUrl ?? this.#picturesUrl;
    return { version: wasm.version(), device: device.info(), model: engine.info(), notices };
  }

  async #inspect(request: InspectRequest, signal: AbortSignal): Promise<ModelReport> {
    const { wasm, wasmUrl } = this.#options;
    await initCore(wasm, request.wasmUrl ?? wasmUrl);
    return await inspectModel(wasm, request, signal);
  }

  async #fetch(id: number, request: FetchRequest, signal: AbortSignal): Promise<boolean> {
    const { wasm, wasmUrl } = this.#options;
    await initCore(wasm, request.wasmUrl ?? wasmUrl);
    return await fetchModel(wasm, request, signal, (progress) => {
      this.#post({ type: "progress", id, progress });
    });
  }

  async #addAdapter(request: AdapterRequest, signal: AbortSignal): Promise<AdapterInfo> {
    const { name, scale } = request;
    const { bytes, config } = await readAdapter(this.#options.wasm.Sha256, request, signal);
    return await this.#withEngine((engine) => {
      throwIfAborted(signal);
      return engine.addAdapter(name, bytes, scale, config);
    });
  }

  async #generate(
    id: number,
    { format, messages, contextKey, ...others }: AnswerRequest,
    signal: AbortSignal,
  ): Promise<null> {
    const request: GenerateRequest = others;
    if (messages !== undefined) request.messages = await this.#pictures.placed(messages, this.#picturesUrl, signal);
    let grammar: WasmGrammar | undefined;
    try {
      const generation = await this.#withEngine(async (engine) => {
        await this.#contexts?.restore(engine, contextKey, signal);
        if (format !== undefined) {
          const vocabulary = await this.#grammars.vocabulary(engine, this.#grammarUrl);
          throwIfAborted(signal);
          this.#clock(id, "format");
          try {
            grammar = this.#grammars.follow(format, vocabulary);
          } finally {
            this.#clock(id, null);
          }
        }
        return this.#begin(id, engine, request, grammar);
      });
      return await this.#run(id, generation, signal);
    } catch (error) {
      if (toHearthError(error).code !== "cancelled") this.#contexts?.forget();
      if (grammar !== undefined && toHearthError(error).code === "grammar_error") {
        // The format module may have trapped, which only the core noticed; the constraint belongs to an instance that
        // no longer exists.
        grammar = undefined;
        this.#grammars.renew();
      }
      throw error;
    } finally {
      this.#contexts?.saveSoon(contextKey);
      // The constraint is unused now: the core released it with the generation.
      await this.#lock.run(() => grammar?.free());
    }
  }

  /** Renders the template, which is foreign code, and starts the answer. */
  #begin(id: number, engine: WasmEngine, request: GenerateRequest, grammar: WasmGrammar | undefined): WasmGeneration {
    // Continuing a plain text involves no template.
    let isRendering = request.messages !== undefined;
    const rendered = (): void => {
      if (isRendering) this.#clock(id, null);
      isRendering = false;
    };
    if (isRendering) this.#clock(id, "template");
    try {
      return engine.generate(request, grammar, rendered);
    } catch (error) {
      // A trap here means that the template ran out of memory.
      if (isRendering && error instanceof WebAssembly.RuntimeError)
        this.#die(stopped("template", error.message, error));
      throw error;
    } finally {
      rendered();
    }
  }

  #clock(id: number, on: Clocked | null): void {
    this.#post({ type: "clock", id, on });
  }

  async #run(id: number, generation: WasmGeneration, signal: AbortSignal): Promise<null> {
    try {
      for (;;) {
        if (signal.aborted) {
          await this.#lock.run(() => {
            generation.cancel();
          });
          throw cancelled();
        }
        const delta = await this.#lock.run(() => generation.next());
        this.#post({ type: "delta", id, delta });
        if (delta.finish_reason !== null) return null;
        await yieldToEventLoop();
      }
    } finally {
      await this.#lock.run(() => {
        generation.free();
      });
    }
  }

  /** Returns an input of embeddings as the core takes it: a picture by its key. */
  async #placed(input: EmbedAsked, signal: AbortSignal): Promise<EmbedInput> {
    return "image" in input ? { image: await this.#pictures.keyOf(input, this.#picturesUrl, signal) } : input;
  }

  async #embed(request: EmbedRequest, signal: AbortSignal): Promise<EmbedResult> {
    this.#contexts?.forget();
    const result: EmbedResult = { embeddings: [], tokens: 0 };
    const { inputs, ...options } = request;
    for (let at = 0; at < inputs.length; at = result.embeddings.length) {
      throwIfAborted(signal);
      // A picture is taken alone, texts up to the next one.
      const next = inputs.findIndex((input, i) => i > at && ("image" in input || "image" in (inputs[at] ?? {})));
      const some = inputs.slice(at, Math.min(next < 0 ? inputs.length : next, at + MOST_OF_STEP));
      const placed = await Promise.all(some.map((input) => this.#placed(input, signal)));
      const left = placed.map((input) => ({ ...input, ...options }));
      const found = await this.#withEngine((engine) => engine.embed(left));
      const { values, tokens } = found;
      found.free();
      const width = values.length / tokens.length;
      tokens.forEach((count, i) => {
        result.embeddings.push(values.slice(i * width, (i + 1) * width));
        result.tokens += count;
      });
      await yieldToEventLoop();
    }
    return result;
  }

  async #rank({ documents, ...common }: RankRequest, signal: AbortSignal): Promise<RankResult> {
    this.#contexts?.forget();
    const result: RankResult = { scores: [], tokens: 0 };
    for (const document of documents) {
      throwIfAborted(signal);
      const { score, tokens } = await this.#withEngine((engine) => engine.rank({ ...common, document }));
      result.scores.push(score);
      result.tokens += tokens;
      await yieldToEventLoop();
    }
    return result;
  }

  #withEngine<T>(task: (engine: WasmEngine) => T | Promise<T>): Promise<T> {
    return this.#lock.run(() => {
      if (this.#engine === undefined) throw new HearthError("internal_error", "no model is loaded in this worker");
      return task(this.#engine);
    });
  }

  #fail(id: number, error: unknown): void {
    const { code } = toHearthError(error);
    // Errors thrown by the thread pool pass through the core unchanged and leave it in an undefined state.
    const isOfPool = error instanceof HearthError && (code === "worker_died" || code === "out_of_memory");
    if (code === "device_lost" || (isOfPool && this.#engine !== undefined)) {
      this.#die(error);
    } else if (code === "gpu_error") {
      // If the device is lost, the end of the worker answers the call.
      setTimeout(() => {
        this.#post({ type: "error", id, error: serializeError(error) });
      }, TRAP_GRACE_MS);
    } else if (error instanceof WebAssembly.RuntimeError) {
      this.trapped(error);
    } else {
      this.#post({ type: "error", id, error: serializeError(error) });
    }
  }

  #die(error: unknown): void {
    this.#post({ type: "fatal", error: serializeError(error) });
    this.#isDead = true;
  }

  #post(message: FromWorker): void {
    if (!this.#isDead) this.#options.post(message);
  }
}
