/** WebGPU outside browsers: the runtime's own, or that of the optional package `webgpu` (Dawn). */

interface Dawn {
  create(flags: string[]): unknown;
  globals: object;
}

/**
 * Returns the entry to WebGPU, and defines the classes that the core and its shims look for; undefined if there is none. Whether
 * there is a GPU behind it shows when an adapter is asked for.
 */
export async function findGpu(scope: object = globalThis): Promise<unknown> {
  const { navigator: own } = scope as { navigator?: { gpu?: unknown } };
  // wgpu looks for WebGPU in the scope of a worker only if its class is there.
  const worker = (): void => {
    if (!("WorkerGlobalScope" in scope)) Object.assign(scope, { WorkerGlobalScope: class WorkerGlobalScope {} });
  };
  if (own?.gpu !== undefined) {
    worker();
    return own.gpu;
  }
  try {
    // (in a variable, since it is optional, and types and bundlers would want it)
    const name = "webgpu";
    const { create, globals } = (await import(name)) as Dawn;
    Object.assign(scope, globals);
    worker();
    return create([]);
  } catch {
    return undefined;
  }
}
