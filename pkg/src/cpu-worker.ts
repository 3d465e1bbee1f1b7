/** One thread of the CPU path. After its first message it only computes and sleeps, until it is ended from outside. */
import { instantiate, type CpuThread } from "./worker/cpu-pool.js";

self.onmessage = ({ data: { module, memory, stackTop, job } }: MessageEvent<CpuThread>) => {
  const cpu = instantiate(module, memory, stackTop);
  self.postMessage("ready");
  let seen = 0;
  for (;;) {
    const latest = cpu.hearth_await(job, seen);
    if (latest === seen) {
      // The memory may have grown, and then the old view ends too early for nothing but the new part.
      Atomics.wait(new Int32Array(memory.buffer), job / 4, seen);
      continue;
    }
    seen = latest;
    cpu.hearth_work(job);
  }
};
