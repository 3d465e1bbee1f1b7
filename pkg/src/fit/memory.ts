/** Guesses from the browser's description of the machine how much memory a model may take. */

import { platform } from "../core/platform.js";

/** GiB that browsers report for machines with this much memory or more. */
const CAP = 8;
/**
 * Share of a machine's memory that a model may take. Lower on phones, where other apps and the system end what takes
 * more.
 */
const SHARE = 0.7;
const SHARE_OF_PHONE = 0.35;
/** Bytes that a page on iOS, which reports no memory, may take before its tab is ended. An estimate, not measured here. */
const IOS = { least: 2 ** 30, most: 1.5 * 2 ** 30 };

/** Bytes of WebAssembly's memory that a model on the CPU may take. */
const HEAP = 3 * 2 ** 30;

interface Machine {
  deviceMemory?: number;
  maxTouchPoints?: number;
  userAgent?: string;
  userAgentData?: { mobile?: boolean };
}

/** Returns the bytes that a model may take, with an upper bound if known; undefined if the browser reports nothing. */
export function roomOnMachine(): { least: number; most: number | undefined } | undefined {
  const machine = (globalThis as { navigator?: Machine }).navigator ?? {};
  const { deviceMemory = platform.deviceMemory, userAgent = "" } = machine;
  // An iPad identifies itself as a Macintosh, which has no touch screen.
  const isPad = userAgent.includes("Macintosh") && (machine.maxTouchPoints ?? 0) > 1;
  if (deviceMemory === undefined) return isPad || /iPhone|iPad/.test(userAgent) ? IOS : undefined;
  const isPhone = machine.userAgentData?.mobile ?? userAgent.includes("Android");
  const least = deviceMemory * (isPhone ? SHARE_OF_PHONE : SHARE) * 2 ** 30;
  return { least, most: deviceMemory >= CAP && !isPhone ? undefined : least };
}

/** Returns the bytes that a model surely may take, which bound its default context; undefined if nothing tells. */
export function memoryFor(device: "cpu" | "webgpu"): number | undefined {
  const least = roomOnMachine()?.least;
  return device === "cpu" ? Math.min(least ?? HEAP, HEAP) : least;
}
