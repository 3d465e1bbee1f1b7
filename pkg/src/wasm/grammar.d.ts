/** Stands in for the generated `pkg/grammar/grammar.d.ts`, as `hearth.d.ts` does for the core's. */
import type { GrammarWasm } from "../core/wasm-contract.js";

declare const init: GrammarWasm["default"];
export default init;
export declare const Vocabulary: GrammarWasm["Vocabulary"];
export declare function __wbg_reset_state(): void;
