/** The entry `hearth-llm/cache` of Node, Deno and Bun. */
import "./platform.js";

export * from "../cache/index.js";
