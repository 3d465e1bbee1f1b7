/**
 * Locks between threads and processes, as far as the cache needs Web Locks: an exclusive lock is a file that names its holder,
 * a shared one waits for it to go.
 *
 * A holder that died is recognised by its process, or by the thread, which the package ended. One that lives touches its file, so
 * that the number of a process which another one has by now does not count for ever.
 */
import { mkdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { threadId } from "node:worker_threads";

const LOOK_MS = 100;
const TOUCH_MS = 30_000;
const OLD_MS = 600_000;

export interface LockRequest {
  mode?: LockMode;
  signal?: AbortSignal;
  ifAvailable?: boolean;
}

export class FileLocks {
  readonly #folder: string;
  readonly #hasEnded: (thread: number) => boolean;

  /** Creates locks in a folder. `hasEnded`: whether a thread of this process has ended. */
  constructor(folder: string, hasEnded: (thread: number) => boolean = () => false) {
    this.#folder = folder;
    this.#hasEnded = hasEnded;
  }

  async request<T>(name: string, options: LockRequest, task: (lock: object | null) => T | Promise<T>): Promise<T> {
    const { mode = "exclusive", signal, ifAvailable = false } = options;
    const path = join(this.#folder, `${name.replace(/[^\w-]+/g, "-")}.lock`);
    for (;;) {
      signal?.throwIfAborted();
      if (mode === "shared" ? !this.#isHeld(path) : this.#take(path)) break;
      if (ifAvailable) return await task(null);
      await sleep(LOOK_MS, undefined, signal === undefined ? {} : { signal });
    }
    if (mode === "shared") return await task({});
    const touching = setInterval(() => {
      touch(path);
    }, TOUCH_MS);
    touching.unref();
    try {
      return await task({});
    } finally {
      clearInterval(touching);
      rmSync(path, { force: true });
    }
  }

  #take(path: string): boolean {
    if (this.#isHeld(path)) return false;
    mkdirSync(this.#folder, { recursive: true });
    try {
      writeFileSync(path, `${String(process.pid)} ${String(threadId)}\n`, { flag: "wx" });
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
      throw error;
    }
  }

  /** Reports whether a lock is held, and removes that of a holder that has died. */
  #isHeld(path: string): boolean {
    let text: string;
    let age: number;
    try {
      text = readFileSync(path, "utf8");
      age = Date.now() - statSync(path).mtimeMs;
    } catch {
      return false;
    }
    const [pid, thread] = text.split(" ").map(Number);
    // One that is being written is empty for a moment.
    const isOurs = pid === process.pid && thread !== undefined;
    const isAlive = text === "" || pid === undefined || (isOurs ? !this.#hasEnded(thread) : isRunning(pid));
    if (isAlive && age < OLD_MS) return true;
    rmSync(path, { force: true });
    return false;
  }
}

function touch(path: string): void {
  const now = new Date();
  try {
    utimesSync(path, now, now);
  } catch {
    // The folder was deleted by hand.
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
