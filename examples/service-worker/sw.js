/** Caches the program only: the model is in the origin's file system already. */
const CACHE = "hearth-example-1";

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(["./", "./main.js"])));
  self.skipWaiting();
});

self.addEventListener("activate", (event) => {
  const isOld = (name) => name !== CACHE;
  const cleared = caches.keys().then((names) => Promise.all(names.filter(isOld).map((name) => caches.delete(name))));
  event.waitUntil(cleared.then(() => self.clients.claim()));
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  const isProgram = origin === location.origin && /(\/|\.(js|wasm|html))$/.test(pathname);
  if (request.method === "GET" && isProgram) event.respondWith(fromCache(request));
});

async function fromCache(request) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(request, { ignoreSearch: true });
  if (kept !== undefined) return kept;
  const response = await fetch(request);
  if (response.ok) await cache.put(request, response.clone());
  return response;
}
