/** Offline use: a service worker caches the program; models are in the origin's file system already. */
import { signal } from "@preact/signals";
import { Workbox } from "workbox-window";

/** Switches to the newer version of the page; undefined while there is none. */
export const update = signal<(() => void) | undefined>(undefined);

export function keepOffline(): void {
  // Without service workers (private windows, plain http) the page works with the network only.
  if (!("serviceWorker" in navigator) || !import.meta.env.PROD) return;
  const workbox = new Workbox("./sw.js");
  workbox.addEventListener("waiting", () => {
    update.value = () => {
      workbox.addEventListener("controlling", () => {
        location.reload();
      });
      workbox.messageSkipWaiting();
    };
  });
  workbox.register().catch(() => undefined);
}
