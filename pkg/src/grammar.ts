/** In the worker: the module that follows schemas and grammars, loaded when a request first asks for it. */
import { HearthError, toHearthError } from "./errors.js";
import type { AnswerFormat, GrammarWasm, WasmEngine, WasmGrammar, WasmVocabulary } from "./wasm-contract.js";

export class Grammars {
  readonly #wasm: GrammarWasm;
  #vocabulary: Promise<WasmVocabulary> | undefined;

  constructor(wasm: GrammarWasm) {
    this.#wasm = wasm;
  }

  /** What follows one answer of the engine. */
  async follow(format: AnswerFormat, engine: WasmEngine, url: string | URL): Promise<WasmGrammar> {
    // After a failure the next request tries again.
    this.#vocabulary ??= this.#load(engine, url).catch((error: unknown) => {
      this.#vocabulary = undefined;
      throw error;
    });
    const vocabulary = await this.#vocabulary;
    try {
      return vocabulary.grammar(JSON.stringify(format));
    } catch (cause) {
      if (cause instanceof WebAssembly.RuntimeError) throw trapped(cause);
      const reason = toHearthError(cause).message;
      throw new HearthError("invalid_request", `invalid request: the answer's format cannot be followed: ${reason}`, {
        cause,
      });
    }
  }

  async #load(engine: WasmEngine, url: string | URL): Promise<WasmVocabulary> {
    try {
      await this.#wasm.default({ module_or_path: url });
    } catch (cause) {
      const reason = toHearthError(cause).message;
      throw new HearthError("wasm_failed", `the module that follows formats could not be started: ${reason}`, {
        cause,
        hint: "Check that the server has grammar_bg.wasm beside the worker, or name its place as grammarUrl.",
      });
    }
    const tokens = engine.vocabulary();
    try {
      return new this.#wasm.Vocabulary(tokens.bytes, tokens.lengths, tokens.eog);
    } finally {
      tokens.free();
    }
  }
}

function trapped(cause: WebAssembly.RuntimeError): HearthError {
  return new HearthError("grammar_error", `the answer's format: ${cause.message}`, { cause });
}
