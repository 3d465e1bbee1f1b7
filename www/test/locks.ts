/** Web Locks, which Node lacks: the part that the page uses. */
interface Wait {
  mode: "shared" | "exclusive";
  begin: () => void;
}

type Callback = (lock: unknown) => unknown;

/** Returns Web Locks, and a function that gives up all that are held, as a tab does that is closed. */
export function fakeLocks(): { locks: LockManager; giveUp: () => void } {
  const held = new Map<string, Wait[]>();
  const waiting = new Map<string, Wait[]>();

  function next(name: string): void {
    const queue = waiting.get(name) ?? [];
    const now = held.get(name) ?? [];
    held.set(name, now);
    while (queue[0] !== undefined && (now.length === 0 || [queue[0], ...now].every(({ mode }) => mode === "shared"))) {
      const first = queue.shift();
      if (first === undefined) return;
      now.push(first);
      first.begin();
    }
  }

  async function request(name: string, options: LockOptions, callback: Callback): Promise<unknown> {
    const wait: Wait = { mode: options.mode ?? "exclusive", begin: () => undefined };
    waiting.set(name, [...(waiting.get(name) ?? []), wait]);
    await new Promise<void>((resolve, reject) => {
      wait.begin = resolve;
      options.signal?.addEventListener("abort", () => {
        waiting.set(name, waiting.get(name)?.filter((one) => one !== wait) ?? []);
        reject(options.signal?.reason as Error);
      });
      next(name);
    });
    try {
      return await callback({ name });
    } finally {
      held.set(name, held.get(name)?.filter((one) => one !== wait) ?? []);
      next(name);
    }
  }

  const query = (): Promise<LockManagerSnapshot> =>
    Promise.resolve({ held: [...held].flatMap(([name, all]) => all.map(({ mode }) => ({ name, mode }))), pending: [] });
  const giveUp = (): void => {
    held.clear();
    for (const name of waiting.keys()) next(name);
  };
  return { locks: { request, query } as unknown as LockManager, giveUp };
}
