/** Caches the program, complete and in one version; models are in the origin's file system and not handled here. */
import { addRoute, cleanupOutdatedCaches, precache } from "workbox-precaching";
import { answerOnDemand, dropOld } from "./lib/on-demand.js";

interface ServiceWorker {
  /** All files of this build that every visit needs, each with a hash; inserted by the build. */
  __PRECACHE: { url: string; revision: string | null }[];
  /** Files of this build that are kept once they were asked for; inserted by the build. */
  __ON_DEMAND: string[];
  registration: { scope: string };
  skipWaiting(): Promise<void>;
  addEventListener(type: "message", listener: (event: MessageEvent<{ type?: string }>) => void): void;
  addEventListener(type: "fetch", listener: (event: FetchEvent) => void): void;
  addEventListener(type: "activate", listener: (event: LastingEvent) => void): void;
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

precache(self.__PRECACHE);
// The page's URL parameters choose what it shows; they do not make it another page.
addRoute({ ignoreURLParametersMatching: [/.*/] });
cleanupOutdatedCaches();

self.addEventListener("fetch", (event) => {
  if (onDemand.has(event.request.url)) event.respondWith(answerOnDemand(event.request));
});
self.addEventListener("activate", (event) => {
  event.waitUntil(dropOld(onDemand));
});

// The visitor has asked for the new version.
self.addEventListener("message", ({ data }) => {
  if (data.type === "SKIP_WAITING") void self.skipWaiting();
});
