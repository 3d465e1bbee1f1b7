/** Substitute for the generated `pkg/grammar/grammar.d.ts`, like `hearth.d.ts` for the core's. */
import type { GrammarWasm } from "../core/wasm-contract.js";

declare const init: GrammarWasm["default"];
export default init;
export declare const Vocabulary: GrammarWasm["Vocabulary"];
export declare function __wbg_reset_state(): void;
