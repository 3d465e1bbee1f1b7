/**
 * Measurement of what limits a GPU's tokens per second: its memory bandwidth, and the time from one launch to the next
 * that waits for it. Takes a tenth of a second.
 */

const BYTES = 64 << 20;
const ROUNDS = 8;
const WORKGROUPS = 1024;
const THREADS = 256;
/** Launches that wait for one another. */
const CHAIN = 512;
/** Value of `GPUBufferUsage.STORAGE`. */
const STORAGE = 0x80;

const READ = `
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

/** Reads what the launch before it wrote. */
const STEP = `
@group(0) @binding(0) var<storage, read_write> sums: array<u32>;

@compute @workgroup_size(1)
fn main() {
  sums[0] += 1u;
}`;

/** A GPU's measurements; each is undefined where the clock did not tell. */
export interface GpuSpeed {
  /** Bytes read per second. */
  bandwidth: number | undefined;
  /** Microseconds between two launches of which one waits for the other. */
  launchGap: number | undefined;
}

/** Measures the GPU; undefined without WebGPU. */
export async function measureSpeed(): Promise<GpuSpeed | undefined> {
  const gpu = (globalThis.navigator as Navigator | undefined)?.gpu;
  const adapter = await gpu?.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) return undefined;
  const device = await adapter.requestDevice();
  try {
    const data = device.createBuffer({ size: BYTES, usage: STORAGE });
    const sums = device.createBuffer({ size: 4 * WORKGROUPS, usage: STORAGE });
    const read = await kernel(device, READ, [data, sums], WORKGROUPS);
    const step = await kernel(device, STEP, [sums], 1);
    // From the difference of one run and more, because the fixed cost of a submit is in both times.
    const milliseconds = async ({ run }: Kernel, few: number, more: number): Promise<number | undefined> => {
      await run(1);
      const [one, many] = [await run(few), await run(few + more)];
      return many > one ? (many - one) / more : undefined;
    };
    const pass = await milliseconds(read, 1, ROUNDS);
    const launch = await milliseconds(step, 1, CHAIN);
    return {
      bandwidth: pass === undefined ? undefined : (BYTES * 1000) / pass,
      launchGap: launch === undefined ? undefined : 1000 * launch,
    };
  } finally {
    device.destroy();
  }
}

interface Kernel {
  /** Returns the milliseconds of this many launches in one pass. */
  run: (launches: number) => Promise<number>;
}

async function kernel(device: GPUDevice, code: string, buffers: GPUBuffer[], workgroups: number): Promise<Kernel> {
  const module = device.createShaderModule({ code });
  const pipeline = await device.createComputePipelineAsync({ layout: "auto", compute: { module } });
  const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
  const group = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
  const run = async (launches: number): Promise<number> => {
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    for (let i = 0; i < launches; i++) pass.dispatchWorkgroups(workgroups);
    pass.end();
    const start = performance.now();
    device.queue.submit([encoder.finish()]);
    await device.queue.onSubmittedWorkDone();
    return performance.now() - start;
  };
  return { run };
}
