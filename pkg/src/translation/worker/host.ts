/** The logic of the worker that translates. */
import { HearthError, throwIfAborted } from "../../core/errors.js";
import type { ModuleCall } from "../../core/module-protocol.js";
import type { Notice } from "../../core/protocol.js";
import { ModuleHost, startModule } from "../../worker/module-host.js";
import type { ModuleInfo, ModuleLanguages, TranslationEvent, TranslationWasm, WasmTranslator } from "../module.js";
import type {
  FromTranslationWorker,
  TranslateRequest,
  TranslationCalls,
  TranslationLoaded,
  TranslationLoadRequest,
} from "../protocol.js";
import { loadTranslator } from "./load.js";

const PURPOSE = "translates";

export interface TranslationHostOptions {
  wasm: TranslationWasm;
  /** Address of `translation_bg.wasm` unless the page names another one. */
  wasmUrl: string | URL;
  post(message: FromTranslationWorker, transfer: Transferable[]): void;
}

export class TranslationHost extends ModuleHost<TranslationCalls, TranslationEvent> {
  readonly #options: TranslationHostOptions;
  #model: WasmTranslator | undefined;

  constructor(options: TranslationHostOptions) {
    super(PURPOSE, (message, transfer) => {
      options.post(message, transfer);
    });
    this.#options = options;
  }

  protected override async dispatch(
    message: ModuleCall<TranslationCalls>,
    signal: AbortSignal,
  ): Promise<TranslationCalls[keyof TranslationCalls]["result"]> {
    switch (message.call) {
      case "load":
        return await this.#load(message.id, message.params, signal);
      case "translate":
        return await this.#translate(message.id, message.params, signal);
    }
  }

  async #load(id: number, request: TranslationLoadRequest, signal: AbortSignal): Promise<TranslationLoaded> {
    const { wasm, wasmUrl } = this.#options;
    await startModule(wasm, request.wasmUrl ?? wasmUrl, PURPOSE, "translation_bg.wasm");
    throwIfAborted(signal);
    const notices: Notice[] = [];
    const model = await loadTranslator(
      wasm,
      request,
      signal,
      (progress) => {
        this.report(id, progress);
      },
      (notice) => notices.push(notice),
    );
    this.#model = model;
    const languages = JSON.parse(model.languages()) as ModuleLanguages;
    return { info: JSON.parse(model.info()) as ModuleInfo, languages, notices };
  }

  async #translate(id: number, params: TranslateRequest, signal: AbortSignal): Promise<null> {
    if (this.#model === undefined) throw new HearthError("internal_error", "no model is loaded in this worker");
    const { text, source, target, maxTokens, beams } = params;
    const run = this.#model.begin(text, source, target, maxTokens, beams);
    await this.steps(id, run, () => run.step(), signal);
    return null;
  }
}
