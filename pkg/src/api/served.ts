/** Engines, remote models and backends as `createFetch` and the providers of other SDKs take them. */
import type { Backend, BackendModel } from "../backend/backend.js";
import { apiOf, type Api } from "./api.js";

/** The part of an engine or a remote model that is served. */
export interface Served extends Api {
  readonly model: BackendModel;
  /** Adapters that a request may name as its model, which engines have. */
  readonly adapters?: { list(): Promise<readonly { name: string }[]> };
}

/** The engine or backend, or a function that chooses one by the requested model's name. */
export type EngineChoice = Served | Backend | ((model: string) => Served | Backend | Promise<Served | Backend>);

/** Returns the API of the engine or backend that serves the named model. */
export async function choose(choice: EngineChoice, model: string): Promise<Served> {
  const chosen = typeof choice === "function" ? await choice(model) : choice;
  return "streamChat" in chosen ? { ...apiOf(chosen), model: chosen.model } : chosen;
}
