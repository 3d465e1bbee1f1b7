/** Approval of calls: what a user has allowed, for as long as the object lives. */
import type { ToolCall } from "./tool.js";

/** A user's word on a call: this one, all calls of this tool in this chat, or not this one. */
export type Verdict = "once" | "always" | "no";

/** Function that shows a call with its arguments to the user and returns the user's word. */
export type AskApproval = (call: ToolCall, options: { signal: AbortSignal }) => Verdict | Promise<Verdict>;

/**
 * Approvals of a chat. One object for all its runs makes `"always"` last from message to message; `clear` takes all of it
 * back.
 */
export class Approvals {
  readonly #ask: AskApproval;
  readonly #always = new Set<string>();
  #tail: Promise<unknown> = Promise.resolve();

  constructor(ask: AskApproval) {
    this.#ask = ask;
  }

  /** Forgets every `"always"`. */
  clear(): void {
    this.#always.clear();
  }

  /** Returns whether a call may run. Calls are asked about one at a time, in order. */
  allows(call: ToolCall, options: { signal: AbortSignal }): Promise<boolean> {
    const allowed = this.#tail.then(() => this.#decide(call, options));
    this.#tail = allowed.catch(() => undefined);
    return allowed;
  }

  async #decide(call: ToolCall, options: { signal: AbortSignal }): Promise<boolean> {
    options.signal.throwIfAborted();
    // The whole definition: a server that changes what a tool says it does has to ask again.
    const key = JSON.stringify([call.tool?.source, call.tool?.function]);
    if (this.#always.has(key)) return true;
    const verdict: unknown = await this.#ask(call, options);
    if (verdict === "always") this.#always.add(key);
    // Anything else, true included, is a mistake of the caller's and no approval.
    return verdict === "always" || verdict === "once";
  }
}
