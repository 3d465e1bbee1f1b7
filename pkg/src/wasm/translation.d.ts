/** Substitute for the generated `pkg/translation/translation.d.ts`, like `hearth.d.ts` for the core's. */
import type { TranslationWasm } from "../translation/module.js";

declare const init: TranslationWasm["default"];
export default init;
export declare const TranslationLoader: TranslationWasm["TranslationLoader"];
