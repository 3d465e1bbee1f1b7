/** Substitute for the format module: a choice always yields its first text; formats with `!trap` and `!bad` fail. */
import type { WasmGrammar, WasmVocabulary } from "../src/core/wasm-contract.js";
import { fake } from "./fake-wasm.js";

export default function init(): Promise<unknown> {
  return fake.isBroken ? Promise.reject(new WebAssembly.CompileError("expected magic word")) : Promise.resolve({});
}

/** Invalidates all objects created before, as wasm-bindgen's function does. */
export function __wbg_reset_state(): void {
  fake.grammarInstances += 1;
}

export class Vocabulary implements WasmVocabulary {
  private readonly instance = fake.grammarInstances;

  grammar(format: string): WasmGrammar {
    const { instance } = this;
    if (instance !== fake.grammarInstances) throw new Error("Invalid stale object from previous Wasm instance");
    if (format.includes("!trap")) throw new WebAssembly.RuntimeError("unreachable");
    if (format.includes("!bad")) throw new Error("expected something else");
    const { choice } = JSON.parse(format) as { choice?: string[] };
    return {
      allow: () => true,
      forced: () => new TextEncoder().encode(choice?.[0] ?? format),
      accept: () => undefined,
      free: () => {
        // On a new instance, this would free the memory of some other object.
        if (instance !== fake.grammarInstances) throw new WebAssembly.RuntimeError("memory access out of bounds");
        fake.grammarsFreed += 1;
      },
    };
  }

  free(): void {
    // Nothing to free.
  }
}
