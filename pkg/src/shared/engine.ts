/** An engine that the tabs of a site share: the model is loaded once, by the tab that leads. */
import { apiOf, type Api } from "../api/api.js";
import type { Completions, TextCompletions } from "../api/completions.js";
import type { Embeddings } from "../api/embeddings.js";
import type { RequestOptions } from "../api/openai.js";
import type { RerankParams, RerankResponse } from "../api/ranking.js";
import type { Backend } from "../backend/backend.js";
import { LocalBackend } from "../backend/local.js";
import { throwIfAborted, type HearthError } from "../core/errors.js";
import type { Notice } from "../core/protocol.js";
import type { DeviceInfo, EngineStats, ModelInfo } from "../core/wasm-contract.js";
import { diagnose, type Diagnostics } from "../fit/diagnostics.js";
import { nameOf } from "./key.js";
import { here, type Place } from "./place.js";
import { SharedModel, type Role, type SharedOptions } from "./tab.js";

export class SharedEngine implements Api {
  readonly device: DeviceInfo;
  readonly model: ModelInfo;
  /** First notice of the load for the user, e.g. that the model runs on the CPU. */
  readonly notice: Notice | undefined;
  /** Version of the core. */
  readonly version: string;
  /** The seam under the API, for `createFetch`, routers and pages. */
  readonly backend: Backend;
  readonly chat: { readonly completions: Completions };
  /** Completions that continue a text without the model's chat template. */
  readonly completions: TextCompletions;
  /** Embeddings, for models trained for them. */
  readonly embeddings: Embeddings;
  /** Resolves with the reason when the engine has ended in this tab. A leader that goes is no such reason. */
  readonly closed: Promise<HearthError>;
  readonly #local: LocalBackend;
  readonly #api: Api;
  readonly #roleNow: () => Role;

  private constructor(local: LocalBackend, notices: readonly Notice[], roleNow: () => Role) {
    this.#local = local;
    this.#roleNow = roleNow;
    this.backend = local;
    this.closed = local.closed;
    this.device = local.device;
    this.model = local.model;
    this.notice = notices[0];
    this.version = local.version;
    this.#api = apiOf(local);
    const { chat, completions, embeddings } = this.#api;
    this.chat = chat;
    this.completions = completions;
    this.embeddings = embeddings;
  }

  /**
   * Joins the tabs that want the same model with the same options, and waits until one of them has loaded it: this one
   * if it is the first.
   *
   * Without Web Locks (a page without HTTPS), and with a stream or a Blob without a name as the model, nothing is shared:
   * this tab leads alone.
   */
  static create(options: SharedOptions): Promise<SharedEngine> {
    return SharedEngine.createAt(here(), options);
  }

  /**
   * Creates the engine in a tab of another browser than this page's: one of a test.
   *
   * @internal
   */
  static async createAt(place: Place, options: SharedOptions): Promise<SharedEngine> {
    throwIfAborted(options.signal);
    const name = await nameOf(options);
    throwIfAborted(options.signal);
    if (name === undefined || place.locks === undefined) {
      const { worker, loaded } = await place.open(options);
      options.onRole?.("leader");
      return new SharedEngine(new LocalBackend(worker, loaded), loaded.notices, () => "leader");
    }
    const shared = new SharedModel(place, place.locks, name, options);
    const loaded = await shared.open();
    return new SharedEngine(new LocalBackend(shared, loaded), loaded.notices, () => shared.role);
  }

  /** Whether the model runs in this tab or in another one; see `onRole`. */
  get role(): Role {
    return this.#roleNow();
  }

  /** Ranks documents by how well they answer a query, with a model made for it: the best first. */
  rerank(params: RerankParams, options: RequestOptions = {}): Promise<RerankResponse> {
    return this.#api.rerank(params, options);
  }

  tokenize(text: string): Promise<Uint32Array> {
    return this.#local.tokenize(text);
  }

  detokenize(ids: Uint32Array | number[]): Promise<string> {
    return this.#local.detokenize(ids);
  }

  /** Returns the number of tokens in a text. */
  async count(text: string): Promise<number> {
    return (await this.tokenize(text)).length;
  }

  /** Returns the counters of the one engine that all tabs use. */
  stats(): Promise<EngineStats> {
    return this.#local.stats();
  }

  /** Returns the facts needed to investigate a problem. */
  async diagnostics(): Promise<Diagnostics> {
    return await diagnose(this, await this.stats());
  }

  /**
   * Leaves the other tabs; running requests of this one and later calls reject with `disposed`. If this tab leads, the
   * next one loads the model, and answers go on there.
   */
  dispose(): void {
    this.#local.dispose();
  }

  /** Destroys the GPU device, in whichever tab it is, so that tests can observe how a page reacts. */
  async loseDevice(): Promise<void> {
    await this.#local.loseDevice();
  }
}
