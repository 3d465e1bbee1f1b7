/** The worker's side of a model source. */
export type { ByteSource } from "./source.js";
export { coalesce } from "./coalesce.js";
export { findModel, hubAccess, readHeaders, type FolderFiles, type ModelFiles, type OpenUrl } from "./model.js";
