/**
 * Substitute for the generated `pkg/wasm/hearth.d.ts`, so that the package type-checks before the core is built.
 * `scripts/build.mjs` copies the generated module to `dist/wasm/`, where the compiled import finds it.
 */
import type { HearthWasm, NetworkExports } from "../core/wasm-contract.js";

declare const init: HearthWasm["default"];
export default init;
export declare const constructorRuns: HearthWasm["constructorRuns"];
export declare const version: HearthWasm["version"];
export declare const Device: HearthWasm["Device"];
export declare const Loader: HearthWasm["Loader"];
export declare const Inspector: HearthWasm["Inspector"];
export declare const Sha256: HearthWasm["Sha256"];
export declare const Files: HearthWasm["Files"];
export declare const SpeechNetworkLoader: NetworkExports["SpeechNetworkLoader"];
