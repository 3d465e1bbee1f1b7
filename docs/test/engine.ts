/** Engines of the documentation's code: a file of the fake core stands for any model that is named, the CPU for the GPU. */
import type * as Module from "../../pkg/src/engine.js";

const model = new Blob(["GGUF".padEnd(100_000, "x")]);
const here = (options: Module.EngineOptions): Module.EngineOptions => ({ ...options, model, device: "cpu" });

/** Returns the module of engines, changed that way; for `vi.mock`. */
export function onFakeCore(original: typeof Module): typeof Module {
  const make = original.Engine.create.bind(original.Engine);
  original.Engine.create = (options) => make(here(options));
  return {
    ...original,
    inspectModel: (options) => original.inspectModel({ ...options, model }),
    openWorker: (options) => original.openWorker(here(options)),
  };
}
