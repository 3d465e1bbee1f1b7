/** The service worker's cache of files that are kept once they were asked for. */

const NAME = "hearth-on-demand";

/** Answers from the cache, or from the network, whose answer is kept for the next time without one. */
export async function answerOnDemand(request: Request): Promise<Response> {
  const cache = await caches.open(NAME);
  const kept = await cache.match(request.url);
  if (kept !== undefined) return kept;
  const response = await fetch(request);
  // A full disk must not keep the file from being used.
  if (response.ok) await cache.put(request.url, response.clone()).catch(() => undefined);
  return response;
}

/** Drops files of earlier builds, and all that are not in this one's list. */
export async function dropOld(urls: ReadonlySet<string>): Promise<void> {
  const cache = await caches.open(NAME);
  for (const { url } of await cache.keys()) if (!urls.has(url)) await cache.delete(url);
}
