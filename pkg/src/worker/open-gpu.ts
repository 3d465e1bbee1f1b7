/** Worker side: opens the GPU. */
import type { CoreExports, DeviceOptions, WasmDevice } from "../core/wasm-contract.js";
import { keepTuning, keptTuning } from "./tuning-store.js";

/** Opens the GPU with earlier measurements, unless the caller's options restrict the device, which changes them. */
export async function openGpu(
  wasm: Pick<CoreExports, "Device" | "version">,
  options: DeviceOptions,
  adapter: string,
): Promise<WasmDevice> {
  if (Object.keys(options).length > 0) return wasm.Device.open("webgpu", options);
  const tuning = await keptTuning(adapter, wasm.version());
  const device = await wasm.Device.open("webgpu", tuning === undefined ? {} : { tuning });
  if (tuning === undefined) await keepTuning(adapter, wasm.version(), device.tuning());
  return device;
}
