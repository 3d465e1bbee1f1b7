/** The projector of a model (mmproj): the file beside it that lets it see. */
import { HearthError } from "../core/errors.js";
import { quantOf, roleOf } from "./names.js";
import type { ByteSource } from "./source.js";

export interface Projector {
  /** Name for messages. */
  name: string;
  /** Opens the file at its beginning, as often as needed. */
  open: () => ByteSource;
  /** Whether the caller gave or named it. One that was only found beside the model may be left out. */
  isAsked: boolean;
}

/** Storage types in order of preference: small beside the model either way, so precision comes first. */
const PREFERRED = ["F16", "BF16", "Q8_0", "F32"];

/** Returns the preferred projector among paths. */
export function bestProjector<T>(files: readonly T[], pathOf: (file: T) => string): T | undefined {
  const projectors = files.filter((file) => isProjector(pathOf(file)));
  return projectors.sort((a, b) => compare(pathOf(a), pathOf(b)))[0];
}

/**
 * Returns the preferred projector beside a model: in its folder, or in the nearest one around it. A folder called mmproj counts
 * as the one that it is in.
 */
export function projectorBeside(model: string, paths: readonly string[]): string | undefined {
  const folder = folderOf(model);
  const around = paths
    .filter(isProjector)
    .map((path) => ({ path, around: folderOf(path).replace(/(^|\/)mmproj\/$/i, "$1") }))
    .filter((projector) => folder.startsWith(projector.around));
  const nearest = Math.max(...around.map((projector) => projector.around.length));
  const found = around.filter((projector) => projector.around.length === nearest);
  return bestProjector(found, ({ path }) => path)?.path;
}

export function isProjector(path: string): boolean {
  return /\.gguf$/i.test(path) && roleOf(path) === "projector";
}

/** Fails for a file that is no model but the projector of one. */
export function refuseProjector(path: string): void {
  if (!isProjector(path)) return;
  throw new HearthError("invalid_request", `${nameIn(path)} is the part of a model that sees or hears, and no model`, {
    hint: "Load the model that it belongs to, and give this file as mmproj, or both files together.",
  });
}

export function nameIn(path: string): string {
  return path.replace(/^.*\//, "");
}

function folderOf(path: string): string {
  return path.replace(/[^/]*$/, "");
}

function compare(a: string, b: string): number {
  const rank = (path: string): number => {
    const found = PREFERRED.indexOf(quantOf(path) ?? "");
    return found < 0 ? PREFERRED.length : found;
  };
  return rank(a) - rank(b) || a.length - b.length || (a < b ? -1 : 1);
}
