/** Deletes everything that this site keeps on the device. */

/** Deletes models, chats, documents, settings, keys and the program; what is still in use goes with the page. */
export async function eraseAll(): Promise<void> {
  const storage = (navigator as Partial<Navigator>).storage;
  const settled = (tasks: readonly Promise<unknown>[]): Promise<unknown> => Promise.allSettled(tasks);
  const root = await storage?.getDirectory().catch(() => undefined);
  if (root !== undefined) {
    const names: string[] = [];
    for await (const name of root.keys()) names.push(name);
    await settled(names.map((name) => root.removeEntry(name, { recursive: true })));
  }
  const databases = await indexedDB.databases().catch(() => []);
  await settled(databases.map(({ name = "" }) => deleted(name)));
  if ("caches" in globalThis) await settled((await caches.keys()).map((name) => caches.delete(name)));
  const workers = (navigator as Partial<Navigator>).serviceWorker;
  const registrations = (await workers?.getRegistrations()) ?? [];
  await settled(registrations.map((registration) => registration.unregister()));
  for (const kept of [localStorage, sessionStorage]) kept.clear();
}

/** Resolves when a database is deleted, or when another tab still holds it: it goes when that one closes. */
function deleted(name: string): Promise<void> {
  return new Promise((resolve) => {
    const request = indexedDB.deleteDatabase(name);
    const done = (): void => {
      resolve();
    };
    request.onsuccess = done;
    request.onerror = done;
    request.onblocked = done;
  });
}
