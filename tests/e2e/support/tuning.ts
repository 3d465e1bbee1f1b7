/** Fixed tunings in place of measuring a device: which kernels run must not depend on how busy a machine is. */
import type { DeviceTuning } from "hearth-llm";

/** One thread per row and no subgroups: the fastest choice on software rasterisers. */
export const PLAIN_GPU: DeviceTuning = {
  decode_threads_per_tile: 1,
  prefill_threads_per_tile: 1,
  subgroups: false,
  arithmetic: "f32",
  shared_tile: false,
  macs_per_ms: 2e6,
};

/** A real GPU's measurements: many threads per row, prefill through workgroup memory. */
export const LARGE_GPU: DeviceTuning = {
  ...PLAIN_GPU,
  decode_threads_per_tile: 16,
  prefill_threads_per_tile: 16,
  shared_tile: true,
  macs_per_ms: 1e6,
};

export const LARGE_GPU_WITH_SUBGROUPS: DeviceTuning = { ...LARGE_GPU, subgroups: true };
