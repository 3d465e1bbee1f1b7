/**
 * A model on this device and one on a server behind one API. Nothing goes to the server but what the caller allowed:
 * by `prefer`, by `choose`, or by `fallback`. Each answer says where it was made and why.
 */
import { apiOf, type Api } from "../api/api.js";
import type { Completions, TextCompletions } from "../api/completions.js";
import type { Embeddings } from "../api/embeddings.js";
import type { Translations } from "../api/translations.js";
import type { RequestOptions } from "../api/openai.js";
import type { RerankParams, RerankResponse } from "../api/ranking.js";
import type { Backend } from "../backend/backend.js";
import type { HearthError } from "../core/errors.js";
import type { Engine, EngineOptions } from "../engine.js";
import type { Fit } from "../fit/fit.js";
import type { Place, Route, Routed, RouterBackend } from "./routes.js";

export interface RouterOptions {
  /** The model on this device: an engine, or the options to create one with. */
  local: Engine | EngineOptions;
  /** The model on a server, from `Remote.connect`. */
  remote: { readonly backend: Backend };
  /**
   * `"local"`, the default: this device. `"remote"`: the server; the local model is not loaded. `"fit"`: `canRun` decides
   * once, and the server answers while the local model is loading.
   */
  prefer?: Place | "fit";
  /** With `"fit"`: whether a model that fits only with a smaller context or quantised runs here. Default false. */
  smaller?: boolean;
  /** Whether the other place answers after an error of the first, if nothing of an answer has come. Default false. */
  fallback?: boolean;
  /** Chooses the place of one request; undefined leaves it to `prefer`. */
  choose?: (request: Routed) => Place | undefined;
  /** Called for each request with the place that it goes to. */
  onRoute?: (route: Route) => void;
  /** Aborts the creation with `cancelled`. */
  signal?: AbortSignal;
}

export class Router implements Api {
  /** Verdict of `canRun`; undefined where it was not asked. */
  readonly fit: Fit | undefined;
  /** The seam under the API, for `createFetch` and pages. */
  readonly backend: Backend;
  readonly chat: { readonly completions: Completions };
  readonly completions: TextCompletions;
  readonly embeddings: Embeddings;
  readonly translations: Translations;
  readonly closed: Promise<HearthError>;
  /** Resolves when the local model is loaded or has failed to load, or at once if it is not wanted. */
  readonly ready: Promise<void>;
  readonly #api: Api;

  private constructor(backend: RouterBackend, fit: Fit | undefined) {
    this.backend = backend;
    this.fit = fit;
    this.closed = backend.closed;
    this.ready = backend.ready;
    this.#api = apiOf(backend);
    const { chat, completions, embeddings, translations } = this.#api;
    this.chat = chat;
    this.completions = completions;
    this.embeddings = embeddings;
    this.translations = translations;
  }

  static async create(options: RouterOptions): Promise<Router> {
    // An application that only asks a server does without the routes.
    const { route } = await import("./routing.js");
    const { backend, fit } = await route(options);
    return new Router(backend, fit);
  }

  rerank(params: RerankParams, options: RequestOptions = {}): Promise<RerankResponse> {
    return this.#api.rerank(params, options);
  }

  /** Ends the engine that the router created. An engine or connection of the caller's stays. */
  dispose(): void {
    this.backend.dispose();
  }
}
