/** Substitute for the generated `pkg/pictures/pictures.d.ts`, like `hearth.d.ts` for the core's. */
import type { PicturesWasm } from "../pictures/module.js";

declare const init: PicturesWasm["default"];
export default init;
export declare const probe: PicturesWasm["probe"];
export declare const prepare: PicturesWasm["prepare"];
export declare function __wbg_reset_state(): void;
