/**
 * Three wrappers around the browser's WebGPU objects, applied in the worker before the core starts.
 *
 * 1. `requestDevice` adds `subgroups` if the adapter supports it. wgpu 30's web backend has no name for this feature
 *    and so cannot request it, and shaders with `enable subgroups;` compile only on a device that was requested with
 *    it.
 * 2. `requestDevice` drops `timestamp-query` if the adapter lacks it, while the feature set claims to have it. cubecl
 *    0.11 panics when it opens a stream on an adapter without it, although it only uses it for profiling.
 * 3. `requestDevice` keeps the last device, so that its loss can be reported even if no call is waiting for it.
 */

type RequestDevice = GPUAdapter["requestDevice"];

export interface GpuHooks {
  /** Returns the device that the core opened last. */
  current(): GPUDevice | undefined;
}

export interface GpuShimOptions {
  /** Returns false to keep `subgroups` off, for a run without optional features. */
  subgroups(): boolean;
  onLost(info: GPUDeviceLostInfo): void;
}

interface GpuGlobals {
  GPUAdapter?: { prototype: { requestDevice: RequestDevice } };
  GPUSupportedFeatures?: { prototype: { has(name: string): boolean } };
}

export function installGpuShims(options: GpuShimOptions, scope: object = globalThis): GpuHooks {
  const { GPUAdapter, GPUSupportedFeatures } = scope as GpuGlobals;
  let device: GPUDevice | undefined;
  if (GPUAdapter !== undefined && GPUSupportedFeatures !== undefined) {
    const features = GPUSupportedFeatures.prototype;
    // eslint-disable-next-line @typescript-eslint/unbound-method -- called with the caller's `this` below
    const has = features.has;
    const adapter = GPUAdapter.prototype;

    const requestDevice = adapter.requestDevice;

    features.has = function (this: GPUSupportedFeatures, name: string): boolean {
      return name === "timestamp-query" || has.call(this, name);
    };
    adapter.requestDevice = async function (this: GPUAdapter, descriptor?: GPUDeviceDescriptor) {
      const wanted = new Set<GPUFeatureName>(descriptor?.requiredFeatures ?? []);
      if (options.subgroups() && has.call(this.features, "subgroups")) wanted.add("subgroups");
      if (!has.call(this.features, "timestamp-query")) wanted.delete("timestamp-query");
      const opened = await requestDevice.call(this, { ...descriptor, requiredFeatures: [...wanted] });
      device = opened;
      void opened.lost.then((info) => {
        options.onLost(info);
      });
      return opened;
    };
  }
  return { current: () => device };
}
