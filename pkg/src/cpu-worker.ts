/** One thread of the CPU path. After its first message it only computes and sleeps until it is terminated. */
import { instantiate, type CpuThread } from "./worker/cpu-pool.js";

self.onmessage = ({ data: { module, memory, stackTop, job, thread } }: MessageEvent<CpuThread>) => {
  const cpu = instantiate(module, memory, stackTop);
  self.postMessage("ready");
  let seen = 0;
  for (;;) {
    const latest = cpu.hearth_await(job, seen);
    if (latest === seen) {
      // A fresh view each time: the memory may have grown, and an older view covers only the part that existed then.
      Atomics.wait(new Int32Array(memory.buffer), job / 4, seen);
      continue;
    }
    seen = latest;
    cpu.hearth_work(job, thread);
  }
};
