/** An engine that the tabs of a site share: the model is loaded once, by the tab that leads. */
import { LocalBackend } from "../backend/local.js";
import { throwIfAborted } from "../core/errors.js";
import type { Notice } from "../core/protocol.js";
import { LocalEngine } from "../local-engine.js";
import { sourceName } from "../source/given.js";
import { nameOf } from "./key.js";
import { here, type Place } from "./place.js";
import { SharedModel, type Role, type SharedOptions } from "./tab.js";

export class SharedEngine extends LocalEngine {
  readonly #roleNow: () => Role;

  private constructor(local: LocalBackend, notices: readonly Notice[], roleNow: () => Role) {
    super(local, notices);
    this.#roleNow = roleNow;
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
    const source = sourceName(options.model);
    throwIfAborted(options.signal);
    if (name === undefined || place.locks === undefined) {
      const { worker, loaded } = await place.open(options);
      options.onRole?.("leader");
      return new SharedEngine(new LocalBackend(worker, loaded, source), loaded.notices, () => "leader");
    }
    const shared = new SharedModel(place, place.locks, name, options);
    const loaded = await shared.open();
    return new SharedEngine(new LocalBackend(shared, loaded, source), loaded.notices, () => shared.role);
  }

  /** Whether the model runs in this tab or in another one; see `onRole`. */
  get role(): Role {
    return this.#roleNow();
  }
}
