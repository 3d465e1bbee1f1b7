/**
 * Finds out why there is no WebGPU, before the core tries to open it: the browser's reasons are visible only from here.
 */
import { HearthError } from "./errors.js";

interface ProbeScope {
  isSecureContext?: boolean;
  navigator?: { gpu?: Pick<GPU, "requestAdapter"> };
}

/** Throws `no_webgpu` with the reason where WebGPU cannot be used. */
export async function requireWebGpu(scope: ProbeScope = globalThis): Promise<void> {
  const reason = await missingReason(scope);
  if (reason !== undefined) throw new HearthError("no_webgpu", `WebGPU is not available: ${reason}`);
}

async function missingReason(scope: ProbeScope): Promise<string | undefined> {
  const gpu = scope.navigator?.gpu;
  if (gpu === undefined) {
    return scope.isSecureContext === false
      ? "the page was not loaded over https or from localhost, and browsers offer WebGPU only there"
      : "this browser does not offer it in workers (navigator.gpu is missing)";
  }
  try {
    const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
    return adapter === null ? "the browser found no usable GPU (requestAdapter gave null)" : undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
