/** Substitutes for what browsers decode and read pictures with, which Node lacks. */
import { vi } from "vitest";

/** A decoded picture, the bytes of whose pixels are numbered row by row. */
export class FakeBitmap {
  readonly [Symbol.toStringTag] = "ImageBitmap";
  constructor(
    public width: number,
    public height: number,
  ) {}

  close(): void {
    this.width = this.height = 0;
  }
}

/** Returns the bytes of rows of a picture. */
export function rowsOf(width: number, top: number, count: number): Uint8ClampedArray {
  const bytes = new Uint8ClampedArray(width * count * 4);
  for (let i = 0; i < Math.min(251, bytes.length); i++) bytes[i] = (top * width * 4 + i) % 251;
  // Large pictures are filled by copies, each twice as long as the one before.
  for (let done = 251; done < bytes.length; done *= 2) bytes.copyWithin(done, 0, done);
  return bytes;
}

class FakeCanvas {
  #left: { top: number } | undefined;
  constructor(
    readonly width: number,
    readonly height: number,
  ) {}

  getContext(): object {
    return {
      clearRect: () => (this.#left = undefined),
      drawImage: (image: { isTainted?: boolean }, _: number, top: number) => {
        this.#left = { top: -top };
        if (image.isTainted === true) this.#left = undefined;
      },
      getImageData: (_x: number, _y: number, width: number, count: number) => {
        if (this.#left === undefined) throw new DOMException("The canvas has been tainted", "SecurityError");
        return { data: rowsOf(width, this.#left.top, count) };
      },
      putImageData: () => undefined,
    };
  }

  convertToBlob({ type }: { type: string }): Promise<Blob> {
    return Promise.resolve(new Blob([`${String(this.width)}x${String(this.height)}`], { type }));
  }
}

/** Options of the last decoding. */
export const decoding = { options: undefined as ImageBitmapOptions | undefined, count: 0 };

/** Decodes the files of `fake-pictures.ts`, and takes canvases: objects with sides. */
async function fakeDecode(source: unknown, options?: ImageBitmapOptions): Promise<object> {
  decoding.options = options;
  decoding.count++;
  let width: number;
  let height: number;
  if (source instanceof Blob) {
    const sides = /^FAKE:(?:png|jpeg):(\d+)x(\d+)/.exec(await source.text());
    if (sides === null) throw new DOMException("The source image could not be decoded", "InvalidStateError");
    [width, height] = [Number(sides[1]), Number(sides[2])];
  } else {
    ({ width = 0, height = 0 } = source as { width?: number; height?: number });
    if (width === 0) throw new TypeError("it is no image source");
  }
  const wide = options?.resizeWidth ?? width;
  const bitmap = new FakeBitmap(wide, options?.resizeHeight ?? Math.round((height * wide) / width));
  return Object.assign(bitmap, { isTainted: (source as { isTainted?: boolean }).isTainted });
}

export class FakeImageData {
  readonly [Symbol.toStringTag] = "ImageData";
  constructor(
    readonly data: Uint8ClampedArray | Float32Array,
    readonly width: number,
    readonly height: number,
    readonly colorSpace = "srgb",
  ) {}
}

/** Installs them until `vi.unstubAllGlobals`. */
export function stubCanvas(): void {
  decoding.options = undefined;
  decoding.count = 0;
  vi.stubGlobal("createImageBitmap", fakeDecode);
  vi.stubGlobal("OffscreenCanvas", FakeCanvas);
  vi.stubGlobal("ImageData", FakeImageData);
}
