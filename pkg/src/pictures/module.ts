/**
 * The WebAssembly module that prepares pictures as TypeScript sees it: `pictures/src/web.rs`. Written by hand.
 *
 * Every failure is a thrown Error named "HearthError" with `code`, `message` and `hint`.
 */
import type { PictureDetail } from "../api/openai.js";
import type { PictureProcessor } from "../core/wasm-contract.js";

/** Facts that the first bytes of a file tell. */
export interface Probe {
  /** Name of the format as in its MIME type: `"jpeg"`, `"png"`, `"webp"`, `"gif"`, `"bmp"`, `"avif"`, `"heic"`. */
  format: string;
  /** Sides in pixels as they are stored; 0 where the format's header does not tell. */
  width: number;
  height: number;
}

/** A picture as the core takes it. */
export interface WasmPrepared {
  /** Tiles that the picture was cut into; 0 and 0 if it was not cut. */
  readonly tilesHigh: number;
  readonly tilesWide: number;
  /** Height and width of each frame in patches: [frames, 2] */
  readonly grids: Uint32Array;
  /** All frames, patch by patch: [patches, 3, patch, patch] each */
  readonly pixels: Uint8Array;
  free(): void;
}

export interface PicturesWasm {
  default(arg: { module_or_path: URL | string | Response | WebAssembly.Module }): Promise<unknown>;
  /** Recognises a format by a file's bytes; undefined for what is no picture. */
  probe(bytes: Uint8Array): Probe | undefined;
  /** Composites RGBA with straight alpha on white, and resizes and cuts it by the model's rules. */
  prepare(
    rgba: Uint8Array,
    width: number,
    height: number,
    processor: PictureProcessor,
    detail: PictureDetail,
  ): WasmPrepared;
  /** Creates a new instance of the module, which also gives its memory back (wasm-bindgen's option in `wasm-pack.toml`). */
  __wbg_reset_state(): void;
}
