/**
 * A generation that may be begun again on another device: what was given before is not given twice.
 *
 * With the same seed the same tokens come again. Where they do not, because another device rounds differently, what was
 * given cannot be continued, and the request fails.
 */
import { HearthError } from "./errors.js";
import type { AnswerRequest } from "./protocol.js";
import type { Step } from "./wasm-contract.js";

/** The request with a seed of its own, so that another attempt draws the same numbers. */
export function withSeed(request: AnswerRequest): AnswerRequest {
  const [seed = 0] = crypto.getRandomValues(new Uint32Array(1));
  return { ...request, seed: request.seed ?? seed };
}

export class Replay {
  readonly #onStep: (step: Step) => void;
  readonly #given: number[] = [];
  #text = "";
  #failure: HearthError | undefined;

  constructor(onStep: (step: Step) => void) {
    this.#onStep = onStep;
  }

  /** For one attempt: gives on what is new. */
  attempt(): (step: Step) => void {
    let [seen, text] = [0, ""];
    const known = this.#given.length;
    return (step) => {
      if (this.#failure !== undefined) return;
      const ids: number[] = [];
      const logprobs: Step["logprobs"] = [];
      for (const [i, id] of step.ids.entries()) {
        const own = step.logprobs[i];
        if (seen >= known) {
          ids.push(id);
          if (own !== undefined) logprobs.push(own);
        } else if (this.#given[seen] !== id) {
          this.#fail();
          return;
        }
        seen += 1;
      }
      if (seen < known && step.finish_reason !== null) {
        this.#fail();
        return;
      }
      text += step.text;
      const fresh = text.slice(this.#text.length);
      if (seen < known) return;
      this.#given.push(...ids);
      this.#text += fresh;
      this.#onStep({ ...step, ids, logprobs, text: fresh });
    };
  }

  #fail(): void {
    this.#failure = new HearthError("device_lost", "the device was lost, and another one gives another answer", {
      hint: "Ask again.",
    });
  }

  /** Throws what an attempt could not tell. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }
}
