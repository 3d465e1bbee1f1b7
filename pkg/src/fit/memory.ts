/** Guesses, from what the browser says about the machine, how much memory a model may take. */

/** GiB that browsers report for this much and for everything above it. */
const CAP = 8;
/** The share of a machine's memory that a model may take; on phones, less: other apps and the system end what takes more. */
const SHARE = 0.7;
const SHARE_OF_PHONE = 0.35;
/** Bytes that a page on iOS, which reports no memory, may take before its tab is ended. An estimate, not measured here. */
const IOS = { least: 2 ** 30, most: 1.5 * 2 ** 30 };

interface Machine {
  deviceMemory?: number;
  maxTouchPoints?: number;
  userAgent?: string;
  userAgentData?: { mobile?: boolean };
}

/** Bytes that a model may take: at least, and at most where that is known. Undefined where the browser says nothing. */
export function roomOnMachine(): { least: number; most: number | undefined } | undefined {
  const machine = (globalThis as { navigator?: Machine }).navigator ?? {};
  const { deviceMemory, userAgent = "" } = machine;
  // An iPad calls itself a Macintosh, which has no touch screen.
  const isPad = userAgent.includes("Macintosh") && (machine.maxTouchPoints ?? 0) > 1;
  if (deviceMemory === undefined) return isPad || /iPhone|iPad/.test(userAgent) ? IOS : undefined;
  const isPhone = machine.userAgentData?.mobile ?? userAgent.includes("Android");
  const least = deviceMemory * (isPhone ? SHARE_OF_PHONE : SHARE) * 2 ** 30;
  return { least, most: deviceMemory >= CAP && !isPhone ? undefined : least };
}
