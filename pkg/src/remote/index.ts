/** Models on servers of OpenAI's API, and the choice between them and a model on this device. */
export { BuiltIn } from "./built-in.js";
export { Remote, type RemoteOptions } from "./remote.js";
export { Router, type RouterOptions } from "./router.js";
export type { Place, Route, Routed } from "./routes.js";
export type { ServerKind } from "./servers.js";
export type { Timeouts } from "./connection.js";
export type { Api } from "../api/api.js";
