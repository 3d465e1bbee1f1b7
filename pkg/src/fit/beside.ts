/** A model beside others: on the GPU as long as all fit, otherwise on the CPU. */
import { Engine, type EngineOptions } from "../engine.js";
import type { Notice } from "../core/protocol.js";
import { invalid } from "../core/errors.js";
import { canRun, type Fit } from "./fit.js";
import { roomOnMachine } from "./memory.js";

export interface BesideOptions extends Omit<EngineOptions, "device"> {
  /** Engines that run already, such as that of the chat model which an embedder serves. */
  beside: readonly Pick<Engine, "device" | "stats">[];
  /** Bytes that all of them may take on the GPU. Default: a guess from the machine's memory, if the browser tells it. */
  memory?: number;
}

/**
 * Creates an engine that shares the GPU with others if `canRun` says that it fits beside them unchanged, and runs on the
 * CPU if not, which `onNotice` is told (`cpu_fallback`). Where nothing shows that both fit, it is the CPU: a model that does not
 * fit takes the others' answers with it.
 *
 * @throws HearthError `invalid_request` for a stream, which cannot be read twice; those of `canRun` and `Engine.create`.
 */
export async function createBeside({ beside, memory, ...options }: BesideOptions): Promise<Engine> {
  if (options.model instanceof ReadableStream) throw invalid("model", "a file or an address", "a stream");
  const onGpu = beside.filter(({ device }) => device.kind === "webgpu");
  if (beside.length > 0 && onGpu.length === 0) return await Engine.create({ ...options, device: "auto" });
  const stats = await Promise.all(onGpu.map((engine) => engine.stats()));
  const held = stats.reduce((sum, { gpu_bytes }) => sum + gpu_bytes, 0);
  const all = memory ?? roomOnMachine()?.most;
  // Its memory alone matters, which is measured only if nothing else tells how much there is.
  const room = all === undefined ? {} : { memory: Math.max(0, all - held), probe: false };
  const fit = await canRun({ ...options, ...room });
  if (fit.verdict === "fits") return await Engine.create({ ...options, device: "auto" });
  options.onNotice?.(onCpu(fit));
  return await Engine.create({ ...options, device: "cpu" });
}

function onCpu({ report, reasons, verdict }: Fit): Notice {
  const why = verdict === "does_not_fit" && report.budget === undefined ? "it cannot be run" : reasons[0];
  return {
    code: "cpu_fallback",
    message: `${report.name || "The model"} runs on the CPU, beside the model on the GPU: ${why ?? "there is no room for both"}`,
    hint: "Choose a smaller model for the chat to have both on the GPU.",
  };
}
