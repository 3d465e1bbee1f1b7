/**
 * Substitute for the module that prepares pictures. A picture's file is a text: `FAKE:png:3x2`, optionally with more behind it.
 */
import type { Probe, WasmPrepared } from "../src/pictures/module.js";

const AT_FIRST = {
  /** Makes the module fail to start, or trap. */
  isBroken: false,
  traps: false,
  starts: 0,
  resets: 0,
  /** Pictures that were prepared: sides, processor and detail. */
  prepared: [] as { width: number; height: number; rgba: Uint8Array; processor: object; detail: string }[],
};

export const fakePictures = { ...AT_FIRST };

/** Restores the state in which nothing has run. */
export function resetFakePictures(): void {
  Object.assign(fakePictures, { ...AT_FIRST, prepared: [] });
}

export default function init(): Promise<unknown> {
  fakePictures.starts++;
  return fakePictures.isBroken
    ? Promise.reject(new WebAssembly.CompileError("expected magic word"))
    : Promise.resolve({});
}

export function probe(bytes: Uint8Array): Probe | undefined {
  const [, format, width, height] = /^FAKE:(\w+):(\d+)x(\d+)/.exec(new TextDecoder().decode(bytes)) ?? [];
  return format === undefined ? undefined : { format, width: Number(width), height: Number(height) };
}

export function prepare(
  rgba: Uint8Array,
  width: number,
  height: number,
  processor: object,
  detail: string,
): WasmPrepared {
  if (fakePictures.traps) throw new WebAssembly.RuntimeError("unreachable");
  fakePictures.prepared.push({ width, height, rgba, processor, detail });
  return {
    tilesHigh: 0,
    tilesWide: 0,
    grids: Uint32Array.of(height, width),
    pixels: Uint8Array.from(rgba.subarray(0, 3)),
    free: () => undefined,
  };
}

export function __wbg_reset_state(): void {
  fakePictures.resets++;
}
