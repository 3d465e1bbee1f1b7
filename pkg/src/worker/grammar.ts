/** Worker side: loads the module that enforces schemas and grammars when a request first needs it. */
import { HearthError, toHearthError } from "../core/errors.js";
import type { AnswerFormat, GrammarWasm, WasmEngine, WasmGrammar, WasmVocabulary } from "../core/wasm-contract.js";

export class Grammars {
  readonly #wasm: GrammarWasm;
  #vocabulary: Promise<WasmVocabulary> | undefined;

  constructor(wasm: GrammarWasm) {
    this.#wasm = wasm;
  }

  /** Returns the engine's tokens in the module's form. */
  async vocabulary(engine: WasmEngine, url: string | URL): Promise<WasmVocabulary> {
    // After a failure the next request tries again.
    this.#vocabulary ??= this.#load(engine, url).catch((error: unknown) => {
      this.#vocabulary = undefined;
      throw error;
    });
    return await this.#vocabulary;
  }

  /** Creates the constraint of one answer. */
  follow(format: AnswerFormat, vocabulary: WasmVocabulary): WasmGrammar {
    try {
      return vocabulary.grammar(JSON.stringify(format));
    } catch (cause) {
      if (cause instanceof WebAssembly.RuntimeError) {
        this.renew();
        throw trapped(cause);
      }
      const reason = toHearthError(cause).message;
      throw new HearthError("invalid_request", `invalid request: the answer's format cannot be followed: ${reason}`, {
        cause,
      });
    }
  }

  /**
   * Replaces the module's instance after a trap, since its state is undefined. The old memory is dropped as a whole, so
   * none of its objects may be freed.
   */
  renew(): void {
    this.#vocabulary = undefined;
    this.#wasm.__wbg_reset_state();
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
    } catch (cause) {
      if (!(cause instanceof WebAssembly.RuntimeError)) throw cause;
      this.renew();
      throw trapped(cause);
    } finally {
      tokens.free();
    }
  }
}

function trapped(cause: WebAssembly.RuntimeError): HearthError {
  return new HearthError("grammar_error", `the answer's format: ${cause.message}`, { cause });
}
