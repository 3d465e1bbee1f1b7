/** What the visitor should see of all that happened to the model; at least that it runs slowly, and what helps. */
import { computed } from "@preact/signals";
import type { Engine } from "hearth";
import { t } from "../text/index.js";
import { engine, load, model, notices } from "./model.js";

/** A graphics card that the browser plays on the CPU: WebGPU by name, and slower than the CPU's own path may be. */
export function isEmulated({ device }: Engine): boolean {
  return device.kind === "webgpu" && device.software;
}

export const banner = computed((): { texts: string[]; canUseCpu: boolean } => {
  const running = engine.value;
  if (running === undefined) return { texts: [], canUseCpu: false };
  const texts = notices.value.map(({ code, message }) => t().notices[code] || message);
  const isSaid = notices.value.some(({ code }) => code === "cpu_fallback");
  if (running.device.kind === "cpu" && !isSaid) texts.unshift(t().onCpu);
  const canUseCpu = isEmulated(running);
  if (canUseCpu) texts.unshift(t().emulated);
  return { texts, canUseCpu };
});

/** Loads the model that runs once more, on the CPU. */
export function useCpu(): void {
  if (model.value.name !== "running") return;
  const { choice } = model.value;
  void load({ ...choice, options: { ...choice.options, device: "cpu" } });
}
