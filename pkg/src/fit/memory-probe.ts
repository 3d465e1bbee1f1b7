/** Test of whether the GPU grants as much memory as a model takes, by allocating it and freeing it at once. */

const CHUNK = 256 << 20;
/**
 * Limit of the probe, since some drivers grant memory that they do not have. Phones are not probed, since they end
 * pages that take too much.
 */
const MOST = 16 * 2 ** 30;
/** Value of `GPUBufferUsage.STORAGE`. */
const STORAGE = 0x80;

interface ProbeScope {
  navigator?: { gpu?: Pick<GPU, "requestAdapter">; userAgent?: string; maxTouchPoints?: number };
}

/** Returns how many of these bytes the GPU grants; undefined if it was not probed. */
export async function probeMemory(bytes: number, scope: ProbeScope = globalThis): Promise<number | undefined> {
  const { gpu, userAgent = "", maxTouchPoints = 0 } = scope.navigator ?? {};
  const isPhone = /Mobi|Android/.test(userAgent) || (userAgent.includes("Macintosh") && maxTouchPoints > 1);
  if (bytes > MOST || isPhone) return undefined;
  let device: GPUDevice | undefined;
  const buffers: GPUBuffer[] = [];
  try {
    const adapter = await gpu?.requestAdapter({ powerPreference: "high-performance" });
    device = await adapter?.requestDevice();
    if (device === undefined) return undefined;
    let isLost = false as boolean;
    void device.lost.then(() => {
      isLost = true;
    });
    let granted = 0;
    while (granted < bytes) {
      const size = Math.min(CHUNK, device.limits.maxBufferSize);
      device.pushErrorScope("out-of-memory");
      buffers.push(device.createBuffer({ size, usage: STORAGE }));
      if ((await device.popErrorScope()) !== null) break;
      granted += size;
    }
    return isLost ? undefined : Math.min(granted, bytes);
  } catch {
    return undefined;
  } finally {
    for (const buffer of buffers) buffer.destroy();
    device?.destroy();
  }
}
