/** The fake core at the pace of a middling machine, for work on the page. */
import { fake } from "../../pkg/test/fake-wasm.js";

Object.assign(fake, { stepMs: 35, pushMs: 60, compileMs: 60 });

export * from "../../pkg/test/fake-wasm.js";
export { default } from "../../pkg/test/fake-wasm.js";
