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
import { HearthError, throwIfAborted, toHearthError } from "../core/errors.js";
import type { Engine, EngineOptions } from "../engine.js";
import type { Fit } from "../fit/fit.js";
import { RouterBackend, type Place, type Route, type Routed } from "./routes.js";

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
    const { local, remote, prefer = "local", smaller = false, fallback = false, signal } = options;
    throwIfAborted(signal);
    const common = { remote: remote.backend, fallback, choose: options.choose, onRoute: options.onRoute };
    if ("backend" in local) {
      const place = prefer === "remote" ? "remote" : "local";
      const reason = prefer === "fit" ? "it is loaded" : `prefer is ${prefer}`;
      return new Router(new RouterBackend({ ...common, place, reason, local: local.backend }), undefined);
    }
    if (prefer === "remote") {
      return new Router(new RouterBackend({ ...common, place: "remote", reason: "prefer is remote" }), undefined);
    }
    const abort = new AbortController();
    const ends = signal === undefined ? [abort.signal] : [abort.signal, signal];
    const own: EngineOptions = { ...local, signal: AbortSignal.any(local.signal ? [...ends, local.signal] : ends) };
    // Loaded where it is needed: an application that only asks a server does without the engine.
    const create = async (changes: Fit["changes"]): Promise<Backend> => {
      const { Engine } = await import("../engine.js");
      return (await Engine.create({ ...own, ...changes })).backend;
    };
    const end = (): void => {
      abort.abort();
    };
    if (prefer === "local") {
      const loading = create({});
      const backend = new RouterBackend({ ...common, place: "local", reason: "prefer is local", loading, end });
      await backend.ready;
      if (backend.failed !== undefined && !fallback) throw backend.failed;
      return new Router(backend, undefined);
    }
    const { fit, place, reason } = await decide(own, smaller, fallback);
    if (place === "remote") return new Router(new RouterBackend({ ...common, place, reason, end }), fit);
    const loading = create(fit?.changes ?? {});
    return new Router(new RouterBackend({ ...common, place, reason, loading, end, isEager: true }), fit);
  }

  rerank(params: RerankParams, options: RequestOptions = {}): Promise<RerankResponse> {
    return this.#api.rerank(params, options);
  }

  /** Ends the engine that the router created. An engine or connection of the caller's stays. */
  dispose(): void {
    this.backend.dispose();
  }
}

/** Asks `canRun` where the model should run. */
async function decide(
  options: EngineOptions,
  smaller: boolean,
  fallback: boolean,
): Promise<{ fit: Fit | undefined; place: Place; reason: string }> {
  const { canRun } = await import("../fit/fit.js");
  const { model, mmproj, totalBytes, download, signal, wasmUrl, workerUrl, contextSize, kvType } = options;
  const wanted = { model, mmproj, totalBytes, download, signal, wasmUrl, workerUrl, contextSize, kvType };
  const given = Object.fromEntries(Object.entries(wanted).filter(([, value]) => value !== undefined));
  let fit: Fit;
  try {
    fit = await canRun(given as { model: EngineOptions["model"] });
  } catch (error) {
    const reason = toHearthError(error);
    if (!fallback || reason.code === "cancelled") throw reason;
    return { fit: undefined, place: "remote", reason: `the local model could not be read: ${reason.message}` };
  }
  const { verdict, reasons } = fit;
  const why = reasons.join("; ");
  if (verdict === "fits") return { fit, place: "local", reason: "it fits this device" };
  if (verdict === "smaller" && smaller)
    return { fit, place: "local", reason: `it fits this device made smaller: ${why}` };
  // Nothing leaves the device for want of evidence.
  if (verdict === "unknown") return { fit, place: "local", reason: `nothing says that it does not fit: ${why}` };
  return { fit, place: "remote", reason: `the local model does not fit this device: ${why}` };
}
