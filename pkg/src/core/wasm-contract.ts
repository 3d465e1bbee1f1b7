/**
 * The Rust core as TypeScript sees it: the generated types, and the functions that wasm-bindgen adds to each module.
 *
 * Every failure is a thrown Error named "HearthError" with `code`, `message` and `hint`.
 */
import type { CoreExports, GrammarExports, ModelInfo } from "./contract.generated.js";

export type * from "./contract.generated.js";

/** Output style of a model according to its chat template. */
export type TemplateStyle = Pick<ModelInfo, "tool_style" | "thought_marks">;

interface WasmModule {
  default(arg: { module_or_path: URL | string | Response | WebAssembly.Module }): Promise<unknown>;
}

export interface HearthWasm extends WasmModule, CoreExports {}

/** The module that implements formats. */
export interface GrammarWasm extends WasmModule, GrammarExports {
  /** Creates a new instance of the module after a trap (wasm-bindgen's option in `wasm-pack.toml`). */
  __wbg_reset_state(): void;
}
