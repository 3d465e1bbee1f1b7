/** Caches the program, complete and in one version; models are in the origin's file system and not handled here. */
import { addRoute, cleanupOutdatedCaches, precache } from "workbox-precaching";

interface ServiceWorker {
  /** All files of this build, each with a hash; inserted by the build. */
  __PRECACHE: { url: string; revision: string | null }[];
  skipWaiting(): Promise<void>;
  addEventListener(type: "message", listener: (event: MessageEvent<{ type?: string }>) => void): void;
}

declare const self: ServiceWorker;

precache(self.__PRECACHE);
// The page's URL parameters choose what it shows; they do not make it another page.
addRoute({ ignoreURLParametersMatching: [/.*/] });
cleanupOutdatedCaches();

// The visitor has asked for the new version.
self.addEventListener("message", ({ data }) => {
  if (data.type === "SKIP_WAITING") void self.skipWaiting();
});
