/**
 * Everything about the model's state that the visitor should see; at the very least that it runs slowly, and what
 * helps.
 */
import { computed } from "@preact/signals";
import type { LocalEngine } from "hearth-llm";
import { t } from "../text/index.js";
import { backend, load, localChoice, notices } from "./model.js";

/**
 * Whether the browser emulates the graphics card on the CPU: WebGPU in name only, and possibly slower than our own CPU
 * path.
 */
export function isEmulated({ device }: LocalEngine): boolean {
  return device.kind === "webgpu" && device.software;
}

export const banner = computed((): { texts: string[]; canUseCpu: boolean } => {
  const running = backend.value;
  if (running === undefined) return { texts: [], canUseCpu: false };
  const texts = notices.value.map(({ code, message }) => t().notices[code] || message);
  const isSaid = notices.value.some(({ code }) => code === "cpu_fallback");
  const { local } = running;
  if (local?.device.kind === "cpu" && !isSaid) texts.unshift(t().onCpu);
  const canUseCpu = local !== undefined && isEmulated(local);
  if (canUseCpu) texts.unshift(t().emulated);
  return { texts, canUseCpu };
});

/** Reloads the running model on the CPU. */
export function useCpu(): void {
  const choice = localChoice.value;
  if (choice === undefined) return;
  void load({ ...choice, options: { ...choice.options, device: "cpu" } });
}
