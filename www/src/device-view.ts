/** Which device runs which model: the pill in the header, the panel behind it, and the banner with what to know of it. */
import type { Engine, Notice } from "hearth";
import { byId, el } from "./dom.js";
import { formatBytes, formatCount, formatParameters } from "./format.js";

const ON_CPU = "The model runs on the CPU, which is much slower than WebGPU on a graphics card.";

export function showDevice(engine: Engine): void {
  const { device, model } = engine;
  const pill = byId("device", HTMLButtonElement);
  pill.hidden = false;
  pill.dataset.kind = device.kind;
  const name = deviceName(engine);
  // The CPU's name says what it is; a GPU's does not say that WebGPU runs it.
  byId("device-label", HTMLElement).textContent = device.kind === "webgpu" ? `WebGPU · ${name}` : name;

  const features = device.features.join(", ") || "none";
  byId("details", HTMLElement).replaceChildren(
    el("h2", "", "Device"),
    table({
      Name: name,
      Kind:
        device.kind === "webgpu"
          ? device.software
            ? "WebGPU, emulated on the CPU"
            : "WebGPU"
          : "CPU, WebAssembly SIMD",
      Backend: device.backend,
      Features: features,
      "Largest buffer": formatBytes(device.limits.maxBufferSize),
      "Largest binding": formatBytes(device.limits.maxStorageBufferBindingSize),
    }),
    el("h2", "", "Model"),
    table({
      Name: model.name,
      Architecture: model.architecture,
      Parameters: formatParameters(model.parameters),
      Layers: formatCount(model.n_layers),
      Context: `${formatCount(model.n_ctx)} tokens`,
      Weights: `${formatBytes(model.weight_bytes)} · ${Object.keys(model.quants).join(", ")}`,
      "KV cache": `${formatBytes(model.kv_bytes)} · ${model.kv_type}`,
    }),
    el("p", "muted", `Hearth ${engine.version}`),
  );
}

/** What the user should see of all that happened; at least that the CPU is slow. */
export function showNotices({ device }: Engine, notices: readonly Notice[]): void {
  const texts = notices.map(({ message }) => message);
  const isSaid = notices.some(({ code }) => code === "cpu_fallback");
  if (device.kind === "cpu" && !isSaid) texts.unshift(ON_CPU);
  const banner = byId("banner", HTMLElement);
  banner.hidden = texts.length === 0;
  banner.replaceChildren(...texts.map((text) => el("div", "", text)));
}

export function hideDevice(): void {
  byId("device", HTMLElement).hidden = true;
  byId("banner", HTMLElement).hidden = true;
}

function deviceName({ device }: Engine): string {
  return (
    device.name ||
    [device.vendor, device.architecture].filter(Boolean).join(" ") ||
    (device.kind === "webgpu" ? "unnamed GPU" : "CPU")
  );
}

function table(rows: Record<string, string>): HTMLElement {
  const list = el("dl", "");
  for (const [name, value] of Object.entries(rows)) {
    if (value !== "") list.append(el("dt", "", name), el("dd", "", value));
  }
  return list;
}
