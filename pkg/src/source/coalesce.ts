/**
 * Joins a source's small pieces into larger chunks: a network reader yields a few KiB at a time, and each chunk passed
 * to the core costs a call and a GPU write. The first piece is passed on at once, so that a file that is no model fails
 * immediately.
 *
 * The buffer is reused: consume a chunk before asking for the next.
 */
export const MAX_CHUNK_BYTES = 4 * 1024 * 1024;

export async function* coalesce(
  pieces: AsyncIterable<Uint8Array>,
  size = MAX_CHUNK_BYTES,
): AsyncGenerator<Uint8Array, void, void> {
  const buffer = new Uint8Array(size);
  let filled = 0;
  let first = true;
  for await (const piece of pieces) {
    for (let start = 0; start < piece.length;) {
      const part = piece.subarray(start, start + size - filled);
      buffer.set(part, filled);
      filled += part.length;
      start += part.length;
      if (filled === size || first) {
        yield buffer.subarray(0, filled);
        filled = 0;
        first = false;
      }
    }
  }
  if (filled > 0) yield buffer.subarray(0, filled);
}
