/** Headers that let a page on another origin read a file, and the part of it that a request asks for. */
import type { IncomingMessage } from "node:http";

export const CORS = {
  "Access-Control-Allow-Origin": "*",
  "Access-Control-Allow-Headers": "*",
  "Access-Control-Expose-Headers": "ETag, Content-Range",
};

/** Returns the bytes `start` to `end` (exclusive) of a file of `size` bytes, with the answer's status and headers. */
export function partOf(
  request: IncomingMessage,
  size: number,
): { start: number; end: number; status: number; headers: Record<string, string | number> } {
  const range = /bytes=(\d+)-(\d*)/.exec(request.headers.range ?? "");
  const start = Number(range?.[1] ?? 0);
  const end = range?.[2] ? Math.min(Number(range[2]) + 1, size) : size;
  const headers = { ...CORS, "Content-Length": end - start };
  if (range === null) return { start, end, status: 200, headers };
  const part = `bytes ${String(start)}-${String(end - 1)}/${String(size)}`;
  return { start, end, status: 206, headers: { ...headers, "Content-Range": part } };
}
