/** Writes headers of GGUF files for models that exist nowhere; tensors' data follows, each part at a multiple of 32 bytes. */

export const F32 = 0;
export const Q4_0 = 2;
export const Q8_0 = 8;
/** Weights of a block, and its bytes. */
const BLOCKS: Readonly<Record<number, [number, number]>> = { [F32]: [1, 4], [Q4_0]: [32, 18], [Q8_0]: [32, 34] };

export type Value =
  { u32: number } | { f32: number } | { bool: boolean } | { text: string } | { texts: string[] } | { i32s: number[] };

export interface Tensor {
  name: string;
  /** Columns first. */
  shape: number[];
  type: number;
}

/** Returns the bytes of a tensor's data, and of what fills it up. */
export function sizes({ shape, type }: Tensor): { bytes: number; padding: number } {
  const [weights, size] = BLOCKS[type] ?? [1, 0];
  const bytes = (shape.reduce((a, b) => a * b, 1) / weights) * size;
  return { bytes, padding: (32 - (bytes % 32)) % 32 };
}

/** Returns the header's bytes, filled up, and the length of the whole file. */
export function header(
  metadata: readonly [string, Value][],
  tensors: readonly Tensor[],
): { bytes: Buffer; total: number } {
  const parts: Buffer[] = [];
  const put = (size: number, write: (bytes: Buffer) => void): void => {
    const bytes = Buffer.alloc(size);
    write(bytes);
    parts.push(bytes);
  };
  const u32 = (n: number): void => {
    put(4, (bytes) => bytes.writeUInt32LE(n));
  };
  const u64 = (n: number): void => {
    put(8, (bytes) => bytes.writeBigUInt64LE(BigInt(n)));
  };
  const text = (value: string): void => {
    const bytes = Buffer.from(value);
    u64(bytes.length);
    parts.push(bytes);
  };
  const value = (of: Value): void => {
    if ("u32" in of) {
      u32(4);
      u32(of.u32);
    } else if ("f32" in of) {
      u32(6);
      put(4, (bytes) => bytes.writeFloatLE(of.f32));
    } else if ("bool" in of) {
      u32(7);
      put(1, (bytes) => bytes.writeUInt8(Number(of.bool)));
    } else if ("text" in of) {
      u32(8);
      text(of.text);
    } else if ("texts" in of) {
      u32(9);
      u32(8);
      u64(of.texts.length);
      of.texts.forEach(text);
    } else {
      u32(9);
      u32(5);
      u64(of.i32s.length);
      put(4 * of.i32s.length, (bytes) => {
        of.i32s.forEach((n, i) => bytes.writeInt32LE(n, 4 * i));
      });
    }
  };
  parts.push(Buffer.from("GGUF"));
  u32(3);
  u64(tensors.length);
  u64(metadata.length);
  for (const [key, of] of metadata) {
    text(key);
    value(of);
  }
  let at = 0;
  for (const tensor of tensors) {
    text(tensor.name);
    u32(tensor.shape.length);
    tensor.shape.forEach(u64);
    u32(tensor.type);
    u64(at);
    const { bytes, padding } = sizes(tensor);
    at += bytes + padding;
  }
  const whole = Buffer.concat(parts);
  const bytes = Buffer.concat([whole, Buffer.alloc((32 - (whole.length % 32)) % 32)]);
  return { bytes, total: bytes.length + at };
}
