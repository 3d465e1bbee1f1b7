/**
 * Measurements of an adapter, kept in the origin's Cache Storage so that later loads need not repeat them.
 *
 * Nothing depends on them: if the storage is missing, full or closed, the device is measured again.
 */
import type { DeviceTuning } from "../core/wasm-contract.js";

const STORE = "hearth-tuning";

/**
 * Returns the entry's key in the form of an address, as Cache Storage requires. Another version of the core measures
 * again.
 */
function key(adapter: string, version: string): string {
  return `https://hearth.invalid/tuning/${encodeURIComponent(version)}/${encodeURIComponent(adapter)}`;
}

export async function keptTuning(adapter: string, version: string): Promise<DeviceTuning | undefined> {
  try {
    const store = await caches.open(STORE);
    const found = await store.match(key(adapter, version));
    return (await found?.json()) as DeviceTuning | undefined;
  } catch {
    return undefined;
  }
}

export async function keepTuning(adapter: string, version: string, tuning: DeviceTuning): Promise<void> {
  try {
    const store = await caches.open(STORE);
    await store.put(key(adapter, version), Response.json(tuning));
  } catch {
    // The next load measures again.
  }
}
