/** Fixed tunings in place of measuring a device: which kernels run must not depend on how busy a machine is. */
import type { DeviceTuning } from "hearth-llm";

/** One thread per row and no subgroups: the fastest choice on software rasterisers. */
export const PLAIN_GPU: DeviceTuning = {
  decode_lanes: 1,
  prefill_lanes: 1,
  subgroups: false,
  arithmetic: "f32",
  wide: false,
  macs_per_ms: 2e6,
};

/** A real GPU's measurements: many threads per row, prefill through workgroup memory. */
export const LARGE_GPU: DeviceTuning = {
  ...PLAIN_GPU,
  decode_lanes: 16,
  prefill_lanes: 16,
  wide: true,
  macs_per_ms: 1e6,
};

export const LARGE_GPU_WITH_SUBGROUPS: DeviceTuning = { ...LARGE_GPU, subgroups: true };
