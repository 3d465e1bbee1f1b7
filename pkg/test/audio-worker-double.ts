/** A worker for Node that recognises speech. */
import { SpeechHost } from "../src/audio/worker/host.js";
import { CORE } from "./audio-core.js";
import { MODULE } from "./audio-module.js";
import { ModuleWorkerDouble, type Post } from "./module-worker-double.js";

export class AudioWorkerDouble extends ModuleWorkerDouble {
  static all: AudioWorkerDouble[] = [];
  /** Called with each worker that is started, before it hears anything. */
  static onStart: ((worker: AudioWorkerDouble) => void) | undefined;

  constructor(url: string | URL, options: { name: string }) {
    super(url, options);
    AudioWorkerDouble.all.push(this);
    queueMicrotask(() => AudioWorkerDouble.onStart?.(this));
  }

  protected override host(post: Post): SpeechHost {
    return new SpeechHost({ wasm: MODULE, wasmUrl: "about:blank", core: CORE, coreUrl: "about:blank", post });
  }
}
