/** A worker for Node that translates. */
import { TranslationHost } from "../src/translation/worker/host.js";
import { ModuleWorkerDouble, type Post } from "./module-worker-double.js";
import { MODULE } from "./translation-module.js";

export class TranslationWorkerDouble extends ModuleWorkerDouble {
  static all: TranslationWorkerDouble[] = [];

  constructor(url: string | URL, options: { name: string }) {
    super(url, options);
    TranslationWorkerDouble.all.push(this);
  }

  protected override host(post: Post): TranslationHost {
    return new TranslationHost({ wasm: MODULE, wasmUrl: "about:blank", post });
  }
}
