/** The reasons why nothing is heard or written, each with words of its own in `text/speech.ts`. */
import { HearthError, type HearthErrorCode } from "hearth-llm";
import { accessFault } from "../lib/media-access.js";

export type SpeechFault =
  /** The page is not from a safe address: browsers then hide the microphone. */
  | "insecure"
  /** The browser has no microphone for pages. */
  | "unsupported"
  | "denied"
  /** The operating system denies the browser the microphone. */
  | "denied_by_system"
  | "no_microphone"
  /** Another program has the microphone, or its driver fails. */
  | "taken"
  | "unplugged"
  /** The browser has the microphone, and does not pass its sound on. */
  | "unheard"
  /** A recording is being transcribed. */
  | "busy"
  /** The speech model could not be loaded. */
  | "model"
  /** The file has no sound that the browser can read. */
  | "undecodable"
  /** The model stopped in the middle. */
  | "broken";

export interface SpeechFailure {
  fault: SpeechFault;
  /** The error behind it, if there is more to say. */
  error?: unknown;
}

/** An error that has its fault already. */
export class SpeechError extends Error {
  override readonly name = "SpeechError";

  constructor(
    readonly fault: SpeechFault,
    cause?: unknown,
  ) {
    super(fault, { cause });
  }
}

/** Returns why the browser did not give the microphone. */
export function faultOfAccess(error: unknown): SpeechFault {
  const fault = accessFault(error);
  return fault === "missing" ? "no_microphone" : fault;
}

/** Returns why a recording was not transcribed, or why dictation ended. */
export function failureOf(error: unknown): SpeechFailure {
  if (error instanceof SpeechError) {
    return error.cause === undefined ? { fault: error.fault } : { fault: error.fault, error: error.cause };
  }
  return { fault: faultOf(error), error };
}

/** Whether the request was stopped on purpose. */
export function isCancelled(error: unknown): boolean {
  return error instanceof HearthError && error.code === "cancelled";
}

const FAULTS: Partial<Record<HearthErrorCode, SpeechFault>> = {
  bad_audio: "undecodable",
  audio_undecodable: "undecodable",
  capture_failed: "unheard",
};

function faultOf(error: unknown): SpeechFault {
  return (error instanceof HearthError ? FAULTS[error.code] : undefined) ?? "broken";
}
