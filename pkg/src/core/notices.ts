/** Notices used by both page and worker. */
import type { Notice } from "./protocol.js";

/** Returns the notice that the CPU path runs on one thread although more were intended. */
export function oneThread(why: string): Notice {
  return {
    code: "one_thread",
    message: `The model runs on one thread of the CPU, which is slower: ${why}.`,
    hint: "Close other pages and load it again, or choose a smaller model.",
  };
}
