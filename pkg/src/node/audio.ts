/** The entry `hearth-llm/audio` of Node, Deno and Bun. */
import "./platform.js";

export * from "../audio/index.js";
