/**
 * An answer that survives the loss of its device: the next device prefills the tokens delivered so far along with the
 * prompt and resumes sampling with the same random state.
 */
import type { AnswerRequest } from "../core/protocol.js";
import type { TokenDelta } from "../core/wasm-contract.js";

export class ResumableAnswer {
  readonly #request: AnswerRequest;
  readonly #onDelta: (delta: TokenDelta) => void;
  readonly #ids: number[] = [];

  /** Creates the answer. A request without a seed gets one here, so that every device draws the same random numbers. */
  constructor(request: AnswerRequest, onDelta: (delta: TokenDelta) => void) {
    const [seed = 0] = crypto.getRandomValues(new Uint32Array(1));
    this.#request = { ...request, seed: request.seed ?? seed };
    this.#onDelta = onDelta;
  }

  /** Returns the request for the rest of the answer, which may itself be the rest of an answer begun elsewhere. */
  request(): AnswerRequest {
    if (this.#ids.length === 0) return this.#request;
    const { resume_ids = [], repeat_resumed = false, ...others } = this.#request;
    // The first tokens repeat all that was asked for.
    const before = repeat_resumed ? [] : resume_ids;
    return { ...others, resume_ids: [...before, ...this.#ids] };
  }

  take(delta: TokenDelta): void {
    this.#ids.push(...delta.ids);
    this.#onDelta(delta);
  }
}
