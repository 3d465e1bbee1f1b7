/**
 * The browser's own model (Chrome's Prompt API), as one more place that answers. Nothing is downloaded for it: it is
 * taken only where the browser says that it is ready.
 */
import { apiOf } from "../api/api.js";
import type { Completions } from "../api/completions.js";
import type { Backend, BackendModel } from "../backend/backend.js";
import { HearthError } from "../core/errors.js";
import type { BrowserModel } from "./built-in-backend.js";

export class BuiltIn {
  readonly model: BackendModel;
  readonly backend: Backend;
  readonly chat: { readonly completions: Completions };

  private constructor(backend: Backend) {
    this.backend = backend;
    this.model = backend.model;
    this.chat = apiOf(backend).chat;
  }

  /**
   * Takes the browser's model if it is on this device already.
   *
   * @throws HearthError `remote_model` if the browser has none, or would have to download it.
   */
  static async connect(): Promise<BuiltIn> {
    const found = (globalThis as { LanguageModel?: BrowserModel }).LanguageModel;
    const state = (await found?.availability()) ?? "unavailable";
    if (found === undefined || state !== "available") {
      throw new HearthError("remote_model", `this browser has no model of its own that is ready: ${state}`, {
        hint: "Chrome has one on machines that can run it, once it has downloaded it. Choose another model.",
      });
    }
    // Few browsers have one, so what asks it is loaded where there is one.
    const { BuiltInBackend } = await import("./built-in-backend.js");
    return new BuiltIn(new BuiltInBackend(found));
  }

  dispose(): void {
    this.backend.dispose();
  }
}
