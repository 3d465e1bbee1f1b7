/**
 * One model for all tabs of a site. A tab elected by a Web Lock loads it; the others ask that tab. When it closes,
 * crashes or is frozen, another one takes over, and running answers go on with the tokens that they would have had.
 *
 * ```ts
 * import { SharedEngine } from "hearth-llm/shared";
 *
 * const engine = await SharedEngine.create({ model: "Qwen/Qwen3-0.6B-GGUF", onRole: (role) => console.log(role) });
 * ```
 */
export { SharedEngine } from "./engine.js";
export type { Role, SharedOptions } from "./tab.js";
