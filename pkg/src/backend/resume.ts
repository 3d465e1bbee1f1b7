/**
 * An answer that goes on when its device is lost: another device reads what was given as it reads a prompt, and goes on
 * behind it with the random numbers that come next.
 */
import type { AnswerRequest } from "../core/protocol.js";
import type { Step } from "../core/wasm-contract.js";

export class Resumable {
  readonly #request: AnswerRequest;
  readonly #onStep: (step: Step) => void;
  readonly #given: number[] = [];

  /** Without a seed the request gets one here, so that every device draws from the same numbers. */
  constructor(request: AnswerRequest, onStep: (step: Step) => void) {
    const [seed = 0] = crypto.getRandomValues(new Uint32Array(1));
    this.#request = { ...request, seed: request.seed ?? seed };
    this.#onStep = onStep;
  }

  /** What is left to ask for. */
  request(): AnswerRequest {
    return this.#given.length === 0 ? this.#request : { ...this.#request, given: [...this.#given] };
  }

  take(step: Step): void {
    this.#given.push(...step.ids);
    this.#onStep(step);
  }
}
