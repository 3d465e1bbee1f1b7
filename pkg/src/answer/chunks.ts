/** The parts common to the answers of both completion APIs. */
import type { TokenDelta, Usage } from "../core/wasm-contract.js";

/** Fields common to an answer and each of its chunks. */
export interface Head {
  id: string;
  created: number;
  model: string;
}

export function newHead(kind: "chatcmpl" | "cmpl", model: string): Head {
  const random = crypto.getRandomValues(new Uint32Array(4));
  const id = Array.from(random, (word) => word.toString(16).padStart(8, "0")).join("");
  return { id: `${kind}-${id}`, created: Math.floor(Date.now() / 1000), model };
}

/** Builders of one API's chunks; a builder returns undefined for events that the API does not report. */
export interface Chunks<Chunk> {
  begin(index: number): Chunk | undefined;
  step(delta: TokenDelta, index: number): Chunk | undefined;
  end(finish_reason: NonNullable<TokenDelta["finish_reason"]>, index: number): Chunk;
  usage(usage: Usage): Chunk;
  /** Reports how much of the prompt has been read; absent if nobody asked. */
  progress?(delta: TokenDelta, index: number): Chunk;
}

/** Accumulated steps of one answer. */
export class Answer {
  text = "";
  readonly ids: number[] = [];
  readonly logprobs: TokenDelta["logprobs"] = [];
  inThoughts = false;
  finish_reason: TokenDelta["finish_reason"] = null;

  add(delta: TokenDelta): void {
    this.text += delta.text;
    this.ids.push(...delta.ids);
    this.logprobs.push(...delta.logprobs);
    this.inThoughts = delta.in_thoughts;
    this.finish_reason = delta.finish_reason;
  }
}
