/** Measurement of the GPU's memory bandwidth, which limits tokens per second. Takes a tenth of a second. */

const BYTES = 64 << 20;
const ROUNDS = 8;
const WORKGROUPS = 1024;
const THREADS = 256;
/** Value of `GPUBufferUsage.STORAGE`. */
const STORAGE = 0x80;

const SHADER = `
@group(0) @binding(0) var<storage, read> data: array<vec4<u32>>; // [BYTES / 16]
@group(0) @binding(1) var<storage, read_write> sums: array<u32>; // [WORKGROUPS]

@compute @workgroup_size(${String(THREADS)})
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(workgroup_id) wg: vec3<u32>) {
  var sum = vec4<u32>(0u);
  for (var i = id.x; i < ${String(BYTES / 16)}u; i += ${String(WORKGROUPS * THREADS)}u) {
    sum ^= data[i];
  }
  // Never true, as the data is zeros; the compiler does not know.
  if (sum.x + sum.y + sum.z + sum.w > 0u) {
    sums[wg.x] = sum.x;
  }
}`;

/** Returns bytes per second, from the time that `ROUNDS` more passes take; undefined without WebGPU. */
export async function measureBandwidth(): Promise<number | undefined> {
  const gpu = (globalThis.navigator as Navigator | undefined)?.gpu;
  const adapter = await gpu?.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) return undefined;
  const device = await adapter.requestDevice();
  try {
    const data = device.createBuffer({ size: BYTES, usage: STORAGE });
    const sums = device.createBuffer({ size: 4 * WORKGROUPS, usage: STORAGE });
    const module = device.createShaderModule({ code: SHADER });
    const pipeline = await device.createComputePipelineAsync({ layout: "auto", compute: { module } });
    const bindings = [data, sums].map((buffer, binding) => ({ binding, resource: { buffer } }));
    const group = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries: bindings });
    const run = async (passes: number): Promise<number> => {
      const encoder = device.createCommandEncoder();
      for (let i = 0; i < passes; i++) {
        const pass = encoder.beginComputePass();
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, group);
        pass.dispatchWorkgroups(WORKGROUPS);
        pass.end();
      }
      const start = performance.now();
      device.queue.submit([encoder.finish()]);
      await device.queue.onSubmittedWorkDone();
      return performance.now() - start;
    };
    await run(1);
    // The fixed cost of a submit is in both times, so it cancels out in the difference.
    const [one, many] = [await run(1), await run(1 + ROUNDS)];
    return many > one ? (BYTES * ROUNDS * 1000) / (many - one) : undefined;
  } finally {
    device.destroy();
  }
}
