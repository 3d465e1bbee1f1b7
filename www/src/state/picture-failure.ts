/** The reasons why a picture was not taken, each with words of its own in `text/pictures.ts`. */
import { accessFault } from "../lib/media-access.js";

export type PictureFault =
  /** The model reads text only. */
  | "blind"
  | "too_large"
  | "too_many"
  /** The file is no picture. */
  | "not_a_picture"
  /** The file is damaged, or of a format that the browser does not know. */
  | "unreadable"
  /** The page is not from a safe address: browsers then hide the camera. */
  | "insecure"
  /** The browser has no camera for pages. */
  | "unsupported"
  | "denied"
  /** The operating system denies the browser the camera. */
  | "denied_by_system"
  | "no_camera"
  /** Another program has the camera, or its driver fails. */
  | "taken"
  | "unplugged"
  /** The camera gave no picture. */
  | "no_frame"
  /** A part of the page could not be fetched, or failed. */
  | "broken";

export interface PictureFailure {
  fault: PictureFault;
  /** Names of the files that it concerns. */
  names: readonly string[];
  /** The error behind it, if there is more to say. */
  error?: unknown;
}

/** An error that has its fault already. */
export class CameraError extends Error {
  override readonly name = "CameraError";

  constructor(
    readonly fault: PictureFault,
    cause?: unknown,
  ) {
    super(fault, { cause });
  }
}

/** Returns why the browser did not give the camera. */
export function faultOfCamera(error: unknown): PictureFault {
  const fault = accessFault(error);
  return fault === "missing" ? "no_camera" : fault;
}

export function failureOfCamera(error: unknown): PictureFailure {
  if (!(error instanceof CameraError)) return { fault: "broken", names: [], error };
  const { fault, cause } = error;
  return cause === undefined ? { fault, names: [] } : { fault, names: [], error: cause };
}
