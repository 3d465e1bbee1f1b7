/** Messages between the page and the worker of a module beside the core, such as that for speech. Each reply names the call that it answers. */
import type { SerializedError } from "./errors.js";
import type { LoadProgress } from "./protocol.js";

/** Calls of the page by name, each with its parameters and result. */
export type CallTable<Calls> = { [K in keyof Calls]: { params: unknown; result: unknown } };

export type ModuleCall<Calls extends CallTable<Calls>> = {
  [K in keyof Calls]: { type: "call"; id: number; call: K; params: Calls[K]["params"] };
}[keyof Calls];

export type ToModule<Calls extends CallTable<Calls>> = ModuleCall<Calls> | { type: "cancel"; id: number };

export type FromModule<Calls extends CallTable<Calls>, Event> =
  | { type: "result"; id: number; result: Calls[keyof Calls]["result"] }
  | { type: "error"; id: number; error: SerializedError }
  | { type: "progress"; id: number; progress: LoadProgress }
  | { type: "event"; id: number; event: Event }
  /** Fatal end of the worker: the module trapped, and its memory cannot be trusted. */
  | { type: "fatal"; error: SerializedError };
