/**
 * An answer that survives the loss of its device: the next device prefills the tokens delivered so far along with the
 * prompt and resumes sampling with the same random state.
 */
import type { AnswerRequest } from "../core/protocol.js";
import type { Step } from "../core/wasm-contract.js";

export class ResumableAnswer {
  readonly #request: AnswerRequest;
  readonly #onStep: (step: Step) => void;
  readonly #given: number[] = [];

  /** Creates the answer. A request without a seed gets one here, so that every device draws the same random numbers. */
  constructor(request: AnswerRequest, onStep: (step: Step) => void) {
    const [seed = 0] = crypto.getRandomValues(new Uint32Array(1));
    this.#request = { ...request, seed: request.seed ?? seed };
    this.#onStep = onStep;
  }

  /** Returns the request for the rest of the answer. */
  request(): AnswerRequest {
    return this.#given.length === 0 ? this.#request : { ...this.#request, given: [...this.#given] };
  }

  take(step: Step): void {
    this.#given.push(...step.ids);
    this.#onStep(step);
  }
}
