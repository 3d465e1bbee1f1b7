/** The page without a network: a service worker keeps the program; models are in the origin's file system already. */
import { signal } from "@preact/signals";
import { Workbox } from "workbox-window";

/** Changes to the newer version of the page that is there; undefined while there is none. */
export const update = signal<(() => void) | undefined>(undefined);

export function keepOffline(): void {
  // Where there are none (private windows, plain http) the page works with the network only.
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
