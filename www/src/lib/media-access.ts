/** The reasons why a browser gives no microphone or camera. */

export type AccessFault =
  | "denied"
  /** The operating system denies the browser the device. */
  | "denied_by_system"
  /** There is no such device. */
  | "missing"
  /** Another program has the device, or its driver fails. */
  | "taken";

const FAULTS: Readonly<Record<string, AccessFault>> = {
  NotAllowedError: "denied",
  SecurityError: "denied",
  NotFoundError: "missing",
  OverconstrainedError: "missing",
  NotReadableError: "taken",
  AbortError: "taken",
};

/** Returns why `getUserMedia` failed. */
export function accessFault(error: unknown): AccessFault {
  const { name = "", message = "" } = (error ?? {}) as Partial<Error>;
  const fault = FAULTS[name] ?? "taken";
  // Chromium's words are the only sign of it.
  return fault === "denied" && /by system/i.test(message) ? "denied_by_system" : fault;
}

/** Returns the browser's devices; absent on pages from unsafe addresses. */
export const mediaDevices = (): MediaDevices | undefined => (navigator as Partial<Navigator>).mediaDevices;

/** Returns why there can be no microphone or camera, before anyone is asked for it. */
export function mediaObstacle(): "insecure" | "unsupported" | undefined {
  const { getUserMedia } = (mediaDevices() ?? {}) as Partial<MediaDevices>;
  if (getUserMedia !== undefined) return undefined;
  return globalThis.isSecureContext ? "unsupported" : "insecure";
}
