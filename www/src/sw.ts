/** Caches the program, complete and in one version; models are in the origin's file system and not handled here. */
import { addRoute, cleanupOutdatedCaches, getCacheKeyForURL, precache } from "workbox-precaching";
import { Gate } from "./lib/gate.js";
import { answerOnDemand, dropOld } from "./lib/on-demand.js";

interface ServiceWorker {
  /** All files of this build that every visit needs, each with a hash; inserted by the build. */
  __PRECACHE: { url: string; revision: string | null }[];
  /** Files of this build that are kept once they were asked for; inserted by the build. */
  __ON_DEMAND: string[];
  registration: { scope: string };
  clients: { claim(): Promise<void>; matchAll(): Promise<readonly { postMessage(message: unknown): void }[]> };
  skipWaiting(): Promise<void>;
  addEventListener(type: "message", listener: (event: Message) => void): void;
  addEventListener(type: "fetch", listener: (event: FetchEvent) => void): void;
  addEventListener(type: "activate", listener: (event: LastingEvent) => void): void;
}

interface Message extends LastingEvent {
  data: { type?: string; isStrict?: boolean };
  ports: readonly MessagePort[];
}

interface LastingEvent {
  waitUntil(work: Promise<unknown>): void;
}

interface FetchEvent {
  request: Request;
  respondWith(response: Promise<Response>): void;
}

declare const self: ServiceWorker;

const onDemand = new Set(self.__ON_DEMAND.map((name) => new URL(name, self.registration.scope).href));

const gate = new Gate((passed) => {
  void self.clients.matchAll().then((clients) => {
    for (const client of clients) client.postMessage(passed);
  });
});

/** Whether a request is for a file of the program, which is on this device: the page itself has parameters. */
function isProgram({ url, mode }: Request): boolean {
  const address = new URL(url);
  address.search = "";
  address.hash = "";
  return mode === "navigate" || onDemand.has(url) || getCacheKeyForURL(address.href) !== undefined;
}

// Before the others: what it answers is not theirs.
self.addEventListener("fetch", (event) => {
  if (isProgram(event.request) || !/^https?:/.test(event.request.url)) return;
  const answer = gate.answer(event.request);
  if (answer !== undefined) event.respondWith(answer);
});

precache(self.__PRECACHE);
// The page's URL parameters choose what it shows; they do not make it another page.
addRoute({ ignoreURLParametersMatching: [/.*/] });
cleanupOutdatedCaches();

self.addEventListener("fetch", (event) => {
  if (onDemand.has(event.request.url)) event.respondWith(answerOnDemand(event.request));
});
self.addEventListener("activate", (event) => {
  // The first visit is watched as well.
  event.waitUntil(Promise.all([dropOld(onDemand), self.clients.claim()]));
});

self.addEventListener("message", (event) => {
  const { data, ports } = event;
  // The visitor has asked for the new version.
  if (data.type === "SKIP_WAITING") void self.skipWaiting();
  if (data.type !== "STRICT") return;
  const changed = data.isStrict === undefined ? Promise.resolve() : gate.set(data.isStrict);
  event.waitUntil(
    changed
      .then(() => gate.isStrict())
      .then((isStrict) => {
        ports[0]?.postMessage(isStrict);
      }),
  );
});
