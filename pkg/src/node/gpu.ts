/** WebGPU outside browsers: the runtime's own, or that of the optional package `webgpu` (Dawn). */

interface Dawn {
  create(flags: string[]): GPU;
  globals: object;
}

/** Features whose method can be replaced, as `worker/gpu-shims.ts` does; Dawn's cannot. */
class Features extends Set<string> {
  override has(name: string): boolean {
    return super.has(name);
  }
}

/** An adapter whose methods can be replaced. */
class Adapter {
  readonly #native: GPUAdapter;
  readonly features: Features;

  constructor(native: GPUAdapter) {
    this.#native = native;
    this.features = new Features(native.features);
  }

  get limits(): GPUSupportedLimits {
    return this.#native.limits;
  }

  get info(): GPUAdapterInfo {
    return this.#native.info;
  }

  requestDevice(descriptor?: GPUDeviceDescriptor): Promise<GPUDevice> {
    return this.#native.requestDevice(descriptor);
  }
}

/**
 * Returns the entry to WebGPU, and defines the classes that the core and its shims look for; undefined if there is none. Whether
 * there is a GPU behind it shows when an adapter is asked for.
 */
export async function findGpu(scope: object = globalThis): Promise<unknown> {
  const { navigator: own } = scope as { navigator?: { gpu?: unknown } };
  // wgpu looks for WebGPU in the scope of a worker only if its class is there.
  const worker = (): void => {
    if (!("WorkerGlobalScope" in scope)) Object.assign(scope, { WorkerGlobalScope: EventTarget });
  };
  if (own?.gpu !== undefined) {
    worker();
    return own.gpu;
  }
  try {
    // (in a variable, since it is optional, and types and bundlers would want it)
    const name = "webgpu";
    const dawn = (await import(name)) as Dawn;
    Object.assign(scope, dawn.globals, { GPUAdapter: Adapter, GPUSupportedFeatures: Features });
    worker();
    const gpu = dawn.create([]);
    return {
      wgslLanguageFeatures: gpu.wgslLanguageFeatures,
      getPreferredCanvasFormat: () => "rgba8unorm",
      requestAdapter: async (options?: GPURequestAdapterOptions) => {
        const found = await gpu.requestAdapter(options);
        return found === null ? null : new Adapter(found);
      },
    };
  } catch {
    return undefined;
  }
}
