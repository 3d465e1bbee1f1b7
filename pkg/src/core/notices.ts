/** Notices that page and worker both give. */
import type { Notice } from "./protocol.js";

/** The CPU path works on one thread where more were to help it. */
export function oneThread(why: string): Notice {
  return {
    code: "one_thread",
    message: `The model runs on one thread of the CPU, which is slower: ${why}.`,
    hint: "Close other pages and load it again, or choose a smaller model.",
  };
}
