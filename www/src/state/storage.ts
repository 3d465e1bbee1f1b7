/** Safety of the data on this device, and ways to make it safer. */
import { effect, signal, untracked } from "@preact/signals";
import * as cache from "hearth-llm/cache";
import { saveBlob } from "../lib/files.js";
import { toJson } from "../store/exchange.js";
import { t } from "../text/index.js";
import { bundles, conversations } from "./chat.js";
import { change, settings } from "./settings.js";
import { showToast } from "./toast.js";

/** Whether the browser has promised not to clear anything by itself; undefined if it does not report this. */
export const isProtected = signal<boolean | undefined>(undefined);
/** Asks the visitor to install the page; undefined if the browser does not offer this. */
export const install = signal<(() => void) | undefined>(undefined);

/** Number of conversations from which losing them would hurt. */
const MANY = 3;

/** Asks the browser for that promise. */
export async function protect(): Promise<void> {
  isProtected.value = await cache.persist().catch(() => false);
}

export async function exportAll(): Promise<void> {
  try {
    saveBlob("hearth-conversations.json", await toJson(await bundles()));
  } catch {
    // A browser that clears its storage may leave a file's entry without its bytes.
    showToast({ text: t().notExported });
  }
}

/** Whether the browser clears sites not visited for seven days, as Safari does, and every browser on Apple's phones. */
export function clearsAfterAWeek({ userAgent }: Pick<Navigator, "userAgent">): boolean {
  return userAgent.includes("Safari/") && !/Chrom(e|ium)\/|Android/.test(userAgent);
}

export async function watchStorage(): Promise<void> {
  addEventListener("beforeinstallprompt", (event) => {
    event.preventDefault();
    install.value = () => {
      install.value = undefined;
      void (event as Event & { prompt: () => Promise<unknown> }).prompt();
    };
  });
  // Absent without https.
  const storage = (navigator as Partial<Navigator>).storage;
  isProtected.value = await storage?.persisted().catch(() => undefined);
  if (!clearsAfterAWeek(navigator) || matchMedia("(display-mode: standalone)").matches) return;
  effect(() => {
    if (conversations.value.length < MANY || isProtected.value === true || settings.value.isWarned) return;
    untracked(() => {
      change({ isWarned: true });
      showToast({ text: t().weekOnly, action: { label: t().exportAll, run: () => void exportAll() }, stays: true });
    });
  });
}
