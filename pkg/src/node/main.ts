/** The entry `hearth-llm` of Node, Deno and Bun: that of browsers, with their parts. */
import "./platform.js";

export * from "../index.js";
