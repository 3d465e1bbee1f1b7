/** The worker's side of a model source. */
export type { ByteSource } from "./source.js";
export { coalesce } from "./coalesce.js";
export { findModel, readHeaders, type OpenUrl } from "./model.js";
