/** Finds out why there is no WebGPU before the core tries to open it: the browser's reasons are visible only here. */
import { HearthError } from "../core/errors.js";
import { platform } from "../core/platform.js";

interface ProbeScope {
  isSecureContext?: boolean;
  navigator?: { gpu?: Pick<GPU, "requestAdapter"> };
}

/** Throws `no_webgpu` with the reason if WebGPU cannot be used. Returns the adapter's description. */
export async function requireWebGpu(scope: ProbeScope = globalThis): Promise<string> {
  const found = await probe(scope);
  if ("missing" in found) {
    const advice = platform.noGpu === undefined ? {} : { hint: platform.noGpu.hint };
    throw new HearthError("no_webgpu", `WebGPU is not available: ${found.missing}`, advice);
  }
  return found.name;
}

async function probe(scope: ProbeScope): Promise<{ missing: string } | { name: string }> {
  const gpu = scope.navigator?.gpu;
  if (gpu === undefined) {
    return {
      missing:
        platform.noGpu?.missing ??
        (scope.isSecureContext === false
          ? "the page was not loaded over https or from localhost, and browsers offer WebGPU only there"
          : "this browser does not offer it in workers (navigator.gpu is missing)"),
    };
  }
  try {
    const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
    if (adapter === null) return { missing: "the browser found no usable GPU (requestAdapter gave null)" };
    const { vendor, architecture, device, description } = adapter.info;
    return { name: [vendor, architecture, device, description].join("/") };
  } catch (error) {
    return { missing: error instanceof Error ? error.message : String(error) };
  }
}
