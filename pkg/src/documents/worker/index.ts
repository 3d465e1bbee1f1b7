/**
 * Documents off the page's thread: read by one worker, found by their words in another. Where no worker starts, the page
 * does the same by itself.
 */
export { ReadingWorker } from "./reading.js";
export { WorkerWords } from "./words.js";
export type { DocumentsWorkerOptions } from "./start.js";
