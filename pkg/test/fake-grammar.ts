/** Stands in for the module that follows formats: a choice is its first text, and of others `!trap` and `!bad` fail. */
import type { WasmGrammar, WasmVocabulary } from "../src/wasm-contract.js";
import { fake } from "./fake-wasm.js";

export default function init(): Promise<unknown> {
  return fake.isBroken ? Promise.reject(new WebAssembly.CompileError("expected magic word")) : Promise.resolve({});
}

export class Vocabulary implements WasmVocabulary {
  grammar(format: string): WasmGrammar {
    if (format.includes("!trap")) throw new WebAssembly.RuntimeError("unreachable");
    if (format.includes("!bad")) throw new Error("expected something else");
    const { choice } = JSON.parse(format) as { choice?: string[] };
    return {
      allow: () => true,
      forced: () => new TextEncoder().encode(choice?.[0] ?? format),
      accept: () => undefined,
      free: () => {
        fake.grammarsFreed += 1;
      },
    };
  }

  free(): void {
    // Nothing to free.
  }
}
